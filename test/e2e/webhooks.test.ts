import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { runGit } from '../services/git-server.ts';
import { notifyPush, secret, startListening, stop } from './listening.ts';
import { makeApp } from './manifests.ts';
import { until } from './run-program.ts';
import { readTree, startWorld, type World } from './world.ts';

describe('webhooks', () => {
  let world: World;
  before(async () => {
    world = await startWorld();
    await world.publish('acme/web', '1.4.2');
    await world.publish('acme/web', '1.5.0');
  });
  after(() => world?.close());

  it('have a registry asked for an image that was just pushed, and only for what is used', async () => {
    const { host } = world.registry;
    const bare = world.makeRepo('hinted', makeApp('web', `${host}/acme/web`, '1.5.0'));
    const { daemon, url } = await startListening(world, 'hinted', { repos: [world.remote('hinted')] });
    const notify = (repository: string): Promise<unknown> => notifyPush(url, { host, repository });
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
    const { daemon, url } = await startListening(world, 'generic', {
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
