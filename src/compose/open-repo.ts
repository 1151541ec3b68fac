import type { RepoSession } from '../cli/session.ts';
import { defaultStateDir } from '../config/load-config.ts';
import { findProxy } from '../config/proxy.ts';
import { createCertificateReader, readCa, readClientCertificate } from '../config/read-certificate.ts';
import type { SecretPlaces } from '../config/read-cluster-secret.ts';
import { readGithubApp, readRepoCredential, readSshAccess } from '../config/read-repo-access.ts';
import type { RepoConfig } from '../config/repo-schema.ts';
import type { Config } from '../config/schema.ts';
import { formatCommitUrl } from '../forge/commit-url.ts';
import { type ClosableForge, createForge } from '../forge/create-forge.ts';
import { type ForgePlace, findForge } from '../forge/find-forge.ts';
import type { TransportSettings } from '../git/create-transport.ts';
import { createGithubApp } from '../git/github-app.ts';
import type { SignCommit } from '../git/sign-commit.ts';
import { createWorkFiles, hasWorkFiles } from '../git/work-files.ts';
import { createYamlRepo } from '../git/yaml-repo.ts';
import { checkRepo } from '../pipeline/check-repo.ts';
import type { WritePermit } from '../pipeline/cluster-ports.ts';
import { fenceForge, fenceRepo } from '../pipeline/fence-writes.ts';
import { createHoldMemory } from '../pipeline/find-holds.ts';
import type { Ledger } from '../pipeline/job-ports.ts';
import type { Log, Registry } from '../pipeline/ports.ts';
import { createProposalMemory } from '../pipeline/propose-facts.ts';
import { createRepoMemory } from '../pipeline/repo-memory.ts';
import { systemClock } from './system-clock.ts';

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

export function findStateDir({ stateDir }: Config): string {
  return stateDir ?? defaultStateDir(process.env);
}

export function openRepo(
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
    tls,
    proxy,
    checkWrite: permit?.check,
    now: Date.now,
    random,
    sleep,
  });
  return permit === undefined ? forge : fenceForge(forge, permit);
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
