/** A real Kubernetes API server with etcd for tests: RBAC on, no controllers, no nodes. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';
import { findTool } from './go-tools.ts';
import { endProcess, findFreePort, hasEnded } from './server-process.ts';

export interface TestKubernetes {
  readonly url: string;
  /** Of an administrator. */
  readonly kubeconfig: string;
  /** Runs kubectl as the administrator; with what it says on standard output. Throws with what it says on standard error. */
  kubectl(args: readonly string[], options?: { readonly input?: string }): Promise<string>;
  /** Makes or changes the objects. */
  apply(manifests: string | readonly object[]): Promise<void>;
  /** The namespace, which may be there already. */
  createNamespace(name: string): Promise<void>;
  /** A kubeconfig file of a service account, which has to be there, and its namespace. */
  createKubeconfig(account: { readonly namespace: string; readonly name: string }): Promise<string>;
  /** Stops the API server from answering without ending it, or lets it go on. */
  freeze(isFrozen: boolean): void;
  /** Ends the API server at once, as a crash would; what it keeps stays. */
  kill(): Promise<void>;
  /** The API server again, on the same port. */
  start(): Promise<void>;
  close(): Promise<void>;
}

const host = '127.0.0.1';
const startTimeoutMs = 90_000;
const adminToken = 'administrator-of-the-tests';
const run = promisify(execFile);

/** Starts both on free ports of 127.0.0.1, with nothing in them but what every cluster has. Throws where a program is missing or does not start. */
export async function startKubernetes(): Promise<TestKubernetes> {
  const folder = await mkdtemp(join(tmpdir(), 'tallyman-kubernetes-'));
  const [port, etcdPort, etcdPeerPort] = [await findFreePort(), await findFreePort(), await findFreePort()];
  const keyFile = join(folder, 'service-accounts.pem');
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  await writeFile(keyFile, privateKey.export({ type: 'pkcs1', format: 'pem' }), { mode: 0o600 });
  const tokenFile = join(folder, 'tokens.csv');
  await writeFile(tokenFile, `${adminToken},administrator,administrator,system:masters\n`, { mode: 0o600 });
  const url = `https://${host}:${port}`;
  const etcdUrl = `http://${host}:${etcdPort}`;
  const etcd = startProgram('etcd', [
    `--data-dir=${join(folder, 'etcd')}`,
    `--listen-client-urls=${etcdUrl}`,
    `--advertise-client-urls=${etcdUrl}`,
    `--listen-peer-urls=http://${host}:${etcdPeerPort}`,
    `--initial-advertise-peer-urls=http://${host}:${etcdPeerPort}`,
    `--initial-cluster=default=http://${host}:${etcdPeerPort}`,
    '--log-level=error',
    // Nothing that is here outlives the test.
    '--unsafe-no-fsync',
  ]);
  let apiServer: Program | undefined;
  const kubeconfig = join(folder, 'administrator.kubeconfig');
  const writeKubeconfig = async (file: string, token: string, namespace: string) => {
    // Made by the API server itself, and its own authority.
    const ca = await readFile(join(folder, 'certificates', 'apiserver.crt'));
    await writeFile(file, formatKubeconfig({ url, ca, token, namespace }), { mode: 0o600 });
    return file;
  };
  const kubernetes: TestKubernetes = {
    url,
    kubeconfig,
    async kubectl(args, { input } = {}) {
      const program = run(findTool('kubectl'), ['--kubeconfig', kubeconfig, ...args], {
        env: { ...process.env, HOME: folder },
        maxBuffer: 16 * 1024 * 1024,
        timeout: startTimeoutMs,
      });
      program.child.stdin?.end(input ?? '');
      return (await program).stdout;
    },
    async apply(manifests) {
      const input =
        typeof manifests === 'string'
          ? manifests
          : JSON.stringify({ kind: 'List', apiVersion: 'v1', items: manifests });
      await kubernetes.kubectl(['apply', '--server-side', '-f', '-'], { input });
    },
    async createNamespace(name) {
      await kubernetes.apply([{ apiVersion: 'v1', kind: 'Namespace', metadata: { name } }]);
    },
    async createKubeconfig({ namespace, name }) {
      const token = await kubernetes.kubectl(['create', 'token', name, '--namespace', namespace]);
      return await writeKubeconfig(join(folder, `${namespace}-${name}.kubeconfig`), token.trim(), namespace);
    },
    freeze: (isFrozen) => void apiServer?.child.kill(isFrozen ? 'SIGSTOP' : 'SIGCONT'),
    async kill() {
      if (apiServer !== undefined) await endProcess(apiServer.child, 'SIGKILL');
    },
    async start() {
      apiServer = startProgram('kube-apiserver', [
        `--etcd-servers=${etcdUrl}`,
        `--bind-address=${host}`,
        `--advertise-address=${host}`,
        `--secure-port=${port}`,
        `--cert-dir=${join(folder, 'certificates')}`,
        '--endpoint-reconciler-type=none',
        '--authorization-mode=RBAC',
        `--token-auth-file=${tokenFile}`,
        `--service-account-issuer=${url}`,
        `--service-account-key-file=${keyFile}`,
        `--service-account-signing-key-file=${keyFile}`,
        '--service-cluster-ip-range=10.0.0.0/24',
        // No controller makes the account that pods of each namespace have by default.
        '--disable-admission-plugins=ServiceAccount',
        '-v=0',
      ]);
      await waitUntilReady(url, [etcd, apiServer]);
    },
    async close() {
      kubernetes.freeze(false);
      await kubernetes.kill();
      await endProcess(etcd.child, 'SIGKILL');
      await rm(folder, { recursive: true, force: true });
    },
  };
  try {
    await kubernetes.start();
    await writeKubeconfig(kubeconfig, adminToken, 'default');
    return kubernetes;
  } catch (error) {
    await kubernetes.close();
    throw error;
  }
}

interface Program {
  readonly child: ChildProcess;
  /** The end of what it said. */
  readonly said: () => string;
}

function startProgram(name: 'etcd' | 'kube-apiserver', args: readonly string[]): Program {
  const child = spawn(findTool(name), args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-4000);
    });
  return { child, said: () => `${name}: ${said}` };
}

async function waitUntilReady(url: string, programs: readonly Program[]): Promise<void> {
  for (const endMs = Date.now() + startTimeoutMs; ; await wait(50)) {
    if (await isReady(url)) return;
    const ended = programs.find(({ child }) => hasEnded(child));
    if (ended !== undefined || Date.now() > endMs)
      throw new Error(`Cannot start Kubernetes for the tests: ${(ended ?? programs.at(-1))?.said()}`);
  }
}

function isReady(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const asked = request(
      `${url}/readyz`,
      { rejectUnauthorized: false, headers: { Authorization: `Bearer ${adminToken}` }, timeout: 2000, agent: false },
      (response) => {
        response.resume();
        resolve(response.statusCode === 200);
      },
    );
    asked.once('timeout', () => asked.destroy());
    asked.once('error', () => resolve(false));
    asked.end();
  });
}

function formatKubeconfig(parts: { url: string; ca: Buffer; token: string; namespace: string }): string {
  const { url, ca, token, namespace } = parts;
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'test', cluster: { server: url, 'certificate-authority-data': ca.toString('base64') } }],
    users: [{ name: 'test', user: { token } }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test', namespace } }],
    'current-context': 'test',
  });
}
