/** A host key for an SSH server of a test. */
import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

const type = 'ssh-ed25519';

/** Writes a new Ed25519 key into the folder; `hostKey` is its public half as in known_hosts: `ssh-ed25519 AAAA…` */
export function makeSshHostKey(folder: string): { hostKeyFile: string; hostKey: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const hostKeyFile = join(folder, 'ssh-host-key.pem');
  writeFileSync(hostKeyFile, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  const { x = '' } = publicKey.export({ format: 'jwk' });
  // RFC 8709, section 4: the name of the algorithm, then the key, each with its length.
  const blob = [Buffer.from(type), Buffer.from(x, 'base64url')].flatMap((part) => [formatLength(part.length), part]);
  return { hostKeyFile, hostKey: `${type} ${Buffer.concat(blob).toString('base64')}` };
}

function formatLength(length: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(length);
  return bytes;
}
