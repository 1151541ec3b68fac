/** Container registries over HTTP: tags and manifests, by the OCI Distribution API. */
import type { LookupFunction } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { TallymanError } from '../error/tallyman-error.ts';
import { formatCanonical } from '../image/reference.ts';
import type { Registry } from '../pipeline/ports.ts';
import { createCaller, type RepositoryAccess } from './access.ts';
import { createConfiguredSource } from './credentials/configured.ts';
import type { CredentialSource } from './credentials/credential.ts';
import { createCredentialChain } from './credentials/credential-chain.ts';
import { createManifestMemory, fetchManifest } from './fetch-manifest.ts';
import type { HostSettings } from './host.ts';
import { createHttpClient, type HttpAnswer } from './http.ts';
import { createHubTimes } from './hub-times.ts';
import { defaultLimits, type Limits } from './limits.ts';
import { listTags } from './list-tags.ts';
import { createPageMemory } from './page-memory.ts';
import { createPoliteExchange } from './polite-exchange.ts';
import { createRetryingSend, type Send } from './retry.ts';
import { createSignedSend } from './sign-in.ts';
import { createTokenSource } from './token.ts';

/** Something to know that is no failure. `warning` is the registry's own text, made safe to show, told once. */
export type RegistryEvent =
  | { readonly kind: 'retry'; readonly host: string; readonly task: string; readonly waitMs: number }
  | {
      readonly kind: 'budget';
      readonly host: string;
      /** Pulls left of `limit` in the window. */
      readonly left: number;
      readonly limit: number | undefined;
      readonly windowMs: number;
    }
  | { readonly kind: 'dropped-tags'; readonly repository: string; readonly count: number }
  /** The image's labels cannot be read; `found` is the message of the error. */
  | { readonly kind: 'no-labels'; readonly image: string; readonly found: string }
  /** Docker Hub's API does not tell when the tags were pushed. */
  | { readonly kind: 'no-push-times'; readonly repository: string; readonly found: string }
  | { readonly kind: 'warning'; readonly host: string; readonly text: string };

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
  /** Resolves the names of hosts; default the system's. */
  readonly lookup?: LookupFunction;
}

/** A client for every registry that `hosts` has settings for. It keeps connections and tokens until `close`. */
export function createRegistry(options: RegistryOptions): Registry & { close(): Promise<void> } {
  const { hosts, log = () => {}, sleep = waitFor, now = Date.now, random = Math.random } = options;
  const limits = { ...defaultLimits, ...options.limits };
  const http = createHttpClient({ limits, proxy: options.proxy, lookup: options.lookup });
  const exchange = createPoliteExchange({
    exchange: http.exchange,
    limits,
    now,
    random,
    sleep,
    onBudget: (host, { left, limit, windowMs }) => log({ kind: 'budget', host, left, limit, windowMs }),
  });
  const send = createRetryingSend({
    exchange,
    limits,
    now,
    random,
    sleep,
    onRetry: ({ host, task }, { waitMs }) => log({ kind: 'retry', host: host.name, task, waitMs: Math.round(waitMs) }),
  });
  const signedSend = createSignedSend(send, createTokenSource({ send, now, limits }));
  const credentials = createCredentialChain([
    createConfiguredSource(hosts),
    ...(options.credentials?.({ send, now, limits }) ?? []),
  ]);
  const call = createCaller({ send: signedSend, hosts, credentials, limits, onAnswer: createWarner(log) });
  const memory = createManifestMemory();
  const pages = createPageMemory();
  const hub = createHubTimes({ send, hosts, limits });

  /** Times are an addition: without them the tags stand, and what depends on their age waits. */
  async function askHub({ repository, credential, signal }: RepositoryAccess): Promise<ReadonlyMap<string, number>> {
    const name = formatCanonical(repository);
    try {
      return await hub.list(repository.path, { credential, task: `list the push times of "${name}"`, signal });
    } catch (error) {
      if (!(error instanceof TallymanError)) throw error;
      log({ kind: 'no-push-times', repository: name, found: error.message });
      return new Map();
    }
  }

  return {
    listTags: (repository, { signal, pushTimes = false }) => {
      const name = formatCanonical(repository);
      return call({ repository, task: `list the tags of "${name}"`, signal }, async (access) => {
        const { tags, dropped, pushedMs } = await listTags(access, pages);
        if (dropped > 0) log({ kind: 'dropped-tags', repository: name, count: dropped });
        const asksHub = pushTimes && repository.host === hubHost;
        return { tags, pushedMs: asksHub ? await askHub(access) : pushedMs };
      });
    },
    fetchManifest: (repository, tag, { signal, platforms = false }) => {
      const name = formatCanonical({ ...repository, tag });
      const onFault = ({ message }: Error): void => log({ kind: 'no-labels', image: name, found: message });
      return call({ repository, task: `fetch the manifest of "${name}"`, signal }, (access) =>
        fetchManifest(access, tag, { memory, platforms, onFault }),
      );
    },
    close: http.close,
  };
}

const hubHost = 'docker.io';
/** Most different warnings remembered, so that each is told once. */
const maxWarnings = 500;

function createWarner(log: (event: RegistryEvent) => void): (host: string, answer: HttpAnswer) => void {
  const told = new Set<string>();
  return (host, { warning }) => {
    if (warning === undefined || told.size >= maxWarnings || told.has(`${host} ${warning}`)) return;
    told.add(`${host} ${warning}`);
    log({ kind: 'warning', host, text: warning });
  };
}

async function waitFor(waitMs: number, signal: AbortSignal): Promise<void> {
  try {
    await wait(waitMs, undefined, { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}
