/** Puts the program together: the only file that knows every adapter. */
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { setTimeout as wait } from 'node:timers/promises';
import type { OpenSession, RepoSession, ServerNeeds, Session } from './cli/session.ts';
import type { Cluster } from './cluster/open-cluster.ts';
import { findLeaderElection, type KubernetesConfig } from './config/kubernetes-schema.ts';
import { defaultStateDir } from './config/load-config.ts';
import { findProxy } from './config/proxy.ts';
import { createCertificateReader, type ReadPem, readCa, readClientCertificate } from './config/read-certificate.ts';
import { noClusterSecrets, type SecretPlaces } from './config/read-cluster-secret.ts';
import { readRedisAccess } from './config/read-redis.ts';
import { readGithubApp, readRepoCredential, readSshAccess } from './config/read-repo-access.ts';
import { readSecret, readSigningKey, readWebhookSecret } from './config/read-secret.ts';
import type { RedisConfig } from './config/redis-schema.ts';
import type { RepoConfig } from './config/repo-schema.ts';
import type { Config, CredentialSourceName, RegistryConfig } from './config/schema.ts';
import { findSecretRefs } from './config/secret-ref-schema.ts';
import { toProblem } from './error/problem.ts';
import { formatCommitUrl } from './forge/commit-url.ts';
import { type ClosableForge, createForge } from './forge/create-forge.ts';
import { type ForgePlace, findForge } from './forge/find-forge.ts';
import type { TransportSettings } from './git/create-transport.ts';
import { createGithubApp } from './git/github-app.ts';
import { createCommitSigner, type SignCommit } from './git/sign-commit.ts';
import { createWorkFiles, hasWorkFiles } from './git/work-files.ts';
import { createYamlRepo } from './git/yaml-repo.ts';
import { createLmdbLedger } from './ledger/lmdb-ledger.ts';
import { checkRepo } from './pipeline/check-repo.ts';
import type { ClusterSecrets, Leadership, WritePermit } from './pipeline/cluster-ports.ts';
import { fenceForge, fenceRepo } from './pipeline/fence-writes.ts';
import { createHoldMemory } from './pipeline/find-holds.ts';
import type { HostPace, Ledger } from './pipeline/job-ports.ts';
import { createRegistryMeter, type RegistryMeter } from './pipeline/measure-registries.ts';
import { type Metrics, noMetrics } from './pipeline/metrics-ports.ts';
import { findLongestPauseMs } from './pipeline/pass-job.ts';
import { createImagePoller, type ImagePoller, type PollOptions } from './pipeline/poll-images.ts';
import type { Clock, Log, Registry } from './pipeline/ports.ts';
import { createProposalMemory } from './pipeline/propose-facts.ts';
import { createRepoMemory } from './pipeline/repo-memory.ts';
import type { Queues } from './pipeline/run-jobs.ts';
import { createProblemTeller, createSingleTeller } from './pipeline/tell-report.ts';
import { createEmbeddedQueue } from './queue/embedded-queue.ts';
import type { SharedWork } from './redis/open-shared-work.ts';
import { createRegistry, type SourceTools } from './registry/create-registry.ts';
import { createCloudSource } from './registry/credentials/cloud.ts';
import type { CredentialSource } from './registry/credentials/credential.ts';
import { createCredentialHelper } from './registry/credentials/credential-helper.ts';
import { createDockerConfigSource } from './registry/credentials/docker-config.ts';
import { createEndpointSource } from './registry/credentials/endpoint-source.ts';
import { createPullSecretsSource } from './registry/credentials/pull-secrets.ts';
import { createHelperRunner } from './registry/credentials/run-helper.ts';
import type { HostSettings } from './registry/host.ts';
import type { RegistryEvent } from './registry/registry-event.ts';
import { createHook } from './server/create-hook.ts';
import { createServer } from './server/create-server.ts';
import { createRelay } from './server/relay.ts';
import { createSteadyClock } from './steady-clock.ts';

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

/** Where measurements go: nowhere, until somebody may look at them. */
interface Measured {
  metrics: Metrics;
  render: (() => Promise<{ readonly contentType: string; readonly text: string }>) | undefined;
}

async function openMetrics(meter: RegistryMeter): Promise<Measured> {
  const { createPrometheus } = await import('./metrics/prometheus.ts');
  const { metrics, render } = createPrometheus();
  const version = readVersion();
  metrics.onScrape('build', () => [{ name: 'tallyman_build_info', labels: { version }, value: 1 }]);
  metrics.onScrape('registries', meter.listSamples);
  return { metrics, render };
}

/** Of this program: `0.1.0` */
export function readVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  return version;
}

/** What several workers share through Redis. Its packages are loaded only here. */
async function openShared(
  config: RedisConfig,
  { log, places }: { log: Log; places: SecretPlaces },
): Promise<SharedWork> {
  const { openSharedWork } = await import('./redis/open-shared-work.ts');
  const access = readRedisAccess(config, { places, readPem: createCertificateReader(places.readClusterSecret) });
  return openSharedWork({ ...access, log }, { onTime: steadyClock.setTo });
}

/** What is waited at start for the first answers about Secrets: a first pass without them would fail for nothing. */
const secretPatienceMs = 5000;

/** Its packages, which take a third of a second and some 90 MB, are loaded only here. */
async function openCluster(
  config: Config,
  kubernetes: KubernetesConfig,
  { log, metrics }: { log: Log; metrics: () => Metrics },
): Promise<Cluster> {
  const { openCluster: open } = await import('./cluster/open-cluster.ts');
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
    elapsedMs: createSteadyClock(undefined, { everyMs: 0 }).nowMs,
  });
  await cluster.secrets.open({ patienceMs: secretPatienceMs });
  return cluster;
}

function openQueues(): Queues {
  const clock = systemClock;
  return { passes: createEmbeddedQueue({ clock }), scans: createEmbeddedQueue({ clock }) };
}

interface RegistryNeeds {
  readonly log: Log;
  readonly meter: RegistryMeter;
  readonly pace: HostPace | undefined;
  readonly places: SecretPlaces;
  readonly cluster: Cluster | undefined;
}

function openRegistry(
  config: Config,
  { log, meter, pace, places, cluster }: RegistryNeeds,
): Registry & { close(): Promise<void> } {
  const byHost = new Map(config.registries.map((settings) => [settings.host, settings]));
  const readPem = createCertificateReader(places.readClusterSecret);
  const hosts = (host: string): HostSettings => {
    const settings = byHost.get(host);
    return settings === undefined ? {} : toHostSettings(settings, { readPem, places });
  };
  const teller = createProblemTeller(log);
  const sourceNeeds: SourceNeeds = {
    hosts,
    pullSecrets: cluster?.secrets,
    tellFaults: (faults) => teller.tell(faults.map((fault) => toProblem(fault))),
  };
  return createRegistry({
    hosts,
    pace,
    credentials: (tools) =>
      config.credentialSources.map((name) => credentialSources[name]({ ...tools, ...sourceNeeds })),
    proxy: (url) => findProxy(url, process.env),
    limits: { headersMs: config.timeoutSeconds * 1000, bodyMs: config.timeoutSeconds * 1000 },
    log(event) {
      meter.note(event);
      log[toldAsWarnings.includes(event.kind) ? 'warn' : 'debug'](event, `registry: ${event.kind}`);
    },
  });
}

/** What a person should know of; the rest is for those who look into the work. */
const toldAsWarnings: readonly RegistryEvent['kind'][] = ['warning', 'no-push-times'];

interface SourceNeeds {
  hosts(host: string): HostSettings;
  /** Undefined where there is no cluster. */
  readonly pullSecrets: Pick<ClusterSecrets, 'listPullSecrets'> | undefined;
  /** Tells once what cannot be used, and when that is over. */
  tellFaults(faults: readonly unknown[]): void;
}

const noPullSecrets = { listPullSecrets: () => ({ secrets: [], faults: [] }) };

/** The sources by the names that the configuration has for them; another one is a row here and a name in the schema. */
const credentialSources: Readonly<
  Record<CredentialSourceName, (tools: SourceTools & SourceNeeds) => CredentialSource>
> = {
  'pull-secrets': ({ hosts, pullSecrets = noPullSecrets, tellFaults }) =>
    createEndpointSource(hosts, createPullSecretsSource(pullSecrets, tellFaults)),
  'docker-config': ({ now, hosts }) =>
    createEndpointSource(
      hosts,
      createDockerConfigSource({
        env: process.env,
        homeFolder: findHomeFolder(),
        helper: createCredentialHelper({ run: createHelperRunner(process.env), now }),
      }),
    ),
  cloud: (tools) =>
    createCloudSource({ ...tools, env: process.env, readFile: (path) => readFile(path, { encoding: 'utf8' }) }),
};

function findHomeFolder(): string | undefined {
  try {
    return homedir();
  } catch {
    // A user whom the system does not know, as OpenShift makes them up, has none.
    return undefined;
  }
}

function toHostSettings(
  settings: RegistryConfig,
  { readPem, places }: { readPem: ReadPem; places: SecretPlaces },
): HostSettings {
  const { plainHttp, credentials, clientCertificate, caFile, caSecret, host: _host, ...others } = settings;
  return {
    ...others,
    ...(plainHttp && { plainHttp }),
    credential: credentials && readSecret(credentials, places),
    ca: readCa({ caFile, caSecret }, readPem),
    trustedOrigins: settings.trustedOrigins.map((origin) => new URL(origin).origin),
    clientCertificate: readClientCertificate(clientCertificate, readPem),
  };
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

interface Opening {
  readonly config: Config;
  readonly registry: Registry;
  readonly ledger: Ledger;
  readonly sign: SignCommit | undefined;
  readonly places: SecretPlaces;
  /** Undefined: writing needs none. */
  readonly permit: WritePermit | undefined;
  readonly log: Log;
}

function findStateDir({ stateDir }: Config): string {
  return stateDir ?? defaultStateDir(process.env);
}

function openRepo(
  repo: RepoConfig,
  { config, registry, ledger, sign, places, permit, log }: Opening,
): { session: RepoSession; close(): Promise<void> } {
  const { path } = repo;
  const transport = planTransport(repo, config, places);
  const adapter = createYamlRepo({
    location: path === undefined ? { kind: 'remote', url: repo.url ?? '' } : { kind: 'local', path },
    branch: repo.branch,
    stateDir: findStateDir(config),
    ...transport,
    checkWrite: permit?.check,
    timeoutMs: config.timeoutSeconds * 1000,
    sign,
    pushOptions: repo.pushOptions,
    log: (message, fields) => log.debug(fields, message),
  });
  const yamlRepo = permit === undefined ? adapter : fenceRepo(adapter, permit);
  const place = repo.url === undefined ? undefined : findForge(repo.url, repo.forge ?? {});
  const forge = openForge(place, repo.forge ?? {}, { transport, places, permit });
  const proposing = forge === undefined ? undefined : { forge, branches: yamlRepo, memory: createProposalMemory() };
  const context = {
    repo: yamlRepo,
    proposing,
    registry,
    ledger,
    clock: systemClock,
    memory: createRepoMemory(repo.paths),
    holds: createHoldMemory(),
    author: config.commit.author,
    concurrency: config.concurrency,
    allowedRegistries: config.allowedRegistries,
  };
  const onDisk = path !== undefined && repo.branch === undefined && hasWorkFiles(path);
  const files = onDisk ? createWorkFiles(path) : yamlRepo;
  const session: RepoSession = {
    name: repo.url ?? path ?? '',
    context,
    formatCommitUrl: (commit) => place && formatCommitUrl(place, commit),
    check: (options) =>
      checkRepo(files, createRepoMemory(repo.paths), { ...options, allowedRegistries: config.allowedRegistries }),
  };
  return {
    session,
    async close() {
      await Promise.all([yamlRepo.close(), forge?.close()]);
    },
  };
}

/** Undefined where neither the address nor the configuration says what forge it is. */
function openForge(
  place: ForgePlace | undefined,
  { tokenFile, tokenEnv, secret }: NonNullable<RepoConfig['forge']>,
  { transport, places, permit }: { transport: TransportSettings } & Pick<Opening, 'places' | 'permit'>,
): ClosableForge | undefined {
  if (place === undefined) return undefined;
  const { credential, tls, proxy } = transport;
  const read = async (options: { signal: AbortSignal }) => {
    if ((tokenFile ?? tokenEnv ?? secret) !== undefined) {
      const { password } = readRepoCredential({ tokenFile, tokenEnv, secret }, places);
      return { username: undefined, token: password };
    }
    const found = await credential?.(options);
    return found && { username: found.username, token: found.password };
  };
  const { random, sleep } = systemClock;
  const forge = createForge({
    place,
    credential: read,
    ca: tls?.().ca,
    proxy,
    checkWrite: permit?.check,
    now: Date.now,
    random,
    sleep,
  });
  return permit === undefined ? forge : fenceForge(forge, permit);
}

interface Serving {
  readonly log: Log;
  readonly places: SecretPlaces;
  readonly leadership: Leadership | undefined;
}

async function startServer(
  { listen, webhooks }: NonNullable<Config['server']>,
  { onHint, probes, log, metrics, render, places, leadership }: ServerNeeds & Measured & Serving,
): ReturnType<typeof createServer> {
  const hooks = webhooks.map((webhook) => {
    const { name, format, host } = webhook;
    const readHookSecret = () => readWebhookSecret(webhook, places);
    return createHook({ name, format, host, readSecret: readHookSecret, onHint, log, nowMs: systemClock.nowMs });
  });
  const { nowMs } = systemClock;
  const relay = leadership && createRelay({ findLeader: leadership.findLeader, log, nowMs });
  const server = await createServer({ listen, hooks, probes, log, metrics, renderMetrics: render, relay });
  log.info({ url: server.url, webhooks: webhooks.map(({ name }) => name) }, 'listening');
  return server;
}

function planTransport(repo: RepoConfig, { timeoutSeconds }: Config, places: SecretPlaces): TransportSettings {
  const { ssh, clientCertificate } = repo;
  const readPem = createCertificateReader(places.readClusterSecret);
  const proxy = (url: URL): string | undefined => findProxy(url, process.env);
  return {
    ...planCredential(repo.credentials, { proxy, timeoutMs: timeoutSeconds * 1000 }, places),
    ssh: ssh && (() => readSshAccess(ssh, places)),
    tls: () => ({
      ca: readCa(repo, readPem),
      clientCertificate: readClientCertificate(clientCertificate, readPem),
    }),
    proxy,
  };
}

function planCredential(
  credentials: RepoConfig['credentials'],
  tools: Pick<Parameters<typeof createGithubApp>[0], 'proxy' | 'timeoutMs'>,
  places: SecretPlaces,
): Pick<TransportSettings, 'credential' | 'refuseCredential'> {
  const { githubApp } = credentials ?? {};
  if (githubApp === undefined)
    return { credential: credentials && (async () => readRepoCredential(credentials, places)) };
  const app = createGithubApp({
    ...tools,
    apiUrl: githubApp.apiUrl,
    readApp: () => readGithubApp(githubApp, places),
    nowMs: systemClock.nowMs,
  });
  return { credential: app.read, refuseCredential: app.refuse };
}

const steadyClock = createSteadyClock();

const systemClock: Clock = {
  nowMs: steadyClock.nowMs,
  wallMs: Date.now,
  random: Math.random,
  sleep: (ms, { signal }) => wait(ms, undefined, { signal }).catch(() => undefined),
};
