/** Signatures as `gpg --detach-sign --armor` makes them. Source: RFC 9580. */
import type { PrivateKey, Subkey } from 'openpgp';
import type { SignCommit } from './sign-commit.ts';
import { keyInvalid, keyLocked, type SigningKey } from './signing-key.ts';

type Openpgp = typeof import('openpgp');

const wanted = 'one armored OpenPGP private key (gpg --armor --export-secret-keys)';

/** A signer with that key or the newest of its subkeys that may sign; throws `ConfigInvalid`, at signing for a key that is no longer valid. */
export async function openOpenpgpKey(key: SigningKey): Promise<SignCommit> {
  const openpgp = await import('openpgp');
  const unlocked = await unlock(openpgp, await parseKey(openpgp, key), key);
  return async (payload, { whenMs }) => {
    const date = new Date(Math.floor(whenMs / 1000) * 1000);
    const signingKey = await findSigningKey(unlocked, { file: key.file, date });
    const signature = await openpgp.sign({
      message: await openpgp.createMessage({ binary: payload }),
      signingKeys: unlocked,
      signingKeyIDs: signingKey.getKeyID(),
      detached: true,
      date,
    });
    return signature.replace(/\r\n/g, '\n');
  };
}

async function parseKey(openpgp: Openpgp, { file, text }: SigningKey): Promise<PrivateKey> {
  if (!text.includes('-----BEGIN PGP PRIVATE KEY BLOCK-----')) throw keyInvalid(file, describeOther(text), wanted);
  const keys = await openpgp.readPrivateKeys({ armoredKeys: text }).catch(() => {
    throw keyInvalid(file, 'the key is damaged', wanted);
  });
  const [only] = keys;
  if (only === undefined || keys.length > 1) throw keyInvalid(file, `it holds ${keys.length} keys`, wanted);
  return only;
}

function describeOther(text: string): string {
  if (text.includes('-----BEGIN PGP PUBLIC KEY BLOCK-----')) return 'it holds a public key';
  if (/BEGIN (?:OPENSSH |RSA |EC |ENCRYPTED )?PRIVATE KEY/.test(text)) return 'it holds an SSH or PEM key';
  return 'it holds no armored key';
}

async function unlock(openpgp: Openpgp, privateKey: PrivateKey, key: SigningKey): Promise<PrivateKey> {
  if (privateKey.isDecrypted()) return privateKey;
  if (key.passphrase === undefined) throw keyLocked(key);
  return openpgp.decryptKey({ privateKey, passphrase: key.passphrase }).catch(() => {
    throw keyLocked(key);
  });
}

interface Signing {
  readonly file: string;
  readonly date: Date;
}

/** As gpg chooses: the newest subkey that may sign then, else the main key; only such whose secret part is in the file. */
async function findSigningKey(key: PrivateKey, { file, date }: Signing): Promise<PrivateKey | Subkey> {
  await refuseInvalid(key, { file, date });
  const subkeys = key.subkeys.toSorted((one, other) => Number(other.getCreationTime()) - Number(one.getCreationTime()));
  for (const candidate of [...subkeys, key]) {
    if (!candidate.keyPacket.isDecrypted()) continue;
    const usable = await key.getSigningKey(candidate.getKeyID(), date).catch(() => undefined);
    if (usable !== undefined) return candidate;
  }
  const found = 'none of its keys can sign: each is expired, revoked, for another use, or without its secret part';
  throw keyInvalid(file, found, 'a key with a valid signing key');
}

async function refuseInvalid(key: PrivateKey, { file, date }: Signing): Promise<void> {
  const refuse = (found: string): never => {
    throw keyInvalid(file, found, 'a key that is valid now');
  };
  if (await key.isRevoked(undefined, undefined, date)) refuse('the key is revoked');
  if (key.getCreationTime() > date) refuse(`the key is valid from ${key.getCreationTime().toISOString()}`);
  const expires = await key.getExpirationTime();
  if (expires !== null && expires <= date) refuse(`the key expired at ${new Date(expires).toISOString()}`);
}
