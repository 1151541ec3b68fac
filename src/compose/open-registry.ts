import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import type { Cluster } from '../cluster/open-cluster.ts';
import { findProxy } from '../config/proxy.ts';
import { createCertificateReader, type ReadPem, readCa, readClientCertificate } from '../config/read-certificate.ts';
import type { SecretPlaces } from '../config/read-cluster-secret.ts';
import { readSecret } from '../config/read-secret.ts';
import type { Config, CredentialSourceName, RegistryConfig } from '../config/schema.ts';
import { toProblem } from '../error/problem.ts';
import type { ClusterSecrets } from '../pipeline/cluster-ports.ts';
import type { HostPace } from '../pipeline/job-ports.ts';
import type { RegistryMeter } from '../pipeline/measure-registries.ts';
import type { Log, Registry } from '../pipeline/ports.ts';
import { createProblemTeller } from '../pipeline/tell-report.ts';
import { createRegistry, type SourceTools } from '../registry/create-registry.ts';
import { createCloudSource } from '../registry/credentials/cloud.ts';
import type { CredentialSource } from '../registry/credentials/credential.ts';
import { createCredentialHelper } from '../registry/credentials/credential-helper.ts';
import { createDockerConfigSource } from '../registry/credentials/docker-config.ts';
import { createEndpointSource } from '../registry/credentials/endpoint-source.ts';
import { createPullSecretsSource } from '../registry/credentials/pull-secrets.ts';
import { createHelperRunner } from '../registry/credentials/run-helper.ts';
import type { HostSettings } from '../registry/host.ts';
import type { RegistryEvent } from '../registry/registry-event.ts';

interface RegistryNeeds {
  readonly log: Log;
  readonly meter: RegistryMeter;
  readonly pace: HostPace | undefined;
  readonly places: SecretPlaces;
  readonly cluster: Cluster | undefined;
}

export function openRegistry(
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
