/** Container registries over HTTP: tags and manifests, by the OCI Distribution API. */
import type { LookupFunction } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { formatCanonical } from '../image/reference.ts';
import type { HostPace } from '../pipeline/job-ports.ts';
import type { Registry, TagListing } from '../pipeline/ports.ts';
import { createCaller, type RepositoryAccess } from './access.ts';
import { createConfiguredSource } from './credentials/configured.ts';
import type { CredentialSource } from './credentials/credential.ts';
import { createCredentialChain } from './credentials/credential-chain.ts';
import { createManifestMemory, fetchManifest } from './fetch-manifest.ts';
import type { HostSettings } from './host.ts';
import { createHttpClient } from './http.ts';
import { createHubTimes } from './hub-times.ts';
import { defaultLimits, type Limits } from './limits.ts';
import { listTags } from './list-tags.ts';
import { createPageMemory } from './page-memory.ts';
import { createPoliteExchange } from './polite-exchange.ts';
import { createWarner, type RegistryEvent } from './registry-event.ts';
import { createRetryingSend, type Send } from './retry.ts';
import { createSignedSend } from './sign-in.ts';
import { createTokenSource } from './token.ts';

/** What a source of credentials may use to speak to a token server. */
export interface SourceTools {
  readonly send: Send;
  /** Milliseconds since 1970, UTC. */
  readonly now: () => number;
  readonly limits: Limits;
}

export interface RegistryOptions {
  /** The settings of a host of image references (`docker.io`, `ghcr.io`, `localhost:5000`); asked at each call. */
  readonly hosts: (host: string) => HostSettings;
  /** Asked in this order where the host's settings have no credential; default nowhere: what everybody may pull. */
  readonly credentials?: (tools: SourceTools) => readonly CredentialSource[];
  readonly log?: (event: RegistryEvent) => void;
  /** Waits; throws the signal's reason when that ends first. */
  readonly sleep?: (waitMs: number, signal: AbortSignal) => Promise<void>;
  /** Milliseconds since 1970, UTC. */
  readonly now?: () => number;
  /** From 0 to less than 1. */
  readonly random?: () => number;
  readonly limits?: Partial<Limits>;
  /** Address of the HTTP proxy for a URL, with user and password where it wants them; default none for any. */
  readonly proxy?: (url: URL) => string | undefined;
  /** What other workers know of the hosts; default nothing. */
  readonly pace?: HostPace | undefined;
  /** Resolves the names of hosts; default the system's. */
  readonly lookup?: LookupFunction;
}

/** The options with their defaults. */
type Settled = Required<Pick<RegistryOptions, 'hosts' | 'log' | 'sleep' | 'now' | 'random'>> &
  Pick<RegistryOptions, 'pace' | 'proxy' | 'lookup'> & { readonly limits: Limits };

/** A client for every registry that `hosts` has settings for. It keeps connections and tokens until `close`. */
export function createRegistry(options: RegistryOptions): Registry & { close(): Promise<void> } {
  const { hosts, log = () => {}, sleep = waitFor, now = Date.now, random = Math.random } = options;
  const limits = { ...defaultLimits, ...options.limits };
  const { send, close } = createSend({ ...options, log, sleep, now, random, limits });
  const signedSend = createSignedSend(send, createTokenSource({ send, now, limits }));
  const credentials = createCredentialChain([
    createConfiguredSource(hosts),
    ...(options.credentials?.({ send, now, limits }) ?? []),
  ]);
  const call = createCaller({ send: signedSend, hosts, credentials, limits, onAnswer: createWarner(log) });
  const memory = createManifestMemory();
  const pages = createPageMemory();
  const hub = createHubTimes({ send, hosts, limits, now });

  /** Times are an addition: without them the tags stand, and what depends on their age waits. */
  async function askHub(
    { repository, credential, signal }: RepositoryAccess,
    tags: readonly string[],
  ): Promise<Omit<TagListing, 'tags'>> {
    const name = formatCanonical(repository);
    const about = { tags, credential, task: `list the push times of "${name}"`, signal };
    const { pushedMs, fault } = await hub.list(repository.path, about);
    if (fault === undefined) return { pushedMs };
    log({ kind: 'no-push-times', repository: name, found: fault.message, known: pushedMs.size });
    return { pushedMs, pushTimesFault: fault };
  }

  return {
    listTags: (repository, { signal, pushTimes = false }) => {
      const name = formatCanonical(repository);
      return call({ repository, task: `list the tags of "${name}"`, signal }, async (access) => {
        const { tags, dropped, pushedMs } = await listTags(access, pages);
        if (dropped > 0) log({ kind: 'dropped-tags', repository: name, count: dropped });
        const asksHub = pushTimes && repository.host === hubHost;
        return { tags, ...(asksHub ? await askHub(access, tags) : { pushedMs }) };
      });
    },
    fetchManifest: (repository, tag, { signal, platforms = false }) => {
      const name = formatCanonical({ ...repository, tag });
      const onFault = ({ message }: Error): void => log({ kind: 'no-labels', image: name, found: message });
      return call({ repository, task: `fetch the manifest of "${name}"`, signal }, (access) =>
        fetchManifest(access, tag, { memory, platforms, now, onFault }),
      );
    },
    close,
  };
}

/** From the wire up: one try, only if the host bears it, and again if it may help. */
function createSend(options: Settled): { send: Send; close(): Promise<void> } {
  const { log, limits, proxy, lookup } = options;
  const http = createHttpClient({ limits, proxy, lookup });
  const exchange = createPoliteExchange({
    ...options,
    exchange: http.exchange,
    onBudget: (host, { left, limit, windowMs }) => log({ kind: 'budget', host, left, limit, windowMs }),
    onTrouble: (host, kind, waitMs) => log({ kind, host, waitMs: Math.round(waitMs) }),
  });
  const send = createRetryingSend({
    ...options,
    exchange,
    onRetry: ({ host, task }, { waitMs }) => log({ kind: 'retry', host: host.name, task, waitMs: Math.round(waitMs) }),
  });
  return { send, close: http.close };
}

const hubHost = 'docker.io';

async function waitFor(waitMs: number, signal: AbortSignal): Promise<void> {
  try {
    await wait(waitMs, undefined, { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}
