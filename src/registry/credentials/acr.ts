/** Signs in to Azure Container Registry. */
import type { RegistryHost } from '../host.ts';
import { parseJsonObject } from '../json.ts';
import { ask, type SignIn, toAnswerFault, toRefusal } from './ask.ts';
import { createAzureIdentity, type FindAzureToken } from './azure-identity.ts';
import type { CloudExchange } from './cloud-exchange.ts';
import { isHeaderSafe, readVariable } from './environment.ts';
import { readJwtEnd } from './jwt.ts';
import { type Lease, planRenewal } from './lease.ts';

/** `acme.azurecr.io`, China's and the US government's clouds likewise. */
const hostPattern = /^(?:[a-z0-9-]+\.)+azurecr\.(?:io|cn|us)$/;
/** Stands for "whoever the refresh token is of". */
const username = '00000000-0000-0000-0000-000000000000';

const earlyMs = 5 * 60_000;
/** Refresh tokens live three hours. */
const usualLifeMs = 155 * 60_000;

export function createAcrExchange(): CloudExchange {
  const findToken = createAzureIdentity();
  return {
    isAt: (registry) => hostPattern.test(registry.host),
    keyOf: (registry) => registry.origin,
    borrow: (signIn, about) => borrow(signIn, about, findToken),
  };
}

/** Source: Azure/acr, docs/AAD-OAuth.md, "Calling POST /oauth2/exchange to get an ACR refresh token". */
async function borrow(
  signIn: SignIn,
  { registry, host }: { registry: URL; host: RegistryHost },
  findToken: FindAzureToken,
): Promise<Lease | undefined> {
  const token = await findToken(signIn, registry);
  if (token === undefined) return undefined;
  const tenant = readVariable(signIn, 'AZURE_TENANT_ID');
  const form = { grant_type: 'access_token', service: registry.host, tenant, access_token: token };
  const answer = await ask(signIn, { url: new URL('/oauth2/exchange', registry), host, form, secrets: [token] });
  if (answer.status !== 200) {
    const remedy = 'Give the identity the role AcrPull on the registry; AZURE_CLIENT_ID says which identity it is.';
    throw toRefusal(signIn, answer, { who: 'the registry', wanted: 'a refresh token', secrets: [token], remedy });
  }
  const { refresh_token: identityToken } = parseJsonObject(answer.body) ?? {};
  if (!isHeaderSafe(identityToken)) throw toAnswerFault(signIn, answer, 'a refresh token');
  const endMs = readJwtEnd(identityToken);
  const endsAtMs = planRenewal({ nowMs: signIn.now(), endMs, earlyMs, usualLifeMs });
  return { credential: { username, identityToken }, endsAtMs };
}
