/** Finds the AWS identity of this process, where AWS's own clients look for it and in their order. */
import { findAddressScope } from '../address.ts';
import type { HttpAnswer } from '../http.ts';
import { parseJsonObject } from '../json.ts';
import { ask, type Question, type SignIn, toAnswerFault, toIdentityError, toRefusal } from './ask.ts';
import type { AwsIdentity } from './aws-signature.ts';
import { isHeaderSafe, readSecretFile, readVariable, requireHeaderSafe, requireUrl } from './environment.ts';
import { createMetadataServer, type MetadataServer } from './metadata-server.ts';

/** The identity, for the region where it will be used; undefined where the environment offers none. */
export type FindAwsIdentity = (signIn: SignIn, region: string) => Promise<AwsIdentity | undefined>;

/** Source: AWS SDKs and Tools Reference Guide, "Standardized credential providers"; files of profiles are not read. */
export function createAwsIdentity(): FindAwsIdentity {
  // Only AWS's server hands out a key to itself.
  const server = createMetadataServer((answer) => readSessionKey(answer) !== undefined);
  return async (signIn, region) =>
    findKeys(signIn) ??
    (await assumeRole(signIn, region)) ??
    (await askContainer(signIn)) ??
    (await askInstance(signIn, server));
}

function findKeys(signIn: SignIn): AwsIdentity | undefined {
  const [keyName, secretName, tokenName] = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN'];
  const accessKeyId = readVariable(signIn, keyName);
  const secretAccessKey = readVariable(signIn, secretName);
  if (accessKeyId === undefined || secretAccessKey === undefined) return undefined;
  const token = readVariable(signIn, tokenName);
  return {
    accessKeyId: requireHeaderSafe(signIn, keyName, accessKeyId),
    secretAccessKey,
    sessionToken: token === undefined ? undefined : requireHeaderSafe(signIn, tokenName, token),
  };
}

/** Source: AWS STS API Reference, AssumeRoleWithWebIdentity. */
async function assumeRole(signIn: SignIn, region: string): Promise<AwsIdentity | undefined> {
  const path = readVariable(signIn, 'AWS_WEB_IDENTITY_TOKEN_FILE');
  const role = readVariable(signIn, 'AWS_ROLE_ARN');
  if (path === undefined || role === undefined) return undefined;
  const token = await readSecretFile(signIn, 'AWS_WEB_IDENTITY_TOKEN_FILE', path);
  const url = findAwsEndpoint(
    signIn,
    'STS',
    `https://sts.${region}.${region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com'}`,
  );
  const form = {
    Action: 'AssumeRoleWithWebIdentity',
    Version: '2011-06-15',
    RoleArn: role,
    RoleSessionName: readVariable(signIn, 'AWS_ROLE_SESSION_NAME') ?? 'tallyman',
    WebIdentityToken: token,
  };
  const answer = await ask(signIn, { url, form, accept: 'text/xml', secrets: [token] });
  if (answer.status !== 200) {
    const remedy = 'Let the role in AWS_ROLE_ARN trust the token in AWS_WEB_IDENTITY_TOKEN_FILE.';
    throw toRefusal(signIn, answer, { who: 'STS at', wanted: 'an access key for the role', secrets: [token], remedy });
  }
  const text = answer.body.toString('utf8');
  const find = (name: string): string | undefined =>
    new RegExp(`<${name}>\\s*([^<\\s]+)\\s*</${name}>`).exec(text)?.[1];
  return requireIdentity(signIn, answer, [find('AccessKeyId'), find('SecretAccessKey'), find('SessionToken')]);
}

/** Where the two environments of containers have their servers: ECS, and EKS Pod Identity over IPv4 and IPv6. */
const containerHosts: readonly string[] = ['169.254.170.2', '169.254.170.23', '[fd00:ec2::23]'];

/** Source: AWS SDKs and Tools Reference Guide, "Container credential provider". */
async function askContainer(signIn: SignIn): Promise<AwsIdentity | undefined> {
  const url = findContainerUrl(signIn);
  if (url === undefined) return undefined;
  const token = await findContainerToken(signIn);
  const secrets = token === undefined ? [] : [token];
  const answer = await ask(signIn, { url, authorization: token, secrets });
  const remedy =
    'Check the role of the task or the pod identity association, or unset AWS_CONTAINER_CREDENTIALS_FULL_URI.';
  if (answer.status !== 200)
    throw toRefusal(signIn, answer, {
      who: 'the container credential server',
      wanted: 'an access key',
      secrets,
      remedy,
    });
  return parseKeys(signIn, answer);
}

function findContainerUrl(signIn: SignIn): URL | undefined {
  const path = readVariable(signIn, 'AWS_CONTAINER_CREDENTIALS_RELATIVE_URI');
  const full = readVariable(signIn, 'AWS_CONTAINER_CREDENTIALS_FULL_URI');
  const base = 'http://169.254.170.2';
  if (path !== undefined)
    return requireUrl(signIn, {
      name: 'AWS_CONTAINER_CREDENTIALS_RELATIVE_URI',
      text: `${base}${path}`,
      wanted: 'a path that begins with "/"',
      isAllowed: ({ origin }) => path.startsWith('/') && origin === base,
    });
  if (full === undefined) return undefined;
  return requireUrl(signIn, {
    name: 'AWS_CONTAINER_CREDENTIALS_FULL_URI',
    text: full,
    wanted: `https, this machine or one of ${containerHosts.join(', ')}`,
    isAllowed: ({ protocol, hostname }) =>
      protocol === 'https:' ||
      (protocol === 'http:' && (containerHosts.includes(hostname) || findAddressScope(hostname) === 'loopback')),
  });
}

async function findContainerToken(signIn: SignIn): Promise<string | undefined> {
  const fileName = 'AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE';
  const path = readVariable(signIn, fileName);
  if (path !== undefined) return requireHeaderSafe(signIn, fileName, await readSecretFile(signIn, fileName, path));
  const name = 'AWS_CONTAINER_AUTHORIZATION_TOKEN';
  const token = readVariable(signIn, name);
  // The documentation's own example is `Basic <token>`, with a blank.
  if (token === undefined || /^[\x20-\x7e]+$/.test(token)) return token;
  return requireHeaderSafe(signIn, name, token);
}

/** Source: Amazon EC2 User Guide, "Use the Instance Metadata Service", version 2. */
async function askInstance(signIn: SignIn, server: MetadataServer): Promise<AwsIdentity | undefined> {
  if (readVariable(signIn, 'AWS_EC2_METADATA_DISABLED')?.toLowerCase() === 'true') return undefined;
  const name = 'AWS_EC2_METADATA_SERVICE_ENDPOINT';
  const base = requireUrl(signIn, {
    name,
    text: readVariable(signIn, name) ?? 'http://169.254.169.254',
    wanted: 'an http address',
    isAllowed: isHttp,
  });
  const hello = await server.greet(signIn, {
    method: 'PUT',
    url: new URL('/latest/api/token', base),
    headers: { 'x-aws-ec2-metadata-token-ttl-seconds': '300' },
    accept: '*/*',
    secrets: [],
  });
  if (hello === undefined) return undefined;
  const key = readSessionKey(hello);
  if (key === undefined) throw refuseInstance(signIn, hello, []);
  const list = new URL('/latest/meta-data/iam/security-credentials/', base);
  const about = { headers: { 'x-aws-ec2-metadata-token': key }, accept: '*/*', secrets: [key] };
  const role = await askRole(signIn, { ...about, url: list });
  if (role === undefined) return undefined;
  const answer = await ask(signIn, { ...about, url: new URL(role, list) });
  if (answer.status !== 200) throw refuseInstance(signIn, answer, [key]);
  return parseKeys(signIn, answer);
}

/** The name of the instance's role, safe in a path; undefined where the instance has none. */
async function askRole(signIn: SignIn, question: Question): Promise<string | undefined> {
  const answer = await ask(signIn, question);
  if (answer.status === 404) return undefined;
  if (answer.status !== 200) throw refuseInstance(signIn, answer, question.secrets);
  const role = /^[\w+=,.@-]{1,128}$/.exec(answer.body.toString('utf8').trim().split('\n')[0] ?? '')?.[0];
  // A name of dots only would be a step in the path.
  if (role === undefined || /^\.+$/.test(role)) throw toAnswerFault(signIn, answer, 'the name of a role');
  return role;
}

function refuseInstance(signIn: SignIn, answer: HttpAnswer, secrets: readonly string[]): Error {
  const remedy = "Check the instance's role, or set AWS_EC2_METADATA_DISABLED to true.";
  return toRefusal(signIn, answer, { who: 'the instance metadata server', wanted: 'an access key', secrets, remedy });
}

function readSessionKey({ status, body }: HttpAnswer): string | undefined {
  return status === 200 ? /^[\w+/=.-]{1,1024}$/.exec(body.toString('latin1').trim())?.[0] : undefined;
}

function parseKeys(signIn: SignIn, answer: HttpAnswer): AwsIdentity {
  const { AccessKeyId, SecretAccessKey, Token } = parseJsonObject(answer.body) ?? {};
  return requireIdentity(signIn, answer, [AccessKeyId, SecretAccessKey, Token]);
}

function requireIdentity(signIn: SignIn, answer: HttpAnswer, keys: readonly [unknown, unknown, unknown]): AwsIdentity {
  const [accessKeyId, secretAccessKey, sessionToken] = keys;
  if (isHeaderSafe(accessKeyId) && isHeaderSafe(secretAccessKey) && isHeaderSafe(sessionToken))
    return { accessKeyId, secretAccessKey, sessionToken };
  throw toAnswerFault(signIn, answer, 'an access key with its session token');
}

/** Where a service is: as AWS_ENDPOINT_URL_<service> or AWS_ENDPOINT_URL says, otherwise at `usual`. */
export function findAwsEndpoint(signIn: SignIn, service: 'ECR' | 'STS', usual: string): URL {
  const name = [`AWS_ENDPOINT_URL_${service}`, 'AWS_ENDPOINT_URL'].find(
    (each) => readVariable(signIn, each) !== undefined,
  );
  const text = name === undefined ? usual : (readVariable(signIn, name) ?? usual);
  const url = requireUrl(signIn, { name: name ?? 'AWS_REGION', text, wanted: 'an http address', isAllowed: isHttp });
  if (url.search === '') return url;
  throw toIdentityError(signIn, { found: `${name} has a query`, wanted: 'none', remedy: `Correct ${name}.` });
}

function isHttp({ protocol }: URL): boolean {
  return protocol === 'https:' || protocol === 'http:';
}
