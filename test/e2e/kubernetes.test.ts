/** The daemon in a cluster as deploy/ sets it up: its own service account, its own rights, its own configuration. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { parse } from 'yaml';
import { reconcilerCrds } from '../cluster/reconciler-crds.ts';
import { startKubernetes, type TestKubernetes } from '../services/kubernetes.ts';
import { findFreePort } from '../services/server-process.ts';
import { waitUntil } from '../wait-until.ts';
import { makeApp } from './manifests.ts';
import type { Running } from './run-program.ts';
import { readTree, startWorld, type World, writer } from './world.ts';

const apiVersion = 'tallyman.dev/v1alpha1';

describe('tallyman in a cluster', () => {
  let world: World;
  let kubernetes: TestKubernetes;
  let daemon: Running;
  let bare: string;
  let kubeconfig: string;
  const revision = () => readTree(bare)['web/deployment.yaml']?.text ?? '';

  before(async () => {
    [world, kubernetes] = await Promise.all([startWorld(), startKubernetes()]);
    await kubernetes.apply(reconcilerCrds);
    await kubernetes.kubectl(['apply', '-k', 'deploy/overlays/embedded']);
    await kubernetes.createNamespace('shop');
    await world.publish('acme/web', '1.4.2');
    bare = world.makeRepo('cluster', makeApp('web', `${world.registry.host}/acme/web`, '1.4.2'));
    const { username = '', password = '' } = world.registry.credential ?? {};
    const auths = { auths: { [world.registry.host]: { username, password } } };
    const metadata = (name: string) => ({ namespace: 'tallyman', name });
    await kubernetes.apply([
      {
        apiVersion: 'v1',
        kind: 'Secret',
        type: 'kubernetes.io/basic-auth',
        metadata: metadata('tallyman-git'),
        stringData: { username: writer.name, password: writer.password },
      },
      {
        apiVersion: 'v1',
        kind: 'Secret',
        type: 'kubernetes.io/dockerconfigjson',
        metadata: metadata('tallyman-registry'),
        stringData: { '.dockerconfigjson': JSON.stringify(auths) },
      },
      {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: metadata('tallyman-webhook'),
        stringData: { git: 'only-for-this-test' },
      },
    ]);
    kubeconfig = await kubernetes.createKubeconfig({ namespace: 'tallyman', name: 'tallyman' });
    const deployed = parse(readFileSync('deploy/config.yaml', 'utf8'));
    const [repo] = deployed.repos;
    const config = world.configure('cluster', {
      ...deployed,
      repos: [{ ...repo, url: world.git.url('cluster.git') }],
      registries: [],
      kubernetes: { ...deployed.kubernetes, kubeconfig },
      server: { ...deployed.server, listen: `127.0.0.1:${await findFreePort()}` },
      stateDir: `${world.folder}/state`,
      log: { level: 'info', format: 'json' },
    });
    daemon = world.start(['run', '--config', config], { POD_NAME: 'tallyman-0', POD_NAMESPACE: 'tallyman' });
  });
  after(async () => {
    daemon?.child.kill('SIGTERM');
    await daemon?.finished;
    await kubernetes?.close();
    await world?.close();
  });

  it('commits with what the Secrets have, and tells of it by an Event', async () => {
    await world.publish('acme/web', '1.5.0');
    await waitUntil(() => revision().includes(':1.5.0'), { timeoutMs: 120_000, tell: () => daemon.said() });
    const list = ['get', 'events.events.k8s.io', '-n', 'shop', '-o', 'json'];
    await waitUntil(
      async () => {
        const { items } = JSON.parse(await kubernetes.kubectl(list));
        return items.some(
          (event: { reason: string; note: string; regarding: { kind: string; name: string } }) =>
            event.reason === 'ImageUpdated' && event.regarding.name === 'web' && event.note.includes('1.5.0'),
        );
      },
      { tell: () => daemon.said() },
    );
  });

  it('shows in the object how the policy stands', async () => {
    const spec = { image: `${world.registry.host}/acme/web`, select: { semver: '>=1.0.0 <2.0.0' } };
    await kubernetes.apply([{ apiVersion, kind: 'ImagePolicy', metadata: { namespace: 'shop', name: 'web' }, spec }]);
    const get = ['get', 'imagepolicies.tallyman.dev', 'web', '-n', 'shop', '-o', 'jsonpath={.status.current}'];
    await waitUntil(async () => (await kubernetes.kubectl(get)) === '1.5.0', { tell: () => daemon.said() });
  });

  it('holds the Lease', async () => {
    const get = ['get', 'lease', 'tallyman', '-n', 'tallyman', '-o', 'jsonpath={.spec.holderIdentity}'];
    assert.match(await kubernetes.kubectl(get), /^tallyman-0/);
  });

  it('asks Flux and Argo CD to look', async () => {
    const url = world.git.url('cluster.git');
    const at = (name: string) => ({ namespace: 'shop', name });
    await kubernetes.apply([
      {
        apiVersion: 'source.toolkit.fluxcd.io/v1',
        kind: 'GitRepository',
        metadata: at('deploy'),
        spec: { url, ref: { branch: 'main' }, interval: '10m' },
      },
      {
        apiVersion: 'argoproj.io/v1alpha1',
        kind: 'Application',
        metadata: at('web'),
        spec: { source: { repoURL: url, targetRevision: 'main', path: 'web' }, syncPolicy: { automated: {} } },
      },
    ]);
    await world.publish('acme/web', '1.6.0');
    await waitUntil(() => revision().includes(':1.6.0'), { timeoutMs: 120_000, tell: () => daemon.said() });
    const annotation = async (kind: string, name: string, key: string) =>
      JSON.parse(await kubernetes.kubectl(['get', kind, name, '-n', 'shop', '-o', 'json'])).metadata.annotations?.[key];
    await waitUntil(
      async () => (await annotation('gitrepository', 'deploy', 'reconcile.fluxcd.io/requestedAt')) !== undefined,
    );
    await waitUntil(async () => (await annotation('application', 'web', 'argocd.argoproj.io/refresh')) === 'normal');
  });

  it('tells by Events what a single pass did, and what keeps it from more', async () => {
    const { host } = world.registry;
    const wrong = `apiVersion: ${apiVersion}\nkind: ImagePolicy\nmetadata: { name: wrong, namespace: shop }\nspec: {}\n`;
    world.makeRepo('once', { ...makeApp('api', `${host}/acme/web`, '1.4.2'), 'wrong.yaml': wrong });
    const config = world.configure('once', {
      repos: [world.remote('once')],
      kubernetes: { kubeconfig, reconcilers: { flux: 'off', argocd: 'off' } },
    });
    const { code, stderr } = await world.run(['run', '--once', '--config', config], { POD_NAMESPACE: 'tallyman' });
    assert.equal(code, 1, stderr);
    const shown = await kubernetes.kubectl(['events', '-n', 'shop']);
    assert.match(
      shown,
      /Normal\s+ImageUpdated\s+ImagePolicy\/api\s+Updated \S+\/acme\/web from 1\.4\.2 to 1\.6\.0: commit/,
    );
    assert.match(shown, /Warning\s+PolicyInvalid\s+ImagePolicy\/wrong\s+wrong\.yaml:\d+:\d+: Cannot /);
  });

  it('has every right that it uses', () => assert.doesNotMatch(daemon.said(), /ClusterDenied/));

  it('gives the Lease back when it ends', async () => {
    daemon.child.kill('SIGTERM');
    await daemon.finished;
    const get = ['get', 'lease', 'tallyman', '-n', 'tallyman', '-o', 'jsonpath={.spec.holderIdentity}'];
    assert.equal(await kubernetes.kubectl(get), '');
  });
});
