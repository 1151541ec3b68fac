/** How long it takes to list the tags of many repositories, and what that costs in processor time and memory. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { mapConcurrent } from '../../src/pipeline/map-concurrent.ts';
import { createImagePoller } from '../../src/pipeline/poll-images.ts';
import { createRegistry } from '../../src/registry/create-registry.ts';
import type { BenchResult } from './figures.ts';

const rounds = 12;
const speed = { repositories: 500, tags: 200 };
const memory = { repositories: 5000, tags: 1000 };
const { signal } = new AbortController();

interface Load {
  readonly repositories: number;
  readonly tags: number;
}

/** One round of a process of its own. */
interface Round {
  readonly wallMs: number;
  readonly cpuMs: number;
}

/** What the listing process answers with. */
interface Report {
  readonly rounds: readonly Round[];
  readonly peakMb: number;
}

/** 500 repositories of 200 tags against the clock; 5,000 of 1,000, kept as the daemon keeps them, against memory. */
export async function benchList(): Promise<BenchResult> {
  const server = start('serve');
  try {
    const host = await nextMessage<string>(server);
    const bare = await measure('bare', host, speed, rounds);
    const listed = await measure('list', host, speed, rounds);
    const kept = await measure('list', host, memory, 1);
    const warm = listed.rounds.slice(1);
    const [first] = listed.rounds;
    const ms = (samples: readonly Round[], key: keyof Round) => samples.map((round) => round[key]);
    return {
      title: `${speed.repositories} repositories of ${speed.tags} tags listed on loopback`,
      notes: [
        'The registry (one prepared answer) runs in another process on the same cores; each round uses a new client.',
        `${memory.repositories} repositories of ${memory.tags} tags, listed and kept: ${((kept.rounds[0]?.wallMs ?? 0) / 1000).toFixed(1)} s, peak memory of the whole process ${kept.peakMb} MB (bar 256).`,
      ],
      rows: [
        { name: 'first round of a process, wall time', samplesMs: [first?.wallMs ?? 0], barMs: 1000 },
        { name: 'first round of a process, processor time', samplesMs: [first?.cpuMs ?? 0], barMs: 500 },
        { name: 'later rounds, wall time', samplesMs: ms(warm, 'wallMs'), barMs: 1000 },
        { name: 'later rounds, processor time', samplesMs: ms(warm, 'cpuMs'), barMs: 500 },
        { name: 'bare HTTP and JSON, later rounds, wall time', samplesMs: ms(bare.rounds.slice(1), 'wallMs') },
        { name: 'bare HTTP and JSON, later rounds, processor time', samplesMs: ms(bare.rounds.slice(1), 'cpuMs') },
      ],
    };
  } finally {
    server.disconnect();
    await once(server, 'exit');
  }
}

function start(...args: readonly string[]): ChildProcess {
  return fork(fileURLToPath(import.meta.url), args, { execArgv: ['--import', 'tsx'] });
}

async function nextMessage<Message>(child: ChildProcess): Promise<Message> {
  const fail = once(child, 'exit').then(() => Promise.reject(new Error('Cannot go on: the process ended')));
  const [message] = await Promise.race([once(child, 'message'), fail]);
  return message as Message;
}

async function measure(kind: 'list' | 'bare', host: string, load: Load, times: number): Promise<Report> {
  const child = start(kind, host, `${load.repositories}`, `${load.tags}`, `${times}`);
  return nextMessage<Report>(child);
}

/** Every repository named `/r<number>-<tags>` has that many tags. */
async function serve(): Promise<void> {
  const { createServer } = await import('node:http');
  const bodies = new Map<number, Buffer>();
  const bodyOf = (count: number): Buffer => {
    const tags = Array.from({ length: count }, (_, index) => `1.${Math.floor(index / 100)}.${index % 100}`).sort();
    const body = bodies.get(count) ?? Buffer.from(JSON.stringify({ name: 'acme/web', tags }));
    bodies.set(count, body);
    return body;
  };
  for (const count of [speed.tags, memory.tags]) bodyOf(count);
  const server = createServer(({ url = '' }, response) => {
    const body = bodies.get(Number(/-(\d+)\/tags\/list/.exec(url)?.[1])) ?? Buffer.from('{}');
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length }).end(body);
  });
  server.listen(0, '127.0.0.1', () => {
    const address = server.address();
    process.send?.(`127.0.0.1:${typeof address === 'object' ? address?.port : ''}`);
  });
  process.once('disconnect', () => {
    server.closeAllConnections();
    server.close();
  });
}

async function listAll(host: string, load: Load): Promise<void> {
  const registry = createRegistry({ hosts: () => ({}) });
  const poller = createImagePoller(registry, {
    intervalMs: 60_000,
    maxIntervalMs: 300_000,
    concurrency: 8,
    clock: { nowMs: Date.now, wallMs: Date.now, random: Math.random, sleep: async () => undefined },
    signal,
  });
  let tags = 0;
  const paths = Array.from({ length: load.repositories }, (_, index) => `r${index}-${load.tags}`);
  await mapConcurrent(paths, 8, async (path) => {
    const answer = await poller.tags.look({ repository: { host, path }, pushTimes: false });
    if ('value' in answer) tags += answer.value.names.split('\n').length;
  });
  if (tags !== load.repositories * load.tags) throw new Error(`${tags} tags were listed`);
  await registry.close();
}

/** The same requests with nothing around them. */
async function listBare(host: string, load: Load): Promise<void> {
  const { request, Agent } = await import('undici');
  const dispatcher = new Agent({ connections: 8 });
  let tags = 0;
  await Promise.all(
    Array.from({ length: load.repositories }, async (_, index) => {
      const { body } = await request(`http://${host}/v2/r${index}-${load.tags}/tags/list?n=1000`, { dispatcher });
      tags += ((await body.json()) as { tags: string[] }).tags.length;
    }),
  );
  if (tags !== load.repositories * load.tags) throw new Error(`${tags} tags were listed`);
  await dispatcher.close();
}

async function run(kind: string, host: string, load: Load, times: number): Promise<void> {
  const samples: Round[] = [];
  for (let round = 0; round < times; round += 1) {
    const before = process.cpuUsage();
    const startMs = performance.now();
    await (kind === 'list' ? listAll(host, load) : listBare(host, load));
    const { user, system } = process.cpuUsage(before);
    samples.push({ wallMs: performance.now() - startMs, cpuMs: (user + system) / 1000 });
  }
  const peakKb = Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
  process.send?.({ rounds: samples, peakMb: Math.round(peakKb / 1024) });
  process.disconnect?.();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [kind = '', host = '', repositories, tags, times] = process.argv.slice(2);
  if (kind === 'serve') await serve();
  else await run(kind, host, { repositories: Number(repositories), tags: Number(tags) }, Number(times));
}
