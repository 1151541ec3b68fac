/** Why there is no newer answer than the one at hand. */
export interface Staleness {
  readonly error: unknown;
  /** When the registry gave the answer at hand, in milliseconds since 1970. */
  readonly sinceMs: number;
}

/** An answer, or why there is none; with `stale` it is that of an earlier time. */
export type Answer<Value> =
  | {
      readonly value: Value;
      readonly stale?: Staleness | undefined;
      /** When the registry gave it, in milliseconds since 1970; absent: just now. */
      readonly sinceMs?: number;
    }
  | { readonly error: unknown };
