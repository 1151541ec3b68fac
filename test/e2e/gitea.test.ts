import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { type Gitea, startGitea } from '../services/gitea.ts';
import { secret, startListening, stop } from './listening.ts';
import { makeApp } from './manifests.ts';
import { type Finished, until } from './run-program.ts';
import { startWorld, type World } from './world.ts';

interface Pull {
  readonly number: number;
  readonly title: string;
}

describe('a Yaml repo on Gitea', () => {
  let world: World;
  let gitea: Gitea;
  before(async () => {
    [world, gitea] = await Promise.all([startWorld(), startGitea()]);
    await world.publish('acme/web', '1.4.2');
    await world.publish('acme/web', '1.5.0');
  });
  after(async () => {
    await gitea?.close();
    await world?.close();
  });

  /** An empty repository; as `repos` has it. */
  async function makeRepo(name: string): Promise<{ repo: object; api: string }> {
    const { username, password } = gitea.user;
    await gitea.api('/user/repos', { method: 'POST', body: { name, auto_init: true, default_branch: 'main' } });
    const passwordFile = world.write('gitea-password', password);
    const repo = { url: `${gitea.url}/${username}/${name}.git`, credentials: { username, passwordFile } };
    return { repo, api: `/repos/${username}/${name}` };
  }

  async function addFiles(name: string, texts: Readonly<Record<string, string>>, branch = 'main'): Promise<void> {
    const files = Object.entries(texts).map(([path, text]) => ({
      operation: 'create',
      path,
      content: Buffer.from(text).toString('base64'),
    }));
    const body = { branch, message: 'Add files', files };
    await gitea.api(`/repos/${gitea.user.username}/${name}/contents`, { method: 'POST', body });
  }

  it("let a push to Gitea be followed at once, proved by Gitea's own signature", async () => {
    const { username } = gitea.user;
    const { repo } = await makeRepo('deploy');
    const { daemon, url } = await startListening(world, 'gitea', { repos: [repo] });
    const config = { url: `${url}/webhooks/git`, content_type: 'json', secret };
    const hook = { type: 'gitea', active: true, events: ['push', 'create', 'delete'], config };
    await gitea.api(`/repos/${username}/deploy/hooks`, { method: 'POST', body: hook });

    const app = makeApp('web', `${world.registry.host}/acme/web`, '1.4.2');
    await gitea.api(`/repos/${username}/deploy/branches`, { method: 'POST', body: { new_branch_name: 'other' } });
    await addFiles('deploy', app, 'other');
    await addFiles('deploy', app);
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
    const log = await stop(daemon);
    assert.doesNotMatch(daemon.said(), /secret is wrong/);
    const found = log.filter(({ msg, code }) => /^pass done|: looking now$/.test(msg) || code === 'ImageUpdated');
    const [first, woken, updated] = found.map(({ msg, hook, hint, code }) => ({ msg, hook, hint, code }));
    assert.deepEqual(
      [first?.msg, woken?.hook, woken?.hint, updated?.code],
      ['pass done', 'git', 'push', 'ImageUpdated'],
      'the push to main ended the pause, not the interval',
    );
  });

  it('is updated by pull requests: opened, updated in place, merged by a person, held where a person closed one', async () => {
    const { repo, api } = await makeRepo('reviewed');
    const app = makeApp('web', `${world.registry.host}/acme/web`, '1.4.2');
    await addFiles('reviewed', {
      ...app,
      'web/policy.yaml': `${app['web/policy.yaml']}  write: { mode: pull-request }\n`,
    });
    const config = world.configure('reviewed', { repos: [{ ...repo, forge: { kind: 'gitea' } }] });
    const pass = async (says: RegExp): Promise<Finished> => {
      const finished = await world.run(['run', '--once', '--config', config]);
      assert.equal(finished.code, 0, finished.stderr);
      assert.match(finished.log.at(-1)?.msg ?? '', says);
      return finished;
    };
    const pulls = async (): Promise<readonly (readonly [number, string])[]> => {
      const found = (await (await gitea.api(`${api}/pulls?state=open`)).json()) as Pull[];
      return found.map(({ number, title }) => [number, title]);
    };
    const read = async (branch: string): Promise<string> => {
      const answer = await gitea.api(`${api}/raw/web/deployment.yaml?ref=${encodeURIComponent(branch)}`);
      return /:([^:\s]+)\n$/.exec(await answer.text())?.[1] ?? '';
    };

    await pass(/^proposed updates in 1 pull request$/);
    assert.deepEqual(await pulls(), [[1, 'shop/web: 1.4.2 → 1.5.0']]);
    assert.equal(await read('main'), '1.4.2');

    await world.publish('acme/web', '1.6.0');
    await pass(/^proposed updates in 1 pull request$/);
    assert.deepEqual(await pulls(), [[1, 'shop/web: 1.4.2 → 1.6.0']]);
    assert.equal(await read('tallyman/main/updates'), '1.6.0');

    await mergeWhenReady(`${api}/pulls/1/merge`);
    assert.equal(await read('main'), '1.6.0');
    await pass(/^nothing to commit for 1 policy$/);
    assert.deepEqual(await pulls(), []);

    await world.publish('acme/web', '1.7.0');
    await pass(/^proposed updates in 1 pull request$/);
    assert.deepEqual(await pulls(), [[2, 'shop/web: 1.6.0 → 1.7.0']]);
    await gitea.api(`${api}/pulls/2`, { method: 'PATCH', body: { state: 'closed' } });
    const { log } = await pass(/^nothing to commit for 1 policy$/);
    assert.ok(log.some(({ code, msg }) => code === 'ImageHeld' && msg.includes('"1.7.0"')));
    assert.deepEqual([await pulls(), await read('main')], [[], '1.6.0']);
  });

  /** Gitea looks whether there are conflicts in its own time, and refuses meanwhile. */
  async function mergeWhenReady(path: string): Promise<void> {
    for (let tries = 1; ; tries += 1) {
      try {
        await gitea.api(path, { method: 'POST', body: { Do: 'squash' } });
        return;
      } catch (error) {
        if (tries === 100 || !/try again later/.test(String(error))) throw error;
        await wait(100);
      }
    }
  }
});
