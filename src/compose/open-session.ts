import type { OpenSession, Session } from '../cli/session.ts';
import type { Cluster } from '../cluster/open-cluster.ts';
import { findLeaderElection, type KubernetesConfig } from '../config/kubernetes-schema.ts';
import { createCertificateReader } from '../config/read-certificate.ts';
import { noClusterSecrets, type SecretPlaces } from '../config/read-cluster-secret.ts';
import { readRedisAccess } from '../config/read-redis.ts';
import { readSigningKey } from '../config/read-secret.ts';
import type { RedisConfig } from '../config/redis-schema.ts';
import type { Config } from '../config/schema.ts';
import { findSecretRefs } from '../config/secret-ref-schema.ts';
import { createCommitSigner } from '../git/sign-commit.ts';
import { createLmdbLedger } from '../ledger/lmdb-ledger.ts';
import { createRegistryMeter } from '../pipeline/measure-registries.ts';
import { type Metrics, noMetrics } from '../pipeline/metrics-ports.ts';
import { findLongestPauseMs } from '../pipeline/pass-job.ts';
import { createImagePoller, type ImagePoller, type PollOptions } from '../pipeline/poll-images.ts';
import type { Log, Registry } from '../pipeline/ports.ts';
import type { Queues } from '../pipeline/run-jobs.ts';
import { createSingleTeller } from '../pipeline/tell-report.ts';
import { createEmbeddedQueue } from '../queue/embedded-queue.ts';
import type { SharedWork } from '../redis/open-shared-work.ts';
import { createSteadyClock } from '../steady-clock.ts';
import { type Measured, openMetrics } from './measured.ts';
import { openRegistry } from './open-registry.ts';
import { findStateDir, openRepo } from './open-repo.ts';
import { startServer } from './start-server.ts';
import { systemClock } from './system-clock.ts';

/** Makes the adapters that the configuration asks for. Nothing is contacted yet but the cluster, where it has secrets. */
export const openSession: OpenSession = async (config, log) => {
  const measured: Measured = { metrics: noMetrics, render: undefined };
  const telling = { log, metrics: () => measured.metrics };
  const cluster =
    typeof config.kubernetes === 'object' ? await openCluster(config, config.kubernetes, telling) : undefined;
  try {
    return await openParts(config, { log, cluster, measured });
  } catch (error) {
    cluster?.close();
    throw error;
  }
};

async function openParts(
  config: Config,
  { log, cluster, measured }: { log: Log; cluster: Cluster | undefined; measured: Measured },
): Promise<Session> {
  const places: SecretPlaces = {
    env: process.env,
    readClusterSecret: cluster === undefined ? noClusterSecrets : cluster.secrets.readSecret,
  };
  const shared = config.redis && (await openShared(config.redis, { log, places }));
  const meter = createRegistryMeter({ metrics: () => measured.metrics, clock: systemClock });
  const registry = openRegistry(config, { log, meter, pace: shared?.pace, places, cluster });
  const looks = new AbortController();
  const { signing } = config.commit;
  const sign = signing && createCommitSigner(signing.format, () => readSigningKey(signing, places));
  const ledger = shared?.ledger ?? createLmdbLedger({ stateDir: findStateDir(config), clock: systemClock });
  const permit = cluster?.leadership;
  const opened = config.repos.map((repo) => openRepo(repo, { config, registry, ledger, sign, places, permit, log }));
  return {
    repos: opened.map(({ session }) => session),
    openPoller: (options) => openPoller(config, registry, { ...options, store: shared?.answers, signal: looks.signal }),
    queues: shared?.queues ?? openQueues(),
    clock: systemClock,
    cluster,
    async openMetrics() {
      if (config.server !== undefined) Object.assign(measured, await openMetrics(meter));
      if (cluster !== undefined) measured.metrics.onScrape('events', cluster.listSamples);
      return measured.metrics;
    },
    startServer: (needs) =>
      config.server && startServer(config.server, { ...needs, ...measured, places, leadership: permit, log }),
    async tryToSign() {
      await sign?.(Buffer.alloc(0), { whenMs: systemClock.wallMs() });
    },
    async close() {
      looks.abort(new Error('the session is over'));
      await Promise.all([registry.close(), ledger.close(), ...opened.map(({ close }) => close())]);
      await shared?.close();
      cluster?.close();
    },
  };
}

/** What several workers share through Redis. Its packages are loaded only here. */
async function openShared(
  config: RedisConfig,
  { log, places }: { log: Log; places: SecretPlaces },
): Promise<SharedWork> {
  const { openSharedWork } = await import('../redis/open-shared-work.ts');
  const access = readRedisAccess(config, { places, readPem: createCertificateReader(places.readClusterSecret) });
  return openSharedWork({ ...access, log }, { clock: systemClock });
}

/** What is waited at start for the first answers about Secrets: a first pass without them would fail for nothing. */
const secretPatienceMs = 5000;

/** Its packages, which take a third of a second and some 90 MB, are loaded only here. */
async function openCluster(
  config: Config,
  kubernetes: KubernetesConfig,
  { log, metrics }: { log: Log; metrics: () => Metrics },
): Promise<Cluster> {
  const { openCluster: open } = await import('../cluster/open-cluster.ts');
  const { kubernetes: _lists, ...rest } = config;
  const { POD_NAME: name, POD_NAMESPACE: namespace, POD_UID: uid } = process.env;
  const cluster = open(kubernetes, {
    clock: systemClock,
    secretNeeds: { ...kubernetes, secrets: findSecretRefs(rest) },
    createTeller: () => createSingleTeller(log),
    metrics,
    forgetMs: 2 * findLongestPauseMs(config.intervalSeconds * 1000),
    pod: { name, namespace, uid },
    log,
    leaderElection: findLeaderElection(kubernetes, { sharesWork: config.redis !== undefined }),
    elapsedMs: createSteadyClock(undefined, { everyMs: 0 }),
  });
  await cluster.secrets.open({ patienceMs: secretPatienceMs });
  return cluster;
}

function openPoller(
  config: Config,
  registry: Registry,
  options: Pick<PollOptions, 'onLook' | 'store' | 'signal'>,
): ImagePoller {
  const intervalMs = config.intervalSeconds * 1000;
  const maxIntervalMs = Math.max(intervalMs, config.maxIntervalSeconds * 1000);
  return createImagePoller(registry, {
    intervalMs,
    maxIntervalMs,
    concurrency: config.concurrency,
    patienceMs: config.timeoutSeconds * 1000,
    refreshed: true,
    clock: systemClock,
    ...options,
  });
}

function openQueues(): Queues {
  const clock = systemClock;
  return { passes: createEmbeddedQueue({ clock }), scans: createEmbeddedQueue({ clock }) };
}
