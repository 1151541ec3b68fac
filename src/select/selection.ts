/** `update`: write `tag`. `current`: nothing newer. `none`: no tag is a candidate. `waiting` and `held`: newer, but not now. */
export type SelectionKind = 'update' | 'current' | 'none' | 'waiting' | 'held';

/** Why one tag was or was not chosen. `{ tag: '1.6.0-rc.1', verdict: 'rejected', reason: 'prerelease' }` */
export interface TagVerdict {
  readonly tag: string;
  /** `candidate`: admissible, but a better one was there. */
  readonly verdict: 'selected' | 'candidate' | 'rejected';
  readonly reason: string;
}

/** The decision for one policy about one current value. Plain data. */
export interface Selection {
  readonly kind: SelectionKind;
  /** Key of the policy, `shop/web`. */
  readonly policy: string;
  /** The tag that Git has now; undefined where it has none. */
  readonly current: string | undefined;
  /** The best candidate, whether or not it is written; undefined where there is none. */
  readonly tag: string | undefined;
  /** Digest behind `tag`, where the caller knows it. */
  readonly digest: string | undefined;
  /** One sentence without a full stop. */
  readonly reason: string;
  /** Every tag that was handed in, best candidate first, then the others in code-unit order. */
  readonly tags: readonly TagVerdict[];
}
