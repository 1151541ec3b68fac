/** Signs in to Docker Hub's web API: once for all repositories of an account. */
import { createHash } from 'node:crypto';
import { TallymanError } from '../error/tallyman-error.ts';
import { toAnswerError } from './answer-error.ts';
import { listSecrets, type UserCredential } from './credentials/credential.ts';
import { readJwtEnd } from './credentials/jwt.ts';
import { createLeases, type Lease, planRenewal } from './credentials/lease.ts';
import type { RegistryHost } from './host.ts';
import { parseJsonObject } from './json.ts';
import type { Limits } from './limits.ts';
import { rememberRecent } from './remember-recent.ts';
import type { Send } from './retry.ts';

export interface HubSignIn {
  /** The Authorization header for the account; throws RegistryDenied, RegistryUnavailable, RegistryInvalid. */
  obtain(account: HubAccount, signal: AbortSignal): Promise<string>;
  /** The API refused what was obtained. */
  drop(account: HubAccount): void;
}

export interface HubAccount {
  readonly host: RegistryHost;
  readonly user: UserCredential;
}

interface SignInOptions {
  readonly send: Send;
  readonly now: () => number;
  readonly limits: Limits;
}

const earlyMs = 60_000;
/** Tokens that do not say their end live ten minutes. */
const usualLifeMs = 10 * 60_000;
/** A wrong password is not tried again with every look: Docker Hub locks accounts out. */
const refusedMs = 10 * 60_000;
const maxRefusals = 100;

export function createHubSignIn(options: SignInOptions): HubSignIn {
  const { now } = options;
  const leases = createLeases(options);
  const refusals = new Map<string, { readonly error: TallymanError; readonly untilMs: number }>();

  async function borrow(account: HubAccount, signal: AbortSignal): Promise<Lease> {
    try {
      return await fetchToken(account, options, signal);
    } catch (error) {
      if (error instanceof TallymanError && error.code === 'RegistryDenied')
        rememberRecent(refusals, [keyOf(account), { error, untilMs: now() + refusedMs }], maxRefusals);
      throw error;
    }
  }

  return {
    obtain: async (account, signal) => {
      const key = keyOf(account);
      const refusal = refusals.get(key);
      if (refusal !== undefined && now() < refusal.untilMs) throw refusal.error;
      const about = { task: describeTask(account), signal };
      const credential = await leases.obtain(key, about, (flightSignal) => borrow(account, flightSignal));
      return credential !== undefined && 'bearerToken' in credential ? `Bearer ${credential.bearerToken}` : '';
    },
    drop: (account) => leases.drop(keyOf(account)),
  };
}

function keyOf({ host, user }: HubAccount): string {
  return createHash('sha256')
    .update(JSON.stringify([host.origin, user.username, user.password]))
    .digest('base64');
}

function describeTask({ host, user }: HubAccount): string {
  return `sign in to "${host.name}" as "${user.username}"`;
}

/** Source: Docker Hub API, "Create access token". */
async function fetchToken(
  account: HubAccount,
  { send, now, limits }: SignInOptions,
  signal: AbortSignal,
): Promise<Lease> {
  const { host, user } = account;
  const task = describeTask(account);
  const answer = await send({
    method: 'POST',
    host,
    url: new URL('/v2/auth/token', host.origin),
    accept: 'application/json',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ identifier: user.username, secret: user.password }),
    secrets: listSecrets(user),
    maxBodyBytes: limits.maxTokenBytes,
    task,
    signal,
  });
  if (answer.status !== 200) throw toAnswerError(answer, { task, credential: user });
  const bearerToken = parseJsonObject(answer.body)?.access_token;
  if (typeof bearerToken !== 'string' || !/^[\x21-\x7e]+$/.test(bearerToken)) {
    const found = 'the answer holds no token, an object with "access_token" was wanted';
    throw new TallymanError('RegistryInvalid', `Cannot ${task}: ${found}`);
  }
  const endsAtMs = planRenewal({ nowMs: now(), endMs: readJwtEnd(bearerToken), earlyMs, usualLifeMs });
  return { credential: { bearerToken }, endsAtMs };
}
