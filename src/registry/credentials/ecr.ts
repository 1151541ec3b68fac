/** Signs in to private registries of Amazon ECR. ECR Public is for everybody and needs no one signed in. */
import type { HttpAnswer } from '../http.ts';
import { isObject, parseJsonObject } from '../json.ts';
import { ask, type SignIn, toAnswerFault, toIdentityError, toRefusal } from './ask.ts';
import { createAwsIdentity, type FindAwsIdentity, findAwsEndpoint } from './aws-identity.ts';
import { signPost } from './aws-signature.ts';
import type { CloudExchange } from './cloud-exchange.ts';
import { isHeaderSafe, readVariable } from './environment.ts';
import { type Lease, planRenewal } from './lease.ts';

/** Where ECR's own API is for a registry. */
interface EcrApi {
  readonly region: string;
  /** `https://api.ecr.eu-west-1.amazonaws.com` */
  readonly origin: string;
}

/** `eu-west-1`, `us-gov-east-1`: the region becomes a part of hosts' names, and is not any word that a policy names. */
const regionGrammar = String.raw`[a-z]{2,}(?:-[a-z]+)+-\d+`;
/** `<account>.dkr.ecr[-fips].<region>.amazonaws.com[.cn]` and the dual-stack `<account>.dkr-ecr[-fips].<region>.on.aws` */
const hostPattern = new RegExp(
  String.raw`^\d{12}\.dkr(?:\.ecr(?<fips>-fips)?\.(?<region>${regionGrammar})\.(?<suffix>amazonaws\.(?:com(?:\.cn)?|eu))|-ecr(?<dualFips>-fips)?\.(?<dualRegion>${regionGrammar})\.on\.(?<dualSuffix>aws|amazonwebservices\.com\.cn))$`,
);

export function createEcrExchange(): CloudExchange {
  const findIdentity = createAwsIdentity();
  return {
    isAt: (registry) => hostPattern.test(registry.host),
    // A token is for all registries of the region that the identity may pull from.
    keyOf: (registry, { env }) => findApi(registry, env)?.origin ?? 'no region',
    borrow: (signIn, { registry }) => borrow(signIn, registry, findIdentity),
  };
}

async function borrow(signIn: SignIn, registry: URL, findIdentity: FindAwsIdentity): Promise<Lease | undefined> {
  const api = findApi(registry, signIn.env);
  if (api === undefined) {
    const about = { found: 'neither its name nor the environment says a region', wanted: 'an AWS region' };
    throw toIdentityError(signIn, { ...about, remedy: 'Set AWS_REGION to the region of the registry.' });
  }
  const identity = await findIdentity(signIn, findRegion(signIn.env) ?? api.region);
  if (identity === undefined) return undefined;
  const url = findAwsEndpoint(signIn, 'ECR', api.origin);
  const body = '{}';
  const target = 'AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken';
  const headers = { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': target };
  const { region } = api;
  const signed = signPost({ url, headers, body }, { identity, region, service: 'ecr', nowMs: signIn.now() });
  const secrets = [identity.secretAccessKey, identity.sessionToken ?? '', signed.authorization];
  const answer = await ask(signIn, { url, body, ...signed, secrets });
  if (answer.status === 200) return parseLease(signIn, answer);
  const remedy = 'Allow ecr:GetAuthorizationToken to the identity, or correct AWS_ACCESS_KEY_ID or AWS_ROLE_ARN.';
  throw toRefusal(signIn, answer, { who: 'ECR at', wanted: 'an authorization token', secrets, remedy });
}

/** undefined where neither the host's name nor the environment says the region. */
function findApi(registry: URL, env: SignIn['env']): EcrApi | undefined {
  const { fips, region, suffix, dualFips, dualRegion, dualSuffix } = hostPattern.exec(registry.host)?.groups ?? {};
  if (dualRegion !== undefined && dualSuffix !== undefined)
    return { region: dualRegion, origin: `https://ecr${dualFips ?? ''}.${dualRegion}.api.${dualSuffix}` };
  const at = region ?? findRegion(env);
  if (at === undefined) return undefined;
  const domain = suffix ?? (at.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com');
  return { region: at, origin: `https://${fips === undefined ? 'api.ecr' : 'ecr-fips'}.${at}.${domain}` };
}

const regionPattern = new RegExp(`^${regionGrammar}$`);

function findRegion(env: SignIn['env']): string | undefined {
  const region = readVariable({ env }, 'AWS_REGION') ?? readVariable({ env }, 'AWS_DEFAULT_REGION');
  return region !== undefined && regionPattern.test(region) ? region : undefined;
}

const earlyMs = 5 * 60_000;
const usualLifeMs = 3_600_000;

/** Source: Amazon ECR API Reference, GetAuthorizationToken: base64 of `AWS:<token>`, and its end in seconds. */
function parseLease(signIn: SignIn, answer: HttpAnswer): Lease {
  const { authorizationData } = parseJsonObject(answer.body) ?? {};
  const first: unknown = Array.isArray(authorizationData) ? authorizationData[0] : undefined;
  const { authorizationToken, expiresAt } = isObject(first) ? first : {};
  const text = typeof authorizationToken === 'string' ? Buffer.from(authorizationToken, 'base64').toString('utf8') : '';
  const [username, password] = [text.slice(0, text.indexOf(':')), text.slice(text.indexOf(':') + 1)];
  if (!text.includes(':') || !isHeaderSafe(username) || !isHeaderSafe(password))
    throw toAnswerFault(signIn, answer, 'an authorization token');
  const endMs = typeof expiresAt === 'number' ? expiresAt * 1000 : Number.NaN;
  const endsAtMs = planRenewal({ nowMs: signIn.now(), endMs, earlyMs, usualLifeMs });
  return { credential: { username, password }, endsAtMs };
}
