/** The daemon: passes over each Yaml repo, looks at images, and a server that says when to make one. */
import { setFlagsFromString } from 'node:v8';
import type { Config } from '../config/schema.ts';
import { toProblem } from '../error/problem.ts';
import { createOutcomeTeller } from '../pipeline/apply-outcome.ts';
import { type AppliedWatch, createAppliedWatch } from '../pipeline/await-applied.ts';
import type { AwaitedRepo } from '../pipeline/awaited-repo.ts';
import { createMeasuring } from '../pipeline/measure-work.ts';
import type { Metrics } from '../pipeline/metrics-ports.ts';
import { findLongestPauseMs } from '../pipeline/pass-job.ts';
import type { PassObserver } from '../pipeline/pass-records.ts';
import type { Log } from '../pipeline/ports.ts';
import { createProbes } from '../pipeline/probes.ts';
import { createWorker } from '../pipeline/run-jobs.ts';
import { createStatusObserver } from '../pipeline/show-status.ts';
import { createEventObserver } from '../pipeline/tell-events.ts';
import { createProblemTeller, createSingleTeller } from '../pipeline/tell-report.ts';
import { findOwnAddress, workWhileLeading } from '../pipeline/work-while-leading.ts';
import { exitCodes, type ServerNeeds, type Session } from './session.ts';

interface WatchOptions {
  readonly config: Config;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** A pass that waits for nobody ends well in that time; one that is cut off on the way has written all or nothing. */
const drainMs = 1000;
const flushMs = 2000;
/** Deciding and editing are work for one processor; what more is under way waits for Git. */
const passConcurrency = 4;
const scanConcurrency = 64;
/** No pass takes so long. */
const minStalledMs = 30 * 60_000;

/** Resolves to an exit code once the signal aborts; at once where the server's address cannot be had. */
export async function watchRepos(session: Session, { config, log, signal }: WatchOptions): Promise<number> {
  // V8 lets garbage grow to several times of what lives, where the machine has the memory: the soak test took half as much again.
  setFlagsFromString('--heap-growing-percent=50');
  const subjects = session.repos.map(({ name }, index) => `${name} ${config.repos[index]?.branch ?? ''}`.trimEnd());
  const { clock, queues } = session;
  const metrics = await session.openMetrics();
  const measuring = createMeasuring(subjects, {
    metrics,
    clock,
    forgetMs: 2 * findLongestPauseMs(config.intervalSeconds * 1000),
    isAlone: config.redis === undefined,
  });
  const applied = watchApplied(session, { config, log, subjects, metrics });
  const poller = session.openPoller({
    onLook(topic, outcome, lookedMs) {
      measuring.onLook(topic, outcome, lookedMs);
      if (outcome === 'changed') applied?.see(topic.name);
    },
  });
  measuring.watch({ queues, tags: poller.tags });
  const repos = session.repos.map(({ name, context }, index) => {
    const branch = config.repos[index]?.branch;
    return { subject: subjects[index] ?? name, address: name, branch, context: { ...context, poller } };
  });
  const leadership = session.cluster?.leadership;
  const observers = [measuring.records, ...listTellers(session, subjects), ...(applied === undefined ? [] : [applied])];
  const worker = createWorker(repos, {
    queues,
    poller,
    clock,
    log,
    intervalMs: config.intervalSeconds * 1000,
    batchMs: config.batchSeconds * 1000,
    passConcurrency,
    scanConcurrency,
    drainMs,
    observers,
  });
  session.cluster?.onSecretChange(() => worker.tryAgain({ signal }));
  const server = await startServer(session, log, {
    onHint: (hint) => worker.takeHint(hint, { signal }),
    probes: createProbes({
      records: measuring.records,
      repoCount: repos.length,
      stalledMs: Math.max(minStalledMs, 20 * config.timeoutSeconds * 1000),
      sharedQueue: config.redis === undefined ? undefined : queues.passes,
      leadership,
    }),
  });
  if (server === 'failed') return exitCodes.usage;
  const address = findOwnAddress(server?.url, process.env.POD_IP);
  const work = async (given: { signal: AbortSignal }): Promise<void> => {
    await Promise.all([worker.run(given), applied?.run(given)]);
  };
  const leading = { work, queues, subjects, metrics, address, signal, observers };
  try {
    await Promise.all([
      leadership === undefined ? work({ signal }) : workWhileLeading(leadership, leading),
      session.cluster?.run({ signal }),
    ]);
    // What the last passes did is told, too.
    await session.cluster?.flush({ signal: AbortSignal.timeout(flushMs) });
  } finally {
    await server?.close();
  }
  log.info({}, 'stopped');
  return exitCodes.ok;
}

/** Who tells a cluster of each pass. */
function listTellers({ cluster, repos }: Session, subjects: readonly string[]): readonly PassObserver[] {
  const sources = repos.map(({ formatCommitUrl }, index) => ({ subject: subjects[index] ?? '', formatCommitUrl }));
  return [
    ...(cluster?.status === undefined ? [] : [createStatusObserver(cluster.status, subjects)]),
    ...(cluster?.events === undefined ? [] : [createEventObserver(cluster.events, sources)]),
  ];
}

interface WatchedWork {
  readonly config: Config;
  readonly log: Log;
  readonly subjects: readonly string[];
  readonly metrics: Metrics;
}

/** Who waits for what is committed to be applied; undefined where nothing in a cluster is looked at for that. */
function watchApplied(
  { cluster, clock, repos }: Session,
  { config, log, subjects, metrics }: WatchedWork,
): AppliedWatch | undefined {
  const { kubernetes } = config;
  if (cluster?.reconcilers === undefined || typeof kubernetes !== 'object') return undefined;
  const awaited = repos.map(({ context }, index): AwaitedRepo => {
    const { url, branch, reconcilers: named = [] } = config.repos[index] ?? {};
    const isDefault = branch === undefined ? true : undefined;
    return { subject: subjects[index] ?? '', url, isDefault, named, repo: context.repo };
  });
  return createAppliedWatch(awaited, {
    reconcilers: cluster.reconcilers,
    clock,
    timeoutMs: kubernetes.reconcilers.timeoutSeconds * 1000,
    metrics,
    tell: createOutcomeTeller({ log, metrics, events: cluster.events }),
    createTeller: () => createSingleTeller(log),
    isAlone: config.redis === undefined,
  });
}

async function startServer(session: Session, log: Log, needs: ServerNeeds) {
  try {
    return await session.startServer(needs);
  } catch (error) {
    createProblemTeller(log).tell([toProblem(error)]);
    return 'failed';
  }
}
