/** What failures of Redis mean. Neither the library's nor the server's own words are passed on: they may hold a secret. */
import type { ErrorCode } from '../error/catalogue.ts';
import { TallymanError } from '../error/tallyman-error.ts';

interface Fault {
  readonly pattern: RegExp;
  readonly found: string;
  readonly remedy?: string;
}

const credentialsRemedy =
  'Correct `credentials` under `redis` in the configuration; they are read again by themselves.';

/** The first that fits counts. Sources: Redis's error prefixes, OpenSSL's and libuv's codes, ioredis 6's own messages. */
const faults: readonly Fault[] = [
  { pattern: /\bNOAUTH\b/, found: 'it asks for a password', remedy: credentialsRemedy },
  {
    pattern: /\bWRONGPASS\b|invalid password|without any password/i,
    found: 'it refuses the credentials',
    remedy: credentialsRemedy,
  },
  {
    pattern: /\bNOPERM\b/,
    found: 'its access control list does not let the user do that',
    remedy:
      'Let the user run all commands but the dangerous ones on the keys of keyPrefix: +@all -@dangerous ~{tallyman}:*',
  },
  {
    pattern: /\bOOM\b/,
    found: 'its memory is full',
    remedy: 'Raise maxmemory of Redis, or leave more of it to Tallyman; maxmemory-policy is to be noeviction.',
  },
  { pattern: /\bREADONLY\b/, found: 'it is a replica that takes no writes' },
  { pattern: /\bMISCONF\b/, found: 'it cannot save to its disk and takes no writes' },
  { pattern: /\bLOADING\b/, found: 'it is still loading its data' },
  {
    pattern: /\bCLUSTERDOWN\b|Failed to refresh slots cache|ClusterAllFailed/i,
    found: 'the cluster is down or cannot be reached',
  },
  { pattern: /All sentinels are unreachable/i, found: 'no Sentinel can be reached, or none knows the master' },
  {
    pattern: /CERT|self.signed|UNABLE_TO_(?:GET|VERIFY)|ALTNAME/i,
    found: 'its certificate is not trusted',
    remedy: 'Name the authority of its certificate as caFile under `redis` in the configuration.',
  },
  { pattern: /\b(?:EPROTO|ERR_SSL_\w+|ERR_TLS_\w+)\b/, found: 'it does not speak TLS as wanted' },
  { pattern: /\bECONNREFUSED\b/, found: 'the connection was refused' },
  { pattern: /\b(?:ENOTFOUND|EAI_AGAIN)\b/, found: 'its name cannot be resolved' },
  { pattern: /\b(?:EHOSTUNREACH|ENETUNREACH)\b/, found: 'there is no way to it' },
  { pattern: /timed? ?out/i, found: 'it does not answer' },
  { pattern: /ECONNRESET|EPIPE|Connection is closed|writeable|max retries/i, found: 'the connection was lost' },
];

/** In a few words: `the connection was refused`, and what helps, where that is known. */
export function describeRedisFault(error: unknown): Pick<Fault, 'found' | 'remedy'> {
  const text = tellAll(error, 3);
  const known = faults.find(({ pattern }) => pattern.test(text));
  if (known !== undefined) return known;
  const [prefix] = /^[A-Z]{2,20}\b/.exec(error instanceof Error ? error.message : '') ?? [];
  return { found: prefix === undefined ? 'it failed' : `it answered ${prefix}` };
}

/** The failure as it is told: with the code of what cannot go on. Errors of ours and reasons of aborts stay as they are. */
export function toRedisError(error: unknown, about: { code: ErrorCode; task: string; place: string }): TallymanError {
  if (error instanceof TallymanError) return error;
  const { found, remedy } = describeRedisFault(error);
  const message = `Cannot ${about.task} in Redis "${about.place}": ${found}, an answer was wanted`;
  return new TallymanError(about.code, message, { remedy });
}

function tellAll(error: unknown, depth: number): string {
  if (!(error instanceof Error) || depth === 0) return '';
  const { code, previousErrors, lastNodeError, cause } = error as Error & Record<string, unknown>;
  const inner = [lastNodeError, cause, ...(Array.isArray(previousErrors) ? previousErrors : [])];
  return [code, error.name, error.message, ...inner.map((each) => tellAll(each, depth - 1))].join(' ');
}
