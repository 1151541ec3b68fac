/** Signed commits: a key as the configuration names it becomes a function that signs. */
import { openOpenpgpKey } from './openpgp-signature.ts';
import type { SigningKey } from './signing-key.ts';
import { openSshKey } from './ssh-signature.ts';

/** Gives the armored signature over a commit's bytes; `whenMs` is the commit's time. Throws `ConfigInvalid` for a key that cannot sign. */
export type SignCommit = (payload: Buffer, about: { readonly whenMs: number }) => Promise<string>;

/** How each format opens a key; another one is a row here and a name in the schema. */
const formats = { ssh: openSshKey, openpgp: openOpenpgpKey } as const satisfies Record<
  string,
  (key: SigningKey) => Promise<SignCommit>
>;

/** `ssh`: as ssh-keygen makes keys. `openpgp`: as gpg exports them. */
export type SigningFormat = keyof typeof formats;

/**
 * The signer for a key that `readKey` gives anew for each commit, so that a changed key counts from the next commit on;
 * it is unlocked again only when it has changed. To try a key, sign anything.
 */
export function createCommitSigner(format: SigningFormat, readKey: () => SigningKey): SignCommit {
  let opened: { readonly key: SigningKey; readonly sign: SignCommit } | undefined;
  return async (payload, about) => {
    const key = readKey();
    if (opened === undefined || !isSame(opened.key, key)) opened = { key, sign: await formats[format](key) };
    return opened.sign(payload, about);
  };
}

function isSame(one: SigningKey, other: SigningKey): boolean {
  return one.text === other.text && one.passphrase === other.passphrase;
}
