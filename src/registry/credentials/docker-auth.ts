/** The format of Docker's config.json, Podman's auth.json and Kubernetes' pull secrets. */
import { TallymanError } from '../../error/tallyman-error.ts';
import type { ImageRepository } from '../../image/reference.ts';
import { isObject, parseJsonObject } from '../json.ts';
import type { Credential } from './credential.ts';
import { listLookupKeys, normalizeKey } from './lookup-keys.ts';

/** Who signs in where, as one text says it. Entries are checked when they are used: a bad one is nobody else's fault. */
export interface DockerAuth {
  /** Names the text in messages: `credentials file "/home/ann/.docker/config.json"` */
  readonly origin: string;
  /** The file that it is the content of; undefined for another text. */
  readonly file?: string | undefined;
  /** By normalised key; entries that hold nothing are left out. */
  readonly auths: ReadonlyMap<string, unknown>;
  /** Names of credential helpers, by normalised key. */
  readonly credHelpers: ReadonlyMap<string, unknown>;
  /** Name of the helper for every other host; undefined where there is none. */
  readonly credsStore: unknown;
}

/** What a text is called, and the file that it is in, if any. */
export type AuthText = Pick<DockerAuth, 'origin' | 'file'>;

type JsonObject = Readonly<Record<string, unknown>>;

/** Far more than people have; an Opaque secret of Kubernetes can hold no more either. */
export const maxAuthBytes = 1024 * 1024;

const remedy =
  'Write the credentials anew with `docker login`, `podman login` or `kubectl create secret docker-registry`.';
/** What makes an entry one; Docker leaves empty entries behind for what it keeps in a store. */
const secretFields = ['auth', 'password', 'identitytoken', 'registrytoken'];

/**
 * The content of a text; throws ConfigInvalid where it is no such JSON, without showing any of it. With `legacy`, an
 * object without `auths` is taken for the entries themselves (Kubernetes' `.dockercfg`). `normalize` gives keys the form in
 * which they are looked up; by default that of `listLookupKeys`.
 */
export function parseDockerAuth(
  bytes: Uint8Array,
  about: AuthText & { legacy?: boolean; normalize?: (key: string) => string },
): DockerAuth {
  const { origin, legacy = false, normalize = normalizeKey } = about;
  if (bytes.length > maxAuthBytes) throw tooLarge(about);
  const root = parseJsonObject(Buffer.from(decode(bytes)));
  if (root === undefined) throw invalid(about, 'it is no JSON object in UTF-8, one with "auths" was wanted');
  const isBare = legacy && !Object.hasOwn(root, 'auths');
  const entries = isBare ? root : readMember(root, 'auths', about);
  return {
    origin,
    ...(about.file !== undefined && { file: about.file }),
    auths: indexEntries(
      Object.entries(entries).filter(([, entry]) => !isBlank(entry)),
      normalize,
    ),
    credHelpers: indexEntries(Object.entries(readMember(root, 'credHelpers', about)), normalize),
    credsStore: root.credsStore === null || root.credsStore === '' ? undefined : root.credsStore,
  };
}

/** What the entries say for the repository, the most specific one that says anything; throws ConfigInvalid where that is malformed. */
export function findAuth(auth: DockerAuth, repository: ImageRepository): Credential | undefined {
  const key = listLookupKeys(repository).find((candidate) => auth.auths.has(candidate));
  // Named by what was looked for: a key of the file may be an address with a password in it.
  return key === undefined ? undefined : readAuth(auth, key, key);
}

/** What the entry of a key says, called `name` in messages; throws ConfigInvalid where it is malformed. */
export function readAuth({ auths, origin, file }: DockerAuth, key: string, name: string): Credential {
  return readEntry(auths.get(key), (found) => invalid({ origin, file, task: `use the entry for "${name}" in` }, found));
}

/** The error for a text above `maxAuthBytes`. */
export function tooLarge(text: AuthText): TallymanError {
  return invalid(text, `it is larger than ${maxAuthBytes / 1024} KiB, no more was wanted`);
}

/** Docker: `registrytoken` is sent as it is, `identitytoken` replaces the password, `auth` wins over `username` and `password`. */
function readEntry(entry: unknown, fail: (found: string) => TallymanError): Credential {
  if (!isObject(entry)) throw fail('it is no JSON object, one with "auth" was wanted');
  for (const name of [...secretFields, 'username'])
    if (!['string', 'undefined'].includes(typeof (entry[name] ?? undefined)))
      throw fail(`its "${name}" is no text, one was wanted`);
  const { auth, identitytoken, registrytoken } = entry;
  for (const [name, token] of Object.entries({ identitytoken, registrytoken }))
    if (isText(token) && !/^[\x21-\x7e]+$/.test(token))
      throw fail(`its "${name}" has characters that no token has, visible ASCII was wanted`);
  if (isText(registrytoken)) return { bearerToken: registrytoken };
  const user = isText(auth) ? readUserOfAuth(auth, fail) : readUser(entry);
  if (isText(identitytoken)) return { username: user?.username, identityToken: identitytoken };
  if (user === undefined) throw fail('it has a password without "username", both were wanted');
  // Such a text has no UTF-8 form to be sent in.
  if (/\p{Cs}/u.test(user.username + user.password)) throw fail('it has half a character, text in Unicode was wanted');
  return user;
}

/** The user in an `auth`. The password may have colons, and NULs behind it: some tools pad. */
function readUserOfAuth(auth: string, fail: (found: string) => TallymanError): { username: string; password: string } {
  // Go's decoder, which Docker and Kubernetes use, passes over line breaks.
  const digits = auth.replace(/[\r\n]/g, '');
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(digits)) throw fail('its "auth" is no base64, that of user:password was wanted');
  const text = decode(Buffer.from(digits, 'base64'));
  const colon = text.indexOf(':');
  if (colon <= 0) throw fail('its "auth" holds no user, base64 of user:password in UTF-8 was wanted');
  return { username: text.slice(0, colon), password: withoutEndNuls(text.slice(colon + 1)) };
}

function readUser({ username, password }: JsonObject): { username: string; password: string } | undefined {
  return isText(username) ? { username, password: isText(password) ? password : '' } : undefined;
}

function readMember(root: JsonObject, name: string, text: AuthText): JsonObject {
  const member = (Object.hasOwn(root, name) ? root[name] : undefined) ?? {};
  if (!isObject(member)) throw invalid(text, `its "${name}" is no JSON object, one was wanted`);
  return member;
}

/** Where two keys mean the same, the first counts. */
function indexEntries(
  entries: readonly (readonly [string, unknown])[],
  normalize: (key: string) => string,
): ReadonlyMap<string, unknown> {
  return new Map(entries.map(([key, entry]) => [normalize(key), entry] as const).reverse());
}

function isBlank(entry: unknown): boolean {
  return entry === null || (isObject(entry) && secretFields.every((name) => (entry[name] ?? '') === ''));
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

/** Undecodable bytes give the empty text, which is neither JSON nor a user; a byte order mark is left out. */
function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return '';
  }
}

function withoutEndNuls(text: string): string {
  let end = text.length;
  while (text[end - 1] === '\0') end -= 1;
  return text.slice(0, end);
}

function invalid({ origin, file, task = 'read' }: AuthText & { task?: string }, found: string): TallymanError {
  const place = file === undefined ? undefined : { file };
  return new TallymanError('ConfigInvalid', `Cannot ${task} ${origin}: ${found}`, { remedy, place });
}
