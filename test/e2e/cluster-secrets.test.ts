import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { allowReading, secretOf } from '../cluster/reading-secrets.ts';
import { runGit } from '../services/git-server.ts';
import { startKubernetes, type TestKubernetes } from '../services/kubernetes.ts';
import { waitUntil } from '../wait-until.ts';
import { makeApp } from './manifests.ts';
import { until } from './run-program.ts';
import { readTree, startWorld, type World, writer, wrongPassword } from './world.ts';

const hookSecrets = ['hook-secret-of-monday', 'hook-secret-of-tuesday'];

/** The service account of these tests may read Secrets and nothing else. */
const secretsAlone = {
  leaderElection: 'off',
  events: false,
  status: false,
  reconcilers: { flux: 'off', argocd: 'off' },
};

describe('credentials from Secrets of the cluster', () => {
  let world: World;
  let kubernetes: TestKubernetes;
  let kubeconfig: string;
  before(async () => {
    [world, kubernetes] = await Promise.all([startWorld(), startKubernetes()]);
    await kubernetes.createNamespace('tallyman');
    await kubernetes.createNamespace('shop');
    const secrets = ['git', 'registry', 'reader', 'late-git', 'late-registry', 'hook'];
    await kubernetes.apply([
      ...allowReading({ namespace: 'tallyman', secrets, serviceAccounts: ['tallyman'] }),
      ...allowReading({ namespace: 'shop', secrets: ['registry'] }),
    ]);
    kubeconfig = await kubernetes.createKubeconfig({ namespace: 'tallyman', name: 'tallyman' });
    for (const tag of ['1.4.2', '1.5.0']) await world.publish('acme/web', tag);
  });
  after(async () => {
    await kubernetes?.close();
    await world?.close();
  });

  const gitSecret = (name: string, password = writer.password) =>
    secretOf('tallyman', name, { username: writer.name, password }, 'kubernetes.io/basic-auth');
  const pullSecret = (namespace: string, name: string, key = world.registry.host) => {
    const config = JSON.stringify({ auths: { [key]: world.registry.credential } });
    return secretOf(namespace, name, { '.dockerconfigjson': config }, 'kubernetes.io/dockerconfigjson');
  };
  const makeRepo = (name: string, tag = '1.4.2') =>
    world.makeRepo(name, makeApp('web', `${world.registry.host}/acme/web`, tag));
  const remote = (name: string, secret: object) => ({ url: world.git.url(`${name}.git`), credentials: { secret } });

  it('sign in to everything, for commands that make one pass', async () => {
    await kubernetes.apply([
      gitSecret('git'),
      secretOf('tallyman', 'reader', { ...world.registry.credential }),
      pullSecret('shop', 'registry', `${world.registry.host}/acme`),
    ]);
    const bare = makeRepo('private');
    const registry = { host: world.registry.host, credentials: { secret: { name: 'reader' } } };
    const configs = {
      named: world.configure('named', {
        kubernetes: { ...secretsAlone, kubeconfig },
        registries: [registry],
        repos: [remote('private', { name: 'git' })],
      }),
      pulled: world.configure('pulled', {
        kubernetes: {
          ...secretsAlone,
          kubeconfig,
          secretNamespaces: ['shop'],
          pullSecrets: [{ name: 'registry', namespace: 'shop' }],
        },
        registries: [],
        repos: [remote('private', { name: 'git' })],
      }),
    };
    const planned = await world.run(['plan', '--config', configs.named]);
    assert.deepEqual([planned.code, /^\+.*:1\.5\.0$/m.test(planned.stdout)], [0, true], planned.stderr);
    const { code, stderr } = await world.run(['run', '--once', '--config', configs.pulled]);
    assert.equal(code, 0, stderr);
    assert.match(readTree(bare)['web/deployment.yaml']?.text ?? '', /:1\.5\.0\n$/);
  });

  it('are refused at start, with line and column, where the namespace is not allowed', async () => {
    const config = world.configure('elsewhere', {
      kubernetes: { ...secretsAlone, kubeconfig },
      repos: [remote('private', { name: 'git', namespace: 'kube-system' })],
    });
    const { code, stderr } = await world.run(['plan', '--config', config]);
    assert.equal(code, 2);
    assert.match(stderr, /elsewhere\.json:1:\d+: .*credentials\.secret\.namespace".*\[ConfigInvalid\]/);
  });

  it('fail alone what needs one that is missing, and say so', async () => {
    const [open, closed] = [makeRepo('open'), makeRepo('closed')];
    const config = world.configure('partly', {
      kubernetes: { ...secretsAlone, kubeconfig, serviceAccounts: [{ name: 'tallyman' }] },
      repos: [
        { ...remote('closed', { name: 'late-git' }), caSecret: { name: 'late-git' }, forge: { kind: 'gitea' } },
        world.remote('open'),
      ],
    });
    const { code, log, stderr } = await world.run(['run', '--once', '--config', config]);
    assert.equal(code, 3, stderr);
    assert.match(stderr, /Cannot use Secret \\"tallyman\/late-git\\": it is not there/);
    assert.ok(log.some((line) => line.code === 'SecretUnavailable' && line.disposition === 'retry'));
    assert.equal(runGit(closed, ['rev-list', '--count', 'main']), '1');
    assert.equal(runGit(open, ['rev-list', '--count', 'main']), '2');
    const unsigned = makeRepo('unsigned');
    const signing = { format: 'ssh', secret: { name: 'late-git' } };
    const settings = {
      kubernetes: { ...secretsAlone, kubeconfig },
      repos: [world.remote('unsigned')],
      commit: { signing },
    };
    const signed = await world.run(['run', '--once', '--config', world.configure('signed', settings)]);
    assert.deepEqual(
      [signed.code, signed.log.every(({ code = '' }) => ['', 'SecretUnavailable'].includes(`${code}`))],
      [3, true],
    );
    assert.equal(runGit(unsigned, ['rev-list', '--count', 'main']), '1');
  });

  it('come, change and stay while the API server is away, without a restart of the daemon', async () => {
    await kubernetes.apply([gitSecret('git', wrongPassword)]);
    const bare = makeRepo('rotating');
    const count = () => Number(runGit(bare, ['rev-list', '--count', 'main']));
    // Far longer than the test: what happens, happens because a Secret has changed, or by the webhook.
    const intervalSeconds = 3600;
    const config = world.configure('rotating', {
      intervalSeconds,
      maxIntervalSeconds: intervalSeconds,
      kubernetes: { ...secretsAlone, kubeconfig, pullSecrets: [{ name: 'late-registry' }] },
      registries: [],
      repos: [remote('rotating', { name: 'git' })],
      server: {
        listen: '127.0.0.1:0',
        webhooks: [{ name: 'ci', format: 'generic', secret: { name: 'hook', key: 'ci' } }],
      },
    });
    const daemon = world.start(['run', '--config', config]);
    const says = (words: string | RegExp) =>
      until(() => (typeof words === 'string' ? daemon.said().includes(words) : words.test(daemon.said())), daemon.said);
    await says('"code":"RepoDenied"');
    await kubernetes.apply([gitSecret('git')]);
    await says(/"code":"SecretUnavailable","disposition":"retry","policy":"shop\/web".*late-registry/);
    await kubernetes.apply([pullSecret('tallyman', 'late-registry')]);
    await until(() => count() === 2, daemon.said);

    const url = /"url":"(http:\/\/127\.0\.0\.1:\d+)"/.exec(daemon.said())?.[1];
    const body = JSON.stringify({ image: `${world.registry.host}/acme/web` });
    const deliver = async (secret: string): Promise<number> => {
      const signature = createHmac('sha256', secret).update(body).digest('hex');
      const headers = { 'x-signature-256': `sha256=${signature}` };
      return (await fetch(`${url}/webhooks/ci`, { method: 'POST', headers, body })).status;
    };
    const becomes = (secret: string, status: number) =>
      waitUntil(async () => (await deliver(secret)) === status, { tell: daemon.said });
    const [first = '', second = ''] = hookSecrets;
    assert.equal(await deliver(first), 503);
    await kubernetes.apply([secretOf('tallyman', 'hook', { ci: `${first}\n` })]);
    await becomes(first, 202);
    await kubernetes.apply([secretOf('tallyman', 'hook', { ci: second })]);
    await becomes(second, 202);
    assert.equal(await deliver(first), 401);

    await kubernetes.kill();
    await says(/"code":"ClusterUnavailable".*secrets/);
    await world.publish('acme/web', '1.6.0');
    assert.equal(await deliver(second), 202);
    await until(() => count() === 3, daemon.said);
    daemon.child.kill('SIGTERM');
    const { code, stdout, stderr } = await daemon.finished;
    assert.equal(code, 0);
    for (const secret of hookSecrets) assert.ok(!(stdout + stderr).includes(secret));
    await kubernetes.start();
  });
});
