import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { reconcilerCrds } from '../cluster/reconciler-crds.ts';
import { gitRepository, kustomization } from '../reconcile/reconciler-scene.ts';
import { runGit } from '../services/git-server.ts';
import { startKubernetes, type TestKubernetes } from '../services/kubernetes.ts';
import { waitUntil } from '../wait-until.ts';
import { makeApp } from './manifests.ts';
import { type LogLine, type Running, until } from './run-program.ts';
import { startWorld, tipOf, type World } from './world.ts';

describe('tallyman run in a cluster with Flux', () => {
  let world: World;
  let kubernetes: TestKubernetes;
  let daemon: Running;
  let bare: string;
  let config: string;

  before(async () => {
    [world, kubernetes] = await Promise.all([startWorld(), startKubernetes()]);
    await world.publish('acme/web', '1.4.2');
    bare = world.makeRepo('deploy', makeApp('web', `${world.registry.host}/acme/web`, '1.4.2'));
    for (const name of ['flux-system', 'shop']) await kubernetes.createNamespace(name);
    await kubernetes.apply(reconcilerCrds);
    const crds = reconcilerCrds.map(({ metadata }) => `crd/${metadata.name}`);
    await kubernetes.kubectl(['wait', '--for=condition=Established', '--timeout=30s', ...crds]);
    await kubernetes.apply([
      gitRepository({ url: world.git.url('deploy.git'), ref: { branch: 'main' } }),
      kustomization({ path: './web' }),
    ]);
    config = world.configure('deploy', {
      repos: [world.remote('deploy')],
      kubernetes: { kubeconfig: kubernetes.kubeconfig, leaderElection: 'off', reconcilers: { timeoutSeconds: 60 } },
    });
    daemon = world.start(['run', '--config', config]);
    await until(() => daemon.said().includes('"msg":"pass done"'), daemon.said);
  });
  after(async () => {
    daemon?.child.kill('SIGTERM');
    await daemon?.finished;
    await kubernetes?.close();
    await world?.close();
  });

  const listTold = ({ said }: Running): readonly LogLine[] =>
    said()
      .split('\n')
      .filter((line) => line.startsWith('{') && /"code":"ImageAppl/.test(line))
      .map((line) => JSON.parse(line));

  async function applyTip(): Promise<void> {
    const revision = `main@sha1:${tipOf(bare)}`;
    const status = { lastAppliedRevision: revision, lastAttemptedRevision: revision };
    await patch('gitrepository/deploy', { artifact: { revision } });
    await patch('kustomization/apps', status);
  }

  async function patch(name: string, status: object): Promise<void> {
    const body = JSON.stringify({ status });
    const where = ['-n', 'flux-system', '--subresource=status', '--type=merge'];
    await kubernetes.kubectl(['patch', name, ...where, '-p', body]);
  }

  const countCommits = () => Number(runGit(bare, ['rev-list', '--count', 'main']));

  it('has Flux look after a commit, and says when it is applied', async () => {
    await applyTip();
    await world.publish('acme/web', '1.5.0');
    await waitUntil(async () => {
      const get = ['get', 'gitrepository', 'deploy', '-n', 'flux-system', '-o', 'yaml'];
      return (await kubernetes.kubectl(get)).includes('reconcile.fluxcd.io/requestedAt');
    });
    assert.equal(countCommits(), 2);
    assert.deepEqual(listTold(daemon), []);
    await applyTip();
    await until(() => listTold(daemon).length > 0, daemon.said);
    const [told] = listTold(daemon);
    assert.match(
      told?.msg ?? '',
      /^shop\/web: 1\.5\.0 is applied by Kustomization flux-system\/apps at [0-9a-f]{12}, [\d.]+ s after its tag was seen$/,
    );
    assert.deepEqual([told?.code, told?.commit, told?.policy], ['ImageApplied', tipOf(bare), 'shop/web']);
    const get = ['get', 'events.events.k8s.io', '-n', 'shop', '-o', 'json'];
    const list = async () => JSON.parse(await kubernetes.kubectl(get)).items as readonly Record<string, unknown>[];
    await waitUntil(async () => (await list()).some(({ reason }) => reason === 'ImageApplied'));
    const event = (await list()).find(({ reason }) => reason === 'ImageApplied');
    assert.equal(event?.type, 'Normal');
    assert.match(String(event?.note), /^shop\/web: 1\.5\.0 is applied by Kustomization flux-system\/apps/);
  });

  it('after a restart waits for what is not applied, and tells nothing twice', async () => {
    await world.publish('acme/web', '1.6.0');
    await until(() => countCommits() === 3, daemon.said);
    daemon.child.kill('SIGKILL');
    await daemon.finished;
    daemon = world.start(['run', '--config', config]);
    await until(() => daemon.said().includes('"msg":"pass done"'), daemon.said);
    await applyTip();
    await until(() => listTold(daemon).length > 0, daemon.said);
    assert.deepEqual(
      listTold(daemon).map(({ msg }) => msg.split(' ').slice(0, 4).join(' ')),
      ['shop/web: 1.6.0 is applied'],
    );
  });
});
