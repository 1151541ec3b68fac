/** Replicas of the daemon that share a Lease of a real API server, for the end-to-end tests. */
import { readFileSync } from 'node:fs';
import { deployedRules, grantRights } from '../services/cluster-rights.ts';
import { startKubernetes, type TestKubernetes } from '../services/kubernetes.ts';
import { secret } from './listening.ts';
import { type LogLine, type Running, until } from './run-program.ts';
import type { World } from './world.ts';

const account = { namespace: 'ships', name: 'tallyman' };
export const timing = { leaseDurationSeconds: 3, renewDeadlineSeconds: 2, retryPeriodSeconds: 0.5 };

export interface Replica extends Running {
  readonly name: string;
  /** Of its server. */
  readonly url: string;
  lines(): readonly LogLine[];
  isLeading(): boolean;
}

export interface Fleet {
  readonly kubernetes: TestKubernetes;
  /** Of Tallyman's own account, with nothing but what it needs; `port` in place of the API server's own. */
  readonly kubeconfig: (port?: number) => string;
  /** Starts one on the Yaml repo, and waits until it leads or stands by. */
  start(name: string, options: StartOptions): Promise<Replica>;
  close(): Promise<void>;
}

interface StartOptions {
  /** Yaml repo, and the Lease's name too. */
  readonly repo: string;
  readonly intervalSeconds?: number;
  readonly kubeconfig?: string;
}

/** What the README says that the role has to give. */

export async function startFleet(world: World): Promise<Fleet> {
  const kubernetes = await startKubernetes();
  await kubernetes.createNamespace(account.namespace);
  await kubernetes.apply(grantRights(account, deployedRules(['leases']), account.namespace));
  const usual = await kubernetes.createKubeconfig(account);
  const running: Replica[] = [];
  return {
    kubernetes,
    kubeconfig(port) {
      if (port === undefined) return usual;
      const text = readFileSync(usual, 'utf8').replaceAll(kubernetes.url, `https://127.0.0.1:${port}`);
      return world.write(`gate-${port}.kubeconfig`, text);
    },
    async start(name, { repo, intervalSeconds = 1, kubeconfig = usual }) {
      const webhooks = [{ name: 'images', format: 'distribution', secretEnv: 'HOOK_SECRET' }];
      const config = world.configure(`${repo}-${name}`, {
        repos: [world.remote(repo)],
        intervalSeconds,
        maxIntervalSeconds: Math.max(1, intervalSeconds),
        commit: { author: { name, email: `${name}@example.com` } },
        server: { listen: '127.0.0.1:0', webhooks },
        kubernetes: { kubeconfig, leaderElection: { leaseName: repo, ...timing } },
      });
      const daemon = world.start(['run', '--config', config], {
        HOOK_SECRET: secret,
        POD_IP: '127.0.0.1',
        POD_NAME: name,
      });
      const lines = () => readLines(daemon.said());
      const findUrl = () => lines().find(({ msg }) => msg === 'listening')?.url as string | undefined;
      const isPlaced = () => lines().some(({ msg }) => msg === 'leading' || msg === 'standby');
      await until(() => findUrl() !== undefined && isPlaced(), daemon.said);
      const isLeading = () =>
        lines()
          .filter(({ msg }) => msg === 'leading' || msg === 'standby')
          .at(-1)?.msg === 'leading';
      const replica = { ...daemon, name, url: findUrl() ?? '', lines, isLeading };
      running.push(replica);
      return replica;
    },
    async close() {
      for (const { child } of running) {
        child.kill('SIGKILL');
        child.kill('SIGCONT');
      }
      await kubernetes.close();
    },
  };
}

/** Whole lines alone: the last may still be on its way. */
function readLines(text: string): readonly LogLine[] {
  return text
    .split('\n')
    .slice(0, -1)
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line));
}
