import { TallymanError } from '../error/tallyman-error.ts';
import type { NamedPlace, WatchedByName } from './watch-by-name.ts';
import { type ClusterObject, formatPlace } from './watch-objects.ts';

/** Why there is nothing to use, and what is to be done; `watched` is undefined before the store is open. */
export function secretUnavailable(
  kind: 'Secret' | 'service account',
  place: NamedPlace,
  watched: WatchedByName<ClusterObject> | undefined,
): TallymanError {
  const problem = watched?.problem();
  const fail = (found: string, remedy: string): TallymanError => {
    const message = `Cannot use ${kind} "${formatPlace(place)}": ${found}, one that Tallyman may read was wanted`;
    return new TallymanError('SecretUnavailable', message, { remedy });
  };
  if (problem?.code === 'ClusterDenied') {
    const resource = kind === 'Secret' ? 'secrets' : 'serviceaccounts';
    return fail(
      `the API server does not allow it (${problem.message})`,
      `Let Tallyman's service account list and watch ${resource} in namespace "${place.namespace}"; a Role with resourceNames: [${place.name}] is enough.`,
    );
  }
  if (watched?.isKnown() === true) {
    return fail(
      'it is not there',
      `Create it in namespace "${place.namespace}", or correct the name in the configuration; it is used as soon as it is there.`,
    );
  }
  return fail(
    `the API server has not told it yet (${problem?.message ?? 'it did not answer in time'})`,
    "Check that the cluster's API server is reachable from here; it is tried again by itself.",
  );
}

/** A Secret that is there, but pulls nothing. Names of keys may be shown, values never. */
export function pullSecretUnusable(
  place: NamedPlace,
  { type, keys }: { readonly type: string; readonly keys: readonly string[] },
): TallymanError {
  const shown = keys.slice(0, 10).map((key) => `"${key}"`);
  const found = `its type is ${type} and it has ${shown.length === 0 ? 'no keys' : shown.join(', ')}`;
  const message = `Cannot use Secret "${formatPlace(place)}" as a pull secret: ${found}, text under ".dockerconfigjson" or ".dockercfg" was wanted`;
  return new TallymanError('SecretUnavailable', message, {
    remedy: 'Make it anew with `kubectl create secret docker-registry`, or name another one in the configuration.',
  });
}
