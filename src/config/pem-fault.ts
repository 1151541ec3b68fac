/** What is wrong with the PEM in a file: OpenSSL passes over what it cannot read, and then trusts nothing of it. */
import { createPrivateKey, X509Certificate } from 'node:crypto';

/** What a file of PEM is to hold. */
export type PemContent = 'certificate' | 'private key';

const certificateBlock =
  /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----[^-]*-----END (?:TRUSTED |X509 )?CERTIFICATE-----/g;

/** What was found instead; undefined where every certificate, or the key, can be read. Nothing of the text is repeated. */
export function describePemFault(text: string, content: PemContent): string | undefined {
  if (content === 'private key') {
    if (isReadable(() => createPrivateKey(text))) return undefined;
    return /ENCRYPTED/.test(text) ? 'its private key has a passphrase' : 'it holds no private key in PEM';
  }
  const blocks = text.match(certificateBlock) ?? [];
  if (blocks.length === 0) return 'it holds no certificate in PEM';
  const bad = blocks.findIndex((block) => !isReadable(() => new X509Certificate(block)));
  return bad === -1 ? undefined : `certificate ${bad + 1} of ${blocks.length} in it cannot be read`;
}

function isReadable(read: () => unknown): boolean {
  try {
    read();
    return true;
  } catch {
    // What OpenSSL says of a key stays here.
    return false;
  }
}
