import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { runGit } from '../services/git-server.ts';
import { startRegistryServer } from '../services/registry-server.ts';
import { makeApp } from './manifests.ts';
import { type Running, until } from './run-program.ts';
import { readTree, startWorld, tipOf, type World } from './world.ts';

const maxStopMs = 2000;

describe('tallyman run', { concurrency: 3 }, () => {
  let world: World;
  before(async () => {
    world = await startWorld();
    await world.publish('acme/web', '1.4.2');
  });
  after(() => world?.close());

  const startOn = (name: string, host: string): { daemon: Running; bare: string } => {
    const bare = world.makeRepo(name, makeApp('web', `${host}/acme/web`, '1.4.2'));
    const daemon = world.start(['run', '--config', world.configure(name, { repos: [world.remote(name)] })]);
    return { daemon, bare };
  };
  const stop = async ({ child, finished, said }: Running): Promise<void> => {
    const startedMs = Date.now();
    child.kill('SIGTERM');
    const { code } = await finished;
    const tookMs = Date.now() - startedMs;
    assert.equal(code, 0, said());
    assert.ok(tookMs < maxStopMs, `stopped after ${tookMs} ms`);
    assert.match(said(), /"msg":"stopped"/);
  };

  it('commits what is pushed while it watches, version after version, and stops when told', async () => {
    const { daemon, bare } = startOn('watched', world.registry.host);
    await until(() => daemon.said().includes('"msg":"pass done"'), daemon.said);
    for (const [index, version] of ['1.5.0', '1.6.0'].entries()) {
      await world.publish('acme/web', version);
      await until(() => runGit(bare, ['rev-list', '--count', 'main']) === `${index + 2}`, daemon.said);
      assert.match(readTree(bare)['web/deployment.yaml']?.text ?? '', new RegExp(`:${version}\n$`));
    }
    await stop(daemon);
    assert.equal(runGit(bare, ['rev-list', '--count', 'main']), '3');
  });

  it('stops while a registry leaves it waiting', async (t) => {
    let asked = false;
    const silent = await startRegistryServer({
      intercept() {
        asked = true;
        return true;
      },
    });
    t.after(() => silent.close());
    const { daemon, bare } = startOn('silent-registry', silent.host);
    const start = tipOf(bare);
    await until(() => asked, daemon.said);
    await stop(daemon);
    assert.equal(tipOf(bare), start);
  });

  it('stops while the Git server leaves it waiting', async () => {
    let asked = false;
    world.git.intercept = ({ url = '' }) => {
      const silent = url.startsWith('/silent-git.git/');
      asked ||= silent;
      return silent;
    };
    const { daemon } = startOn('silent-git', world.registry.host);
    await until(() => asked, daemon.said);
    await stop(daemon);
  });
});
