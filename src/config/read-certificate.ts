import { statSync } from 'node:fs';
import { TallymanError } from '../error/tallyman-error.ts';
import type { ClusterSecret, ReadClusterSecret, SecretRef } from '../pipeline/cluster-ports.ts';
import { describePemFault, type PemContent } from './pem-fault.ts';
import { pickText } from './read-cluster-secret.ts';
import { readText, tellFileFault } from './read-secret.ts';
import type { SecretKeyConfig } from './secret-ref-schema.ts';

/** Where PEM is: in a file, or under a key of a Secret. */
export type PemPlace =
  | { readonly file: string; readonly secret?: undefined }
  | { readonly secret: SecretRef; readonly key: string };

/** The PEM text of a place with such content; undefined where none is named; throws `ConfigInvalid` or `SecretUnavailable`. */
export type ReadPem = (place: PemPlace | undefined, content?: PemContent) => string | undefined;

interface Known {
  readonly stamp: string;
  readonly text: string;
}

/** Reads PEM, by default of certificates; a file only when it has changed. What was found in order is not looked through again. */
export function createCertificateReader(readClusterSecret: ReadClusterSecret): ReadPem {
  const kept = new Map<string, Known>();
  const keep = (id: string, known: Known): string => {
    kept.set(id, known);
    return known.text;
  };
  const readFile = (file: string, content: PemContent): string => {
    const { mtimeMs, size, ino } = tellFileFault(file, content, () => statSync(file));
    const stamp = [mtimeMs, size, ino, content].join(' ');
    const known = kept.get(file);
    return known?.stamp === stamp ? known.text : keep(file, { stamp, text: readPemFile(file, content) });
  };
  const readKey = (secret: ClusterSecret, key: string, content: PemContent): string => {
    const text = pickText(secret, [key]);
    const id = [secret.title, key, content].join(' ');
    if (kept.get(id)?.text === text) return text;
    const fault = describePemFault(text, content);
    if (fault === undefined) return keep(id, { stamp: '', text });
    const found = `under "${key}" ${fault.replace(/\bit holds/, 'it has')}`;
    throw new TallymanError('SecretUnavailable', `Cannot use ${secret.title}: ${found}, one in PEM was wanted`, {
      remedy: 'Correct the Secret, or the name of it in the configuration; it is used as soon as it is in order.',
    });
  };
  return (place, content = 'certificate') => {
    if (place === undefined) return undefined;
    if (place.secret === undefined) return readFile(place.file, content);
    return readKey(readClusterSecret(place.secret), place.key, content);
  };
}

/** The authorities that settings name, as PEM; undefined where they name none. */
export function readCa(
  { caFile, caSecret }: { caFile?: string | undefined; caSecret?: SecretKeyConfig | undefined },
  readPem: ReadPem,
): string | undefined {
  if (caSecret !== undefined) return readPem({ secret: caSecret, key: caSecret.key });
  return readPem(caFile === undefined ? undefined : { file: caFile });
}

interface ClientCertificateConfig {
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
  readonly secret?: SecretRef | undefined;
}

/** By which Tallyman shows who it is; undefined where no certificate is named. */
export function readClientCertificate(
  settings: ClientCertificateConfig | undefined,
  readPem: ReadPem,
): { cert: string; key: string } | undefined {
  const { certFile, keyFile, secret } = settings ?? {};
  const at = (file: string | undefined, key: string): PemPlace | undefined => {
    if (secret !== undefined) return { secret, key };
    return file === undefined ? undefined : { file };
  };
  const cert = readPem(at(certFile, 'tls.crt'));
  const key = readPem(at(keyFile, 'tls.key'), 'private key');
  return cert === undefined || key === undefined ? undefined : { cert, key };
}

function readPemFile(file: string, content: PemContent): string {
  const text = readText(file, content);
  const fault = describePemFault(text, content);
  if (fault === undefined) return text;
  throw new TallymanError('ConfigInvalid', `Cannot use ${content} file "${file}": ${fault}, one in PEM was wanted`, {
    place: { file },
    remedy: 'Correct the file, or the path to it in the configuration.',
  });
}
