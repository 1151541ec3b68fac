/** Gives the armored signature over a commit's bytes; `whenMs` is the commit's time. Throws `ConfigInvalid` for a key that cannot sign. */
export type SignCommit = (payload: Buffer, about: { readonly whenMs: number }) => Promise<string>;
