/** From a registry's webhook to the moved ref, and scans in a second: one process with its own queue, and workers that share Redis. */
import { createHmac } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { startManyImages } from '../faults/many-images.ts';
import { startWorker, type WorkerProcess } from '../faults/worker-process.ts';
import { makeBareRepo } from '../services/git-server.ts';
import { startRedis, type TestRedis } from '../services/redis.ts';
import { findFreePort } from '../services/server-process.ts';
import type { BenchResult, Row } from './figures.ts';
import { indexOfFile, makeFiles } from './manifests.ts';
import { type BenchServers, startServers } from './servers.ts';

const size = { fileCount: 5000, policyCount: 500 };
const iterations = 30;
const warmUps = 5;
const secret = 'only for this bench';
const scanMs = 10_000;

/** With the built program: `npm run build` comes first. */
export async function benchJobs(): Promise<BenchResult> {
  const rows: Row[] = [];
  const notes: string[] = [];
  for (const { name, workers, shared } of [
    { name: 'embedded', workers: 1, shared: false },
    { name: 'Redis, 1 worker', workers: 1, shared: true },
    { name: 'Redis, 2 workers', workers: 2, shared: true },
    { name: 'Redis, 4 workers', workers: 4, shared: true },
  ]) {
    const root = mkdtempSync(join(tmpdir(), 'tallyman-bench-jobs-'));
    const servers = await startServers(root);
    const redis = shared ? await startRedis() : undefined;
    try {
      rows.push({
        name: `${name}: webhook to ref moved`,
        samplesMs: await measureWebhooks({ root, servers, redis, workers }),
      });
      const scans = await measureScans({ root, servers, redis, workers });
      notes.push(`${name}: ${scans.toFixed(0)} scans a second, where each image is to be looked at every second.`);
    } finally {
      await Promise.all([servers.close(), redis?.close()]);
      rmSync(root, { recursive: true, force: true });
    }
  }
  return {
    title: 'the daemon as processes of its own, 500 policies in 5,000 files',
    notes: [
      'From the delivery of a webhook (batchSeconds 0) to the ref on the Git server, all on loopback and the same cores.',
      'The figures of one process without a queue are in the bench "pass".',
      ...notes,
    ],
    rows,
  };
}

interface Setup {
  readonly root: string;
  readonly servers: BenchServers;
  readonly redis: TestRedis | undefined;
  readonly workers: number;
}

interface Daemons {
  readonly workers: readonly WorkerProcess[];
  readonly ports: readonly number[];
  /** The file that holds the watched branch's commit. */
  readonly ref: string;
}

async function startDaemons(
  { root, servers, redis, workers: count }: Setup,
  { name, prefix, intervalSeconds }: { name: string; prefix: string; intervalSeconds: number },
): Promise<Daemons> {
  const bare = makeBareRepo(join(root, `${name}.git`), makeFiles(prefix, size));
  const workers: WorkerProcess[] = [];
  const ports: number[] = [];
  for (let index = 0; index < count; index += 1) {
    const port = await findFreePort();
    const config = join(root, `${name}-${index}.json`);
    const stateDir = join(root, `${name}-state-${index}`);
    const settings = {
      repos: [{ url: servers.gitUrl(`${name}.git`), branch: 'main' }],
      stateDir,
      intervalSeconds,
      maxIntervalSeconds: intervalSeconds,
      batchSeconds: 0,
      credentialSources: [],
      log: { level: 'warn', format: 'json' },
      server: {
        listen: `127.0.0.1:${port}`,
        webhooks: [{ name: 'push', format: 'generic', secretEnv: 'BENCH_SECRET' }],
      },
      ...(redis !== undefined && { redis: { url: `redis://${redis.host}:${redis.port}`, keyPrefix: name } }),
    };
    writeFileSync(config, JSON.stringify(settings));
    const logFile = join(root, `${name}-${index}.log`);
    workers.push(startWorker({ config, stateDir, logFile, env: { BENCH_SECRET: secret } }));
    ports.push(port);
  }
  for (const port of ports) await waitUntilReady(port);
  return { workers, ports, ref: join(bare, 'refs/heads/main') };
}

async function waitUntilReady(port: number): Promise<void> {
  for (let tries = 0; tries < 600; tries += 1) {
    const answer = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => undefined);
    if (answer?.status === 200) return;
    await wait(100);
  }
  throw new Error('The daemon did not become ready within a minute');
}

async function measureWebhooks(setup: Setup): Promise<number[]> {
  const { servers } = setup;
  const name = 'hooked';
  const images = Array.from({ length: size.policyCount }, (_, policy) => `${name}/app-${indexOfFile(policy, size)}`);
  await servers.publish(images.map((image) => `${image}:1.0.0`));
  const daemons = await startDaemons(setup, { name, prefix: `${servers.host}/${name}`, intervalSeconds: 3600 });
  const samples: number[] = [];
  try {
    for (let index = 0; index < iterations + warmUps; index += 1) {
      const image = images[index % images.length] ?? '';
      await servers.publish([`${image}:1.0.${index + 1}`]);
      const before = readFileSync(daemons.ref, 'utf8');
      const port = daemons.ports[index % daemons.ports.length] ?? 0;
      const startMs = performance.now();
      await deliver(port, JSON.stringify({ image: `${servers.host}/${image}` }));
      while (readFileSync(daemons.ref, 'utf8') === before) {
        if (performance.now() - startMs > 60_000) throw new Error('The ref did not move within a minute');
        await wait(2);
      }
      if (index >= warmUps) samples.push(performance.now() - startMs);
      await wait(100);
    }
  } finally {
    for (const worker of daemons.workers) await worker.kill();
  }
  return samples;
}

async function deliver(port: number, body: string): Promise<void> {
  const signature = createHmac('sha256', secret).update(body).digest('hex');
  const headers = { 'content-type': 'application/json', 'x-signature-256': `sha256=${signature}` };
  const answer = await fetch(`http://127.0.0.1:${port}/webhooks/push`, { method: 'POST', headers, body });
  const text = await answer.text();
  if (!text.includes('accepted')) throw new Error(`The webhook answered ${answer.status}: ${text}`);
}

/** Images that are looked at in a second, where each is to be looked at every second. */
async function measureScans(setup: Setup): Promise<number> {
  const registry = await startManyImages();
  const where = { name: 'scanned', prefix: `${registry.host}/acme`, intervalSeconds: 1 };
  const daemons = await startDaemons(setup, where);
  try {
    await wait(scanMs / 2);
    const [before, startMs] = [registry.lists(), performance.now()];
    await wait(scanMs);
    return ((registry.lists() - before) * 1000) / (performance.now() - startMs);
  } finally {
    for (const worker of daemons.workers) await worker.kill();
  }
}
