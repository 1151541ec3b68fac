/** Finds the Azure identity of this process, where Azure's own clients look for it and in their order. */
import { findAddressScope } from '../address.ts';
import type { HttpAnswer } from '../http.ts';
import { parseAccessToken } from './access-token.ts';
import { ask, type Question, type SignIn, toIdentityError, toRefusal } from './ask.ts';
import { readSecretFile, readVariable, requireHeaderSafe, requireUrl } from './environment.ts';
import { createMetadataServer, type MetadataServer } from './metadata-server.ts';

/** A Microsoft Entra access token that the registry takes; undefined where the environment offers no identity. */
export type FindAzureToken = (signIn: SignIn, registry: URL) => Promise<string | undefined>;

/** Only for registries, where the token for all of Azure's management would do as well. */
const resource = 'https://containerregistry.azure.net';

/** Source: Azure Identity library, DefaultAzureCredential: environment, workload identity, managed identity. */
export function createAzureIdentity(): FindAzureToken {
  // What lacks the header `Metadata` is refused like this, by Azure's server alone.
  const server = createMetadataServer(({ status }) => status === 400);
  return async (signIn, registry) =>
    (await askWithSecret(signIn, registry)) ??
    (await askWithAssertion(signIn, registry)) ??
    (await askAppService(signIn)) ??
    (await askInstance(signIn, server));
}

async function askWithSecret(signIn: SignIn, registry: URL): Promise<string | undefined> {
  const secret = readVariable(signIn, 'AZURE_CLIENT_SECRET');
  if (secret === undefined) return undefined;
  const remedy = 'Correct AZURE_CLIENT_SECRET, AZURE_CLIENT_ID or AZURE_TENANT_ID.';
  return askAuthority(signIn, registry, { proof: { client_secret: secret }, secret, remedy });
}

async function askWithAssertion(signIn: SignIn, registry: URL): Promise<string | undefined> {
  const path = readVariable(signIn, 'AZURE_FEDERATED_TOKEN_FILE');
  if (path === undefined) return undefined;
  const secret = await readSecretFile(signIn, 'AZURE_FEDERATED_TOKEN_FILE', path);
  const type = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
  const remedy = 'Trust the token in AZURE_FEDERATED_TOKEN_FILE as a federated credential of AZURE_CLIENT_ID.';
  const proof = { client_assertion_type: type, client_assertion: secret };
  return askAuthority(signIn, registry, { proof, secret, remedy });
}

/** Where identities live, by the last part of the registry's name; AZURE_AUTHORITY_HOST says otherwise. */
const authorities: Readonly<Record<string, string>> = {
  cn: 'https://login.chinacloudapi.cn',
  us: 'https://login.microsoftonline.us',
};

/** Source: Microsoft identity platform, "OAuth 2.0 client credentials flow". */
async function askAuthority(
  signIn: SignIn,
  registry: URL,
  { proof, secret, remedy }: { proof: Readonly<Record<string, string>>; secret: string; remedy: string },
): Promise<string> {
  const name = 'AZURE_AUTHORITY_HOST';
  const [, cloud = ''] = /\.azurecr\.(cn|us)$/.exec(registry.hostname) ?? [];
  const authority = requireUrl(signIn, {
    name,
    text: readVariable(signIn, name) ?? authorities[cloud] ?? 'https://login.microsoftonline.com',
    wanted: 'an https address',
    isAllowed: ({ protocol, hostname }) =>
      protocol === 'https:' || (protocol === 'http:' && findAddressScope(hostname) === 'loopback'),
  });
  const tenant = encodeURIComponent(requireVariable(signIn, 'AZURE_TENANT_ID'));
  const answer = await ask(signIn, {
    url: new URL(`/${tenant}/oauth2/v2.0/token`, authority),
    form: {
      client_id: requireVariable(signIn, 'AZURE_CLIENT_ID'),
      scope: `${resource}/.default`,
      grant_type: 'client_credentials',
      ...proof,
    },
    secrets: [secret],
  });
  if (answer.status === 200) return parseAccessToken(signIn, answer).text;
  const refusal = { who: 'the token server', wanted: 'an access token', secrets: [secret], remedy };
  throw toRefusal(signIn, answer, refusal);
}

function requireVariable(signIn: SignIn, name: string): string {
  const text = readVariable(signIn, name);
  if (text !== undefined) return text;
  throw toIdentityError(signIn, { found: `${name} is not set`, wanted: 'an identity', remedy: `Set ${name}.` });
}

/** Source: "How to use managed identities for App Service and Azure Functions", REST endpoint; Container Apps have it too. */
async function askAppService(signIn: SignIn): Promise<string | undefined> {
  const name = 'IDENTITY_ENDPOINT';
  const text = readVariable(signIn, name);
  const secret = readVariable(signIn, 'IDENTITY_HEADER');
  if (text === undefined || secret === undefined) return undefined;
  const isAllowed = ({ protocol }: URL): boolean => ['http:', 'https:'].includes(protocol);
  const url = requireUrl(signIn, { name, text, wanted: 'an http address', isAllowed });
  const headers = { 'x-identity-header': requireHeaderSafe(signIn, 'IDENTITY_HEADER', secret) };
  addQuery(signIn, url, '2019-08-01');
  return readManaged(signIn, await ask(signIn, { url, headers, secrets: [secret] }), [secret]);
}

/** Source: "How to use managed identities on an Azure VM to acquire an access token", over HTTP. */
async function askInstance(signIn: SignIn, server: MetadataServer): Promise<string | undefined> {
  const name = 'AZURE_POD_IDENTITY_AUTHORITY_HOST';
  const base = requireUrl(signIn, {
    name,
    text: readVariable(signIn, name) ?? 'http://169.254.169.254',
    wanted: 'an http address',
    isAllowed: ({ protocol }) => protocol === 'http:',
  });
  const url = new URL('/metadata/identity/oauth2/token', base);
  addQuery(signIn, url, '2018-02-01');
  const question: Question = { url, secrets: [] };
  if ((await server.greet(signIn, question)) === undefined) return undefined;
  return readManaged(signIn, await ask(signIn, { ...question, headers: { metadata: 'true' } }), []);
}

function addQuery(signIn: SignIn, url: URL, version: string): void {
  url.searchParams.set('api-version', version);
  url.searchParams.set('resource', resource);
  const client = readVariable(signIn, 'AZURE_CLIENT_ID');
  if (client !== undefined) url.searchParams.set('client_id', client);
}

/** A machine without an identity says so with status 400; that it lacks the one asked for is an error. */
function readManaged(signIn: SignIn, answer: HttpAnswer, secrets: readonly string[]): string | undefined {
  if (answer.status === 200) return parseAccessToken(signIn, answer).text;
  const isNone = answer.status === 400 && /identity not found/i.test(answer.body.toString('utf8'));
  if (isNone && readVariable(signIn, 'AZURE_CLIENT_ID') === undefined) return undefined;
  const remedy = 'Name a managed identity of this machine in AZURE_CLIENT_ID.';
  throw toRefusal(signIn, answer, { who: 'the managed identity server', wanted: 'an access token', secrets, remedy });
}
