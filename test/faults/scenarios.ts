/** What goes wrong while versions are published, and how it is put right. */
import type { ServerResponse } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import type { Scene, SceneOptions } from './scene.ts';

export interface Scenario {
  readonly name: string;
  readonly scene: SceneOptions;
  /** Publishes `count` versions while it does harm; all is well again when it resolves. */
  run(scene: Scene, count: number): Promise<Readonly<Record<string, number>>>;
}

const alone = { appCount: 20, workers: 1, redis: false };
const shared = { appCount: 20, workers: 3, redis: true };
const jumping = { nodeArgs: ['--import', './test/faults/jumping-clock.mjs'] };
/** Between two versions. */
const pauseMs = 40;

export const scenarios: readonly Scenario[] = [
  { name: 'one process, killed at random', scene: alone, run: killAtRandom },
  { name: 'three workers, killed at random', scene: shared, run: killAtRandom },
  { name: 'three workers, one frozen at a time', scene: shared, run: freezeAtRandom },
  { name: 'Redis killed and started empty', scene: shared, run: killRedis },
  { name: 'Redis unreachable for a minute', scene: shared, run: freezeRedis },
  { name: 'Redis flushed', scene: shared, run: flushRedis },
  { name: 'registry: storms of 429, 500 and silence', scene: alone, run: stormRegistry },
  { name: 'three workers, and storms of the registry', scene: shared, run: stormRegistry },
  { name: 'Git server: down, slow and refusing', scene: alone, run: troubleGit },
  { name: 'disk full', scene: { ...alone, smallDisk: true }, run: fillDisk },
  {
    name: 'clock jumps',
    scene: { ...alone, ...jumping, ages: false },
    run: justPublish,
  },
  { name: 'three workers whose clocks jump', scene: { ...shared, ...jumping }, run: justPublish },
];

async function justPublish(scene: Scene, count: number) {
  await scene.publish(count, pauseMs);
  return {};
}

async function killAtRandom(scene: Scene, count: number) {
  let kills = 0;
  const publishing = scene.publish(count, pauseMs);
  await whileUnderWay(publishing, async () => {
    await wait(200 + Math.random() * 2500);
    const worker = scene.workers[Math.floor(Math.random() * scene.workers.length)];
    await worker?.kill();
    worker?.start();
    kills += 1;
  });
  return { kills };
}

async function freezeAtRandom(scene: Scene, count: number) {
  let freezes = 0;
  await whileUnderWay(scene.publish(count, pauseMs), async () => {
    const worker = scene.workers[Math.floor(Math.random() * scene.workers.length)];
    worker?.freeze(true);
    // Longer than a lock lasts: others take its jobs over, and it goes on as if nothing had been.
    await wait(20_000);
    worker?.freeze(false);
    freezes += 1;
    await wait(3000);
  });
  return { freezes };
}

async function killRedis(scene: Scene, count: number) {
  let restarts = 0;
  await whileUnderWay(scene.publish(count, pauseMs), async () => {
    await wait(3000 + Math.random() * 3000);
    await scene.redis?.kill();
    await wait(Math.random() * 2000);
    await scene.redis?.start();
    restarts += 1;
  });
  return { restarts };
}

async function freezeRedis(scene: Scene, count: number) {
  const publishing = scene.publish(count, pauseMs);
  await wait(3000);
  scene.redis?.freeze(true);
  await wait(60_000);
  scene.redis?.freeze(false);
  await publishing;
  return { secondsAway: 60 };
}

async function flushRedis(scene: Scene, count: number) {
  let flushes = 0;
  await whileUnderWay(scene.publish(count, pauseMs), async () => {
    await wait(1000 + Math.random() * 4000);
    await scene.redis?.client.flushall();
    flushes += 1;
  });
  return { flushes };
}

async function stormRegistry(scene: Scene, count: number) {
  const storms: readonly ((response: ServerResponse) => void)[] = [
    (response) => void response.writeHead(429, { 'retry-after': '1' }).end(),
    (response) => void response.writeHead(500).end('no'),
    (response) => void response.destroy(),
    () => undefined,
  ];
  let refused = 0;
  await whileUnderWay(scene.publish(count, pauseMs), async () => {
    for (const storm of storms) {
      scene.registryFault = (_request, response) => {
        if (Math.random() < 0.3) return false;
        refused += 1;
        storm(response);
        return true;
      };
      await wait(2000);
      scene.registryFault = undefined;
      await wait(1000);
    }
  });
  return { refused };
}

async function troubleGit(scene: Scene, count: number) {
  let troubled = 0;
  await whileUnderWay(scene.publish(count, pauseMs), async () => {
    const troubles: readonly NonNullable<Scene['git']['intercept']>[] = [
      (_request, response) => Boolean(response.writeHead(503).end()),
      (_request, _response, serve) => Boolean(setTimeout(serve, 1500)),
      (request, response, serve) => {
        // The push lands, and its answer is lost.
        if (request.method !== 'POST' || !request.url?.endsWith('git-receive-pack')) return false;
        Object.assign(response, { write: () => true, end: () => response.destroy(), writeHead: () => response });
        void serve();
        return true;
      },
    ];
    for (const trouble of troubles) {
      scene.git.intercept = (...request) => {
        troubled += 1;
        return trouble(...request);
      };
      await wait(3000);
      scene.git.intercept = undefined;
      await wait(1500);
    }
  });
  return { troubled };
}

async function fillDisk(scene: Scene, count: number) {
  let times = 0;
  await whileUnderWay(scene.publish(count, pauseMs), async () => {
    await wait(1000);
    for (const worker of scene.workers) worker.fillDisk(true);
    times += 1;
    await wait(4000);
    for (const worker of scene.workers) worker.fillDisk(false);
    await wait(2000);
  });
  return { times };
}

/** Does the harm again and again until the work is done. */
async function whileUnderWay(work: Promise<void>, harm: () => Promise<void>): Promise<void> {
  let isDone = false;
  const finished = work.finally(() => {
    isDone = true;
  });
  while (!isDone) await harm();
  await finished;
}
