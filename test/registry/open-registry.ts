/** A registry in memory and a client of it for one test; both end with the test. */
import type { ServerResponse } from 'node:http';
import type { TestContext } from 'node:test';
import type { ImageRepository } from '../../src/image/reference.ts';
import { createRegistry, type RegistryOptions } from '../../src/registry/create-registry.ts';
import type { HostSettings } from '../../src/registry/host.ts';
import type { RegistryEvent } from '../../src/registry/registry-event.ts';
import { type RegistryServer, type RegistryServerOptions, startRegistryServer } from '../services/registry-server.ts';

interface OpenOptions extends Partial<RegistryOptions> {
  readonly server?: RegistryServerOptions;
  /** Of every host; default none. */
  readonly settings?: HostSettings;
}

export interface OpenRegistry {
  readonly server: RegistryServer;
  readonly client: ReturnType<typeof createRegistry>;
  /** `acme/web` on the server. */
  readonly repository: ImageRepository;
  /** What the client wanted to sleep, in milliseconds; it never does. */
  readonly waits: readonly number[];
  readonly events: readonly RegistryEvent[];
  readonly signal: AbortSignal;
  /** `tags/list` requests as `<path>?<query>` */
  listings(): readonly string[];
}

export async function openRegistry(context: TestContext, options: OpenOptions = {}): Promise<OpenRegistry> {
  const { server: serverOptions, settings, ...registryOptions } = options;
  const server = await startRegistryServer(serverOptions);
  const waits: number[] = [];
  const events: RegistryEvent[] = [];
  // Nobody sleeps, but the time passes.
  let sleptMs = 0;
  const client = createRegistry({
    hosts: () => settings ?? {},
    log: (event) => events.push(event),
    sleep: async (waitMs) => {
      waits.push(waitMs);
      sleptMs += waitMs;
    },
    now: () => Date.now() + sleptMs,
    random: () => 0,
    ...registryOptions,
  });
  context.after(async () => {
    await client.close();
    await server.close();
  });
  return {
    server,
    client,
    repository: { host: server.host, path: 'acme/web' },
    waits,
    events,
    signal: new AbortController().signal,
    listings: () => server.requests.map(({ url }) => url).filter((url) => url.includes('/tags/list')),
  };
}

/** Answers with JSON. */
export function sendJson(
  response: ServerResponse,
  value: unknown,
  about: { status?: number; headers?: Record<string, string | string[]> } = {},
): true {
  response.writeHead(about.status ?? 200, { 'content-type': 'application/json', ...about.headers });
  response.end(JSON.stringify(value));
  return true;
}

/** `count` tags in lexical order: `t0001`, `t0002`, … */
export function makeTags(count: number, from = 1): string[] {
  return Array.from({ length: count }, (_, index) => `t${String(index + from).padStart(4, '0')}`);
}
