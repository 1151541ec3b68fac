/** The Secrets that the configuration names, as they are now: a rotated one is used at once. */
import type { ErrorCode } from '../error/catalogue.ts';
import type { Problem } from '../error/problem.ts';
import { TallymanError } from '../error/tallyman-error.ts';
import type { ClusterSecret, ClusterSecrets, PullSecret, SecretRef } from '../pipeline/cluster-ports.ts';
import type { Clock } from '../pipeline/ports.ts';
import { isNameOfObject } from '../policy/object-name.ts';
import type { KubernetesApi } from './api.ts';
import { pullSecretUnusable, secretUnavailable } from './secret-unavailable.ts';
import { type NamedPlace, type WatchedByName, watchByName } from './watch-by-name.ts';
import { type ClusterObject, formatPlace } from './watch-objects.ts';

/** What is to be watched; nothing else is asked for. */
export interface SecretNeeds {
  readonly secrets: readonly SecretRef[];
  readonly pullSecrets: readonly SecretRef[];
  /** Whose `imagePullSecrets` are used too. */
  readonly serviceAccounts: readonly SecretRef[];
}

export interface SecretStoreOptions {
  readonly needs: SecretNeeds;
  readonly clock: Clock;
  /** As `ClusterOptions` has it. */
  readonly createTeller: () => (problem: Problem | undefined) => void;
}

export interface SecretStore extends ClusterSecrets {
  /** Watches until `close`. Resolves once it is known of each whether it is there, but waits no longer than `patienceMs`. */
  open(options: { patienceMs: number }): Promise<void>;
  /** Has that called after each change of what they say, in place of what was called before. */
  onChange(listener: () => void): void;
  close(): void;
}

interface SecretObject extends ClusterObject {
  readonly type?: string;
  /** In base64. */
  readonly data?: Readonly<Record<string, string>>;
}

interface AccountObject extends ClusterObject {
  readonly imagePullSecrets?: readonly { readonly name?: string }[];
}

const secretResource = { group: '', version: 'v1', plural: 'secrets' };
const accountResource = { group: '', version: 'v1', plural: 'serviceaccounts' };

/** Nothing is contacted before `open`. */
export function createSecretStore(api: KubernetesApi, { needs, clock, createTeller }: SecretStoreOptions): SecretStore {
  const secrets = new Map<string, WatchedByName<SecretObject>>();
  const accounts = new Map<string, WatchedByName<AccountObject>>();
  const tell = createStickyTeller(createTeller);
  let onSettled = () => {};
  let isOpen = false;
  let onChange = () => {};

  const locate = ({ name, namespace = api.namespace }: SecretRef): NamedPlace => ({ namespace, name });

  function onNews(): void {
    if (!isOpen) return;
    watchWanted();
    const all = [...secrets.values(), ...accounts.values()];
    tell(all.flatMap((watched) => watched.problem() ?? []));
    if (all.every(isSettled)) onSettled();
  }

  function onDifference(): void {
    onNews();
    if (isOpen) onChange();
  }

  /** Follows the service accounts: what they name now is watched, and nothing that they named before. */
  function watchWanted(): void {
    const named = [...needs.secrets, ...needs.pullSecrets].map(locate);
    const wanted = [...named, ...[...accounts.values()].flatMap(listPullPlaces)];
    const keys = new Set(wanted.map(formatPlace));
    for (const [key, watched] of [...secrets]) {
      if (keys.has(key)) continue;
      watched.stop();
      secrets.delete(key);
    }
    for (const place of wanted) {
      const key = formatPlace(place);
      if (secrets.has(key)) continue;
      secrets.set(key, watchByName(api, { resource: secretResource, place, shrink: shrinkSecret, ...watching }));
    }
  }

  const watching = { clock, onNews, onDifference };

  function readAt(place: NamedPlace): ClusterSecret {
    const watched = secrets.get(formatPlace(place));
    const object = watched?.find();
    if (object === undefined) throw secretUnavailable('Secret', place, watched);
    return toClusterSecret(place, object);
  }

  function listPlaces(ref: SecretRef): readonly NamedPlace[] {
    const place = locate(ref);
    const watched = accounts.get(formatPlace(place));
    if (watched?.find() === undefined) throw secretUnavailable('service account', place, watched);
    return listPullPlaces(watched);
  }

  return {
    readSecret: (ref) => readAt(locate(ref)),
    listPullSecrets() {
      const [named, ofAccounts] = [needs.pullSecrets.map(locate), collect(needs.serviceAccounts, listPlaces)];
      const places = new Map([...named, ...ofAccounts.found.flat()].map((place) => [formatPlace(place), place]));
      const { found, faults } = collect([...places.values()], (place) => toPullSecret(place, readAt(place)));
      return { secrets: found, faults: [...ofAccounts.faults, ...faults] };
    },
    async open({ patienceMs }) {
      isOpen = true;
      const settled = new Promise<void>((resolve) => {
        onSettled = resolve;
      });
      for (const place of needs.serviceAccounts.map(locate))
        accounts.set(
          formatPlace(place),
          watchByName(api, { resource: accountResource, place, shrink: shrinkAccount, ...watching }),
        );
      onNews();
      const waited = new AbortController();
      await Promise.race([settled, clock.sleep(patienceMs, { signal: waited.signal })]);
      waited.abort();
    },
    onChange(listener) {
      onChange = listener;
    },
    close() {
      isOpen = false;
      for (const watched of [...secrets.values(), ...accounts.values()]) watched.stop();
    },
  };
}

/** Whether waiting on is of no use: it is known, or a person has to allow it first. */
function isSettled(watched: WatchedByName<ClusterObject>): boolean {
  return watched.isKnown() || watched.problem()?.code === 'ClusterDenied';
}

function listPullPlaces(account: WatchedByName<AccountObject>): readonly NamedPlace[] {
  const { namespace } = account.place;
  const named = account.find()?.imagePullSecrets ?? [];
  // The API server looks at none of these, and another name would be more than a name to a field selector.
  return named.flatMap(({ name }) => (name !== undefined && isNameOfObject(name) ? [{ namespace, name }] : []));
}

/** What could be had, and why the rest could not. */
function collect<From, To>(
  from: readonly From[],
  read: (item: From) => To,
): { found: readonly To[]; faults: readonly TallymanError[] } {
  const found: To[] = [];
  const faults: TallymanError[] = [];
  for (const item of from) {
    try {
      found.push(read(item));
    } catch (error) {
      if (!(error instanceof TallymanError)) throw error;
      faults.push(error);
    }
  }
  return { found, faults };
}

/** One problem of each code is told until none is left of it: who cannot be reached would be told for each Secret. */
function createStickyTeller(createTeller: SecretStoreOptions['createTeller']): (problems: readonly Problem[]) => void {
  const told = new Map<ErrorCode, (problem: Problem | undefined) => void>();
  return (problems) => {
    for (const [code, tell] of [...told]) {
      if (problems.some((problem) => problem.code === code)) continue;
      tell(undefined);
      told.delete(code);
    }
    for (const problem of problems) {
      if (told.has(problem.code)) continue;
      const tell = createTeller();
      tell(problem);
      told.set(problem.code, tell);
    }
  };
}

function shrinkSecret({ metadata, type = 'Opaque', data = {} }: SecretObject): SecretObject {
  return { metadata, type, data };
}

function shrinkAccount({ metadata, imagePullSecrets = [] }: AccountObject): AccountObject {
  return { metadata, imagePullSecrets };
}

function toClusterSecret(place: NamedPlace, { type = 'Opaque', data = {} }: SecretObject): ClusterSecret {
  return {
    title: `Secret "${formatPlace(place)}"`,
    type,
    keys: Object.keys(data),
    find: (key) => (Object.hasOwn(data, key) ? Buffer.from(data[key] ?? '', 'base64').toString('utf8') : undefined),
  };
}

function toPullSecret(place: NamedPlace, { title, type, keys, find }: ClusterSecret): PullSecret {
  const text = find('.dockerconfigjson') || find('.dockercfg');
  if (text === undefined || text === '') throw pullSecretUnusable(place, { type, keys });
  return { title, text };
}
