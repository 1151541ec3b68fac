/** What the places of the configuration take from a Secret, by the keys that Kubernetes, Flux and people use. */
import { TallymanError } from '../error/tallyman-error.ts';
import type { ClusterSecret, ReadClusterSecret } from '../pipeline/cluster-ports.ts';

/** Where secrets lie besides files: variables of the process, and Secrets of the cluster. */
export interface SecretPlaces {
  readonly env: NodeJS.ProcessEnv;
  /** Throws `SecretUnavailable`. */
  readonly readClusterSecret: ReadClusterSecret;
}

/** Where there is no cluster; the configuration is checked before, so nobody asks. */
export const noClusterSecrets: ReadClusterSecret = ({ name }) => {
  throw new TallymanError('ConfigInvalid', `Cannot use Secret "${name}": \`kubernetes\` is off, a cluster was wanted`);
};

const shownKeys = 10;

/** The text under the first of the keys that the Secret has; throws `SecretUnavailable` where it has none, or nothing there. */
export function pickText(secret: ClusterSecret, keys: readonly string[]): string {
  const key = keys.find((candidate) => secret.keys.includes(candidate));
  if (key === undefined) throw unusable(secret, describeKeys(secret), keys);
  const text = secret.find(key) ?? '';
  if (text.trim() === '') throw unusable(secret, `its key "${key}" is empty`, keys);
  return text;
}

/** The same without the line break that files end with. */
export function pickLine(secret: ClusterSecret, keys: readonly string[]): string {
  return pickText(secret, keys).replace(/\r?\n$/, '');
}

/** The same; undefined where the Secret has none of the keys. */
export function findLine(secret: ClusterSecret, keys: readonly string[]): string | undefined {
  return keys.some((key) => secret.keys.includes(key)) ? pickLine(secret, keys) : undefined;
}

/** A Secret that is there, but not what was hoped for. Nothing of its values is repeated. */
export function unusable(secret: ClusterSecret, found: string, keys: readonly string[]): TallymanError {
  const wanted = keys.map((key) => `"${key}"`).join(' or ');
  return new TallymanError('SecretUnavailable', `Cannot use ${secret.title}: ${found}, ${wanted} was wanted`, {
    remedy: secret.keys.some((key) => pullKeys.includes(key))
      ? 'Name this Secret under `kubernetes.pullSecrets` in the configuration, or another one here.'
      : 'Correct the keys of the Secret, or name another one in the configuration; it is used as soon as it is in order.',
  });
}

const pullKeys: readonly string[] = ['.dockerconfigjson', '.dockercfg'];

function describeKeys({ type, keys }: ClusterSecret): string {
  if (keys.length === 0) return `it has no keys (its type is ${type})`;
  const shown = keys.slice(0, shownKeys).map((key) => `"${key}"`);
  const rest = keys.length - shown.length;
  return `it has ${shown.join(', ')}${rest > 0 ? ` and ${rest} more` : ''} (its type is ${type})`;
}
