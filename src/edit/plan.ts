import type { Problem } from '../error/problem.ts';

/** What changes for one policy. `{ policy: 'shop/web', image: 'ghcr.io/acme/web', from: '1.4.2', to: '1.5.0' }` */
export interface Update {
  readonly policy: string;
  readonly image: string;
  /** Tag, or `tag@digest`, or digest, as written before; undefined where there was no version. */
  readonly from: string | undefined;
  readonly to: string;
}

/** One scalar to be replaced. Bytes outside `start`…`end` stay as they are. */
export interface Edit {
  readonly file: string;
  /** Byte range in the file it was planned on, quotes included. */
  readonly start: number;
  readonly end: number;
  readonly oldText: string;
  readonly newText: string;
  /** What `newText` holds once read. */
  readonly value: string;
  /** Length of the file it was planned on, in bytes: tells a plan that was applied already from one that was not. */
  readonly fileBytes: number;
  /** What it is part of. */
  readonly update: Update;
  /** Where, for people: line from 1 and `spec.containers[0].image`. */
  readonly line: number;
  readonly path: string;
}

/** All edits of one batch, by file and then by place, and what was left out and why. Plain data. */
export interface Plan {
  readonly edits: readonly Edit[];
  readonly problems: readonly Problem[];
}

/** Files by path from the repository's root. */
export type Files = ReadonlyMap<string, Uint8Array>;

/** What the edits amount to, once for each policy and pair of versions, in the order of their names. */
export function listUpdates(edits: readonly Edit[]): readonly Update[] {
  const updates = new Map(edits.map(({ update }) => [`${update.policy} ${update.from} ${update.to}`, update]));
  return [...updates].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, update]) => update);
}
