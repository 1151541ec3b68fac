/** Finds the Google identity of this process: a key file, or the metadata server. */
import { parseJsonObject } from '../json.ts';
import { type AccessToken, parseAccessToken } from './access-token.ts';
import { ask, type SignIn, toIdentityError, toRefusal } from './ask.ts';
import { readSecretFile, readVariable, requireUrl } from './environment.ts';
import { federate } from './google-federation.ts';
import { createKeyFile, type KeyFile, scope, variable } from './google-key-file.ts';
import { signJwt } from './jwt.ts';
import { createMetadataServer, type MetadataServer } from './metadata-server.ts';

/** An access token; undefined where the environment offers no identity. */
export type FindGoogleToken = (signIn: SignIn) => Promise<AccessToken | undefined>;

/** The kinds of key files that are read, by their `type`. */
const kinds: Readonly<Record<string, (signIn: SignIn, file: KeyFile) => Promise<AccessToken>>> = {
  service_account: askAsServiceAccount,
  authorized_user: askAsUser,
  external_account: federate,
};

/** Source: Google Cloud documentation, "How Application Default Credentials works"; gcloud's own files are not read. */
export function createGoogleIdentity(): FindGoogleToken {
  const server = createMetadataServer(({ headers }) => headers['metadata-flavor'] === 'Google');
  return async (signIn) => {
    const path = readVariable(signIn, variable);
    if (path === undefined) return askMetadataServer(signIn, server);
    const file = createKeyFile(signIn, parseJsonObject(Buffer.from(await readSecretFile(signIn, variable, path))));
    const kind = file.require('type');
    const read = Object.hasOwn(kinds, kind) ? kinds[kind] : undefined;
    if (read !== undefined) return read(signIn, file);
    const about = { wanted: `one of ${Object.keys(kinds).join(', ')}`, remedy: `Name another file in ${variable}.` };
    throw toIdentityError(signIn, { ...about, found: `the type of the file of ${variable} is not known` });
  };
}

/** Source: RFC 7523, section 2.1; Google Identity documentation, "Using OAuth 2.0 for Server to Server Applications". */
async function askAsServiceAccount(signIn: SignIn, file: KeyFile): Promise<AccessToken> {
  const url = file.requireUrl('token_uri', file.find('token_uri') ?? 'https://oauth2.googleapis.com/token');
  const seconds = Math.floor(signIn.now() / 1000);
  const claims = { iss: file.require('client_email'), scope, aud: url.href, iat: seconds, exp: seconds + 3600 };
  const assertion = signJwt(claims, { key: file.require('private_key'), keyId: file.find('private_key_id') });
  if (assertion === undefined) throw file.toFault('private_key', 'an RSA key in PEM');
  const form = { grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion };
  const remedy = `Name a file with a valid key in ${variable}.`;
  return askForToken(signIn, { url, form, secrets: [assertion], remedy });
}

async function askAsUser(signIn: SignIn, file: KeyFile): Promise<AccessToken> {
  const url = file.requireUrl('token_uri', file.find('token_uri') ?? 'https://oauth2.googleapis.com/token');
  const [secret, token] = [file.require('client_secret'), file.require('refresh_token')];
  const client = { client_id: file.require('client_id'), client_secret: secret };
  const form = { grant_type: 'refresh_token', refresh_token: token, ...client };
  const remedy = `Sign in again with \`gcloud auth application-default login\`, and name the file in ${variable}.`;
  return askForToken(signIn, { url, form, secrets: [secret, token], remedy });
}

async function askForToken(
  signIn: SignIn,
  about: { url: URL; form: Readonly<Record<string, string>>; secrets: readonly string[]; remedy: string },
): Promise<AccessToken> {
  const answer = await ask(signIn, about);
  if (answer.status === 200) return parseAccessToken(signIn, answer);
  throw toRefusal(signIn, answer, { ...about, who: 'the token server', wanted: 'an access token' });
}

/** Source: Compute Engine documentation, "About VM metadata" and "Authenticate workloads using service accounts". */
async function askMetadataServer(signIn: SignIn, server: MetadataServer): Promise<AccessToken | undefined> {
  const name = 'GCE_METADATA_HOST';
  const host = readVariable(signIn, name) ?? 'metadata.google.internal';
  const isAllowed = (url: URL): boolean => url.pathname === '/' && url.search === '' && url.hash === '';
  const base = requireUrl(signIn, { name, text: `http://${host}`, wanted: 'a host with or without a port', isAllowed });
  const about = { headers: { 'metadata-flavor': 'Google' }, accept: '*/*', secrets: [] };
  if ((await server.greet(signIn, { ...about, url: base })) === undefined) return undefined;
  const url = new URL('/computeMetadata/v1/instance/service-accounts/default/token', base);
  const answer = await ask(signIn, { ...about, url });
  // The machine has no service account.
  if (answer.status === 404) return undefined;
  const remedy = 'Bind a service account to the workload, or name a key file in GOOGLE_APPLICATION_CREDENTIALS.';
  const who = 'the metadata server';
  if (answer.status !== 200) throw toRefusal(signIn, answer, { who, wanted: 'an access token', secrets: [], remedy });
  if (answer.headers['metadata-flavor'] === 'Google') return parseAccessToken(signIn, answer);
  const found = `the answer of "${host}" lacks the header Metadata-Flavor`;
  throw toIdentityError(signIn, { found, wanted: "Google's own metadata server", remedy: `Correct ${name}.` });
}
