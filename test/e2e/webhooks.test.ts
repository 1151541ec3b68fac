import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { runGit } from '../services/git-server.ts';
import { type Gitea, startGitea } from '../services/gitea.ts';
import { makeApp } from './manifests.ts';
import { type Running, until } from './run-program.ts';
import { readTree, startWorld, type World } from './world.ts';

const secret = 'tide-table-4711';
/** Far longer than a test: what happens, happens because of a webhook. */
const intervalSeconds = 3600;

describe('webhooks', () => {
  let world: World;
  let gitea: Gitea;
  before(async () => {
    world = await startWorld();
    gitea = await startGitea();
    await world.publish('acme/web', '1.4.2');
    await world.publish('acme/web', '1.5.0');
  });
  after(async () => {
    await gitea?.close();
    await world?.close();
  });

  /** The daemon, once it has made its first pass, and where it listens. */
  async function startListening(name: string, settings: object): Promise<{ daemon: Running; url: string }> {
    const webhooks = [
      { name: 'git', format: 'gitea', secretEnv: 'HOOK_SECRET' },
      { name: 'images', format: 'distribution', secretFile: world.write(`${name}-hook`, `${secret}\n`) },
    ];
    const server = { listen: '127.0.0.1:0', webhooks };
    const config = world.configure(name, { intervalSeconds, maxIntervalSeconds: intervalSeconds, server, ...settings });
    const daemon = world.start(['run', '--config', config], { HOOK_SECRET: secret });
    let url: string | undefined;
    await until(() => {
      url = /"url":"(http:\/\/127\.0\.0\.1:\d+)"/.exec(daemon.said())?.[1];
      return url !== undefined;
    }, daemon.said);
    const readiness = async (): Promise<number> => (await fetch(`${url}/readyz`)).status;
    while ((await readiness()) !== 200) await until(() => daemon.said().includes('"msg":"pass done"'), daemon.said);
    return { daemon, url: url ?? '' };
  }

  async function stop({ child, finished, said }: Running): Promise<void> {
    child.kill('SIGTERM');
    const { code } = await finished;
    assert.equal(code, 0, said());
    assert.ok(!said().includes(secret));
  }

  it("let a push to Gitea be followed at once, proved by Gitea's own signature", async () => {
    const { username, password } = gitea.user;
    await gitea.api('/user/repos', {
      method: 'POST',
      body: { name: 'deploy', auto_init: true, default_branch: 'main' },
    });
    const passwordFile = world.write('gitea-password', password);
    const repo = { url: `${gitea.url}/${username}/deploy.git`, credentials: { username, passwordFile } };
    const { daemon, url } = await startListening('gitea', { repos: [repo] });
    const config = { url: `${url}/webhooks/git`, content_type: 'json', secret };
    const hook = { type: 'gitea', active: true, events: ['push', 'create', 'delete'], config };
    await gitea.api(`/repos/${username}/deploy/hooks`, { method: 'POST', body: hook });

    const files = Object.entries(makeApp('web', `${world.registry.host}/acme/web`, '1.4.2')).map(([path, text]) => ({
      operation: 'create',
      path,
      content: Buffer.from(text).toString('base64'),
    }));
    const change = (branch: string) => ({ method: 'POST', body: { branch, message: 'Add web', files } });
    await gitea.api(`/repos/${username}/deploy/branches`, { method: 'POST', body: { new_branch_name: 'other' } });
    await gitea.api(`/repos/${username}/deploy/contents`, change('other'));
    await gitea.api(`/repos/${username}/deploy/contents`, change('main'));
    await until(() => daemon.said().includes('"code":"ImageUpdated"'), daemon.said);
    const answer = await gitea.api(`/repos/${username}/deploy/raw/web/deployment.yaml?ref=main`);
    assert.match(await answer.text(), /:1\.5\.0\n$/);
    const other = await gitea.api(`/repos/${username}/deploy/raw/web/deployment.yaml?ref=other`);
    assert.match(await other.text(), /:1\.4\.2\n$/);

    const impostor = await fetch(`${url}/webhooks/git`, {
      method: 'POST',
      headers: { 'x-gitea-event': 'push' },
      body: '{}',
    });
    assert.equal(impostor.status, 401);
    await stop(daemon);
    assert.doesNotMatch(daemon.said(), /secret is wrong/);
  });

  it('have a registry asked for an image that was just pushed, and only for what is used', async () => {
    const { host } = world.registry;
    const bare = world.makeRepo('hinted', makeApp('web', `${host}/acme/web`, '1.5.0'));
    const { daemon, url } = await startListening('hinted', { repos: [world.remote('hinted')] });
    const notify = async (repository: string): Promise<unknown> => {
      const target = { mediaType: 'application/vnd.oci.image.manifest.v1+json', repository, tag: '9.9.9' };
      const body = JSON.stringify({ events: [{ action: 'push', target, request: { host } }] });
      const headers = {
        'content-type': 'application/vnd.docker.distribution.events.v2+json',
        authorization: `Bearer ${secret}`,
      };
      return await (await fetch(`${url}/webhooks/images`, { method: 'POST', headers, body })).json();
    };
    await world.publish('acme/web', '1.6.0');
    assert.deepEqual(await notify('acme/unknown'), { result: 'ignored', reason: 'nothing that is watched' });
    assert.equal(runGit(bare, ['rev-list', '--count', 'main']), '1');
    assert.deepEqual(await notify('acme/web'), { result: 'accepted', repos: 1 });
    await until(() => runGit(bare, ['rev-list', '--count', 'main']) === '2', daemon.said);
    assert.match(readTree(bare)['web/deployment.yaml']?.text ?? '', /:1\.6\.0\n$/);
    await stop(daemon);
  });

  it('are signed in whatever way, or the daemon says that it cannot listen', async () => {
    const bare = world.makeRepo('generic', makeApp('web', `${world.registry.host}/acme/web`, '1.4.2'));
    const webhooks = [{ name: 'ci', format: 'generic', secretEnv: 'HOOK_SECRET' }];
    const { daemon, url } = await startListening('generic', {
      repos: [world.remote('generic')],
      server: { listen: '127.0.0.1:0', webhooks },
    });
    await until(() => runGit(bare, ['rev-list', '--count', 'main']) === '2', daemon.said);
    runGit(bare, ['update-ref', 'refs/heads/main', 'main~1']);
    const body = JSON.stringify({ repository: world.git.url('generic.git'), ref: 'refs/heads/main' });
    const signature = createHmac('sha256', secret).update(body).digest('hex');
    const headers = { 'x-signature-256': `sha256=${signature}` };
    const passes = daemon.said().split('pass done').length;
    assert.equal((await fetch(`${url}/webhooks/ci`, { method: 'POST', headers, body })).status, 202);
    await until(() => daemon.said().split('pass done').length > passes, daemon.said);
    const listen = url.replace('http://', '');
    const second = await world.run([
      'run',
      '--config',
      world.configure('second', { repos: [world.remote('generic')], server: { listen } }),
    ]);
    assert.equal(second.code, 2);
    assert.match(second.stderr, /Cannot listen on .*EADDRINUSE/);
    await stop(daemon);
  });
});
