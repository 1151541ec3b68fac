/**
 * `update`: write `tag`. `current`: nothing newer. `none`: no tag is a candidate. `waiting`: newer ones are too young, or
 * not enough is known of them yet. `held`: the newer one was taken away by a person.
 */
export type SelectionKind = 'update' | 'current' | 'none' | 'waiting' | 'held';

/** Why one tag was or was not chosen. `{ tag: '1.6.0-rc.1', verdict: 'rejected', reason: 'prerelease' }` */
export interface TagVerdict {
  readonly tag: string;
  /** `candidate`: admissible, but a better one was there. `waiting` and `held`: admissible, but not now. */
  readonly verdict: 'selected' | 'candidate' | 'waiting' | 'held' | 'rejected';
  readonly reason: string;
}

/** The decision for one policy about one current value. Plain data. */
export interface Selection {
  readonly kind: SelectionKind;
  /** Key of the policy, `shop/web`. */
  readonly policy: string;
  /** What Git has now, `1.4.2` or `1.4.2@sha256:…` or a digest alone; undefined where it has nothing. */
  readonly current: string | undefined;
  /** The best tag that may be written now, whether or not it is above `current`; undefined where there is none. */
  readonly tag: string | undefined;
  /** Digest behind `tag`, where the caller knows it. */
  readonly digest: string | undefined;
  /** One sentence without a full stop. */
  readonly reason: string;
  /** When a tag that waits for its age may be chosen, in milliseconds since 1970; undefined where none waits for that. */
  readonly wakeMs: number | undefined;
  /** The best tag that would be chosen but for its age, or for what is not known of it; absent where none waits. */
  readonly waits?: string;
  /** Every tag that was handed in, in code-unit order; empty where the caller has let go of them. */
  readonly tags: readonly TagVerdict[];
}
