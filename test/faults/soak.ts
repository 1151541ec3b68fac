/**
 * Runs the built daemon over 2,000 image repositories of 500 tags and as many policies, half of them with an age, while tags
 * appear, and prints its memory and how long it took from a tag to its commit. `npm run test:soak`, SOAK_MINUTES (10). Fails
 * above 300 MB, and where the last third of the time begins with more than the middle one, by a tenth and 10 MB.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { makeFiles } from '../bench/manifests.ts';
import { makeBareRepo, runGitAsync, startGitServer } from '../services/git-server.ts';
import { startManyImages } from './many-images.ts';
import { startWorker } from './worker-process.ts';

const policyCount = 2000;
const minutes = Number(process.env.SOAK_MINUTES ?? 10);
const maxMb = 300;
const minimumAge = '20s';
const sampleMs = 5000;
const publishMs = 500;

const say = (text: string) => process.stdout.write(`${text}\n`);
const percentile = (sorted: readonly number[], share: number) => sorted[Math.floor((sorted.length - 1) * share)] ?? 0;

const folder = mkdtempSync(join(tmpdir(), 'tallyman-soak-'));
mkdirSync(join(folder, 'served'));
const registry = await startManyImages();
const git = await startGitServer({ root: join(folder, 'served') });
const bare = makeBareRepo(
  join(folder, 'served', 'deploy.git'),
  makeFiles(`${registry.host}/acme`, { fileCount: policyCount, policyCount, minimumAge }),
);
const config = join(folder, 'config.json');
const settings = {
  repos: [{ url: git.url('deploy.git'), branch: 'main' }],
  stateDir: join(folder, 'state'),
  intervalSeconds: 10,
  maxIntervalSeconds: 30,
  credentialSources: [],
  log: { level: 'info', format: 'json' },
};
writeFileSync(config, JSON.stringify(settings));
const worker = startWorker({ config, stateDir: settings.stateDir, logFile: join(folder, 'log') });
const published = new Map<string, number>();
/** Of policies without an age, and with one. */
const latencies: [free: number[], aged: number[]] = [[], []];
const samples: { minute: number; mb: number }[] = [];
const startMs = performance.now();
const endMs = startMs + minutes * 60_000;
let seen = await runGitAsync(bare, ['rev-parse', 'main']);

async function readCommits(): Promise<void> {
  const log = await runGitAsync(bare, ['log', '--format=%B', `${seen}..main`]);
  seen = await runGitAsync(bare, ['rev-parse', 'main']);
  const nowMs = performance.now();
  for (const [, app, version] of log.matchAll(/^Tallyman-Update: bench\/app-(\d+) \S+ \S+ -> (\S+)$/gm)) {
    const atMs = published.get(`${app} ${version}`);
    if (atMs !== undefined) latencies[Number(app) % 2 === 0 ? 0 : 1].push(nowMs - atMs);
  }
}

async function publishForever(): Promise<void> {
  while (performance.now() < endMs) {
    const app = Math.floor(Math.random() * policyCount);
    published.set(`${app} ${registry.publish(app)}`, performance.now());
    await wait(publishMs);
  }
}

try {
  const publishing = publishForever();
  while (performance.now() < endMs) {
    await wait(sampleMs);
    await readCommits();
    samples.push({ minute: Math.floor((performance.now() - startMs) / 60_000), mb: worker.rssKb() / 1024 });
  }
  await publishing;
  for (const minute of new Set(samples.map((sample) => sample.minute))) {
    const inMinute = samples.filter((sample) => sample.minute === minute).map(({ mb }) => mb);
    const [low, high] = [Math.min(...inMinute), Math.max(...inMinute)].map((mb) => mb.toFixed(0));
    say(`minute ${minute}: ${low} to ${high} MB`);
  }
  const committed = latencies[0].length + latencies[1].length;
  say(`${published.size} tags published, ${committed} of them committed so far (an older one may be overtaken)`);
  for (const [name, all] of [
    ['without an age', latencies[0]],
    [`with minimumAge ${minimumAge}`, latencies[1]],
  ] as const) {
    const sorted = all.toSorted((a, b) => a - b);
    const seconds = (share: number) => (percentile(sorted, share) / 1000).toFixed(1);
    say(
      `tag to commit ${name}, polled every 10 to 30 s: p50 ${seconds(0.5)} s, p99 ${seconds(0.99)} s, seen within ${sampleMs / 1000} s`,
    );
  }
  say(
    `${registry.requests()} requests to the registry, ${((registry.requests() * 1000) / (performance.now() - startMs)).toFixed(0)} a second`,
  );
  const peak = Math.max(...samples.map(({ mb }) => mb));
  say(`peak ${peak.toFixed(0)} MB (bar ${maxMb})`);
  const [middle, last] = [1, 2].map((third) => {
    const [from, to] = [third, third + 1].map((part) => Math.floor((samples.length * part) / 3));
    return Math.min(...samples.slice(from, to).map(({ mb }) => mb));
  }) as [number, number];
  say(`least in the middle third ${middle.toFixed(0)} MB, in the last one ${last.toFixed(0)} MB`);
  const isFlat = last <= 1.1 * middle + 10;
  if (peak > maxMb || !isFlat || latencies.some((all) => all.length === 0)) process.exitCode = 1;
} finally {
  await worker.kill();
  await git.close();
  rmSync(folder, { recursive: true, force: true });
}
