import assert from 'node:assert/strict';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { commitFiles, runGit } from '../services/git-server.ts';
import { formatPolicy, makeApp } from './manifests.ts';
import type { Finished } from './run-program.ts';
import { readTree, startWorld, tipOf, type World } from './world.ts';

/** A bare repository, a person's clone of it, and the program run on it. */
interface Scene {
  readonly bare: string;
  run(...args: readonly string[]): Promise<Finished>;
  /** A person's git commands, on the newest state, and pushed. */
  person(...commands: readonly (readonly string[])[]): void;
  /** The version that an app has. */
  version(app: string): string;
  /** One pass that is to leave these versions; its problems' codes. */
  pass(versions: Readonly<Record<string, string>>): Promise<string[]>;
}

describe('a person wins', { concurrency: 2 }, () => {
  let world: World;
  before(async () => {
    world = await startWorld();
    for (const app of ['web', 'api']) for (const tag of ['1.4.2', '1.5.0']) await world.publish(`acme/${app}`, tag);
  });
  after(() => world?.close());

  function open(name: string, apps: readonly string[] = ['web']): Scene {
    const files = apps.map((app) => makeApp(app, `${world.registry.host}/acme/${app}`, '1.4.2'));
    const bare = world.makeRepo(name, Object.assign({}, ...files));
    const clone = join(world.folder, `${name}-clone`);
    runGit(world.folder, ['clone', '-q', bare, clone]);
    const config = world.configure(name, { repos: [world.remote(name)] });
    const scene: Scene = {
      bare,
      run: (...args) => world.run([...args, '--config', config]),
      person(...commands) {
        runGit(clone, ['pull', '-q', '--ff-only']);
        for (const command of commands) runGit(clone, command);
        runGit(clone, ['push', '-q', 'origin', 'HEAD:main']);
      },
      version: (app) => /:([^:\s]+)\n$/.exec(readTree(bare)[`${app}/deployment.yaml`]?.text ?? '')?.[1] ?? '',
      async pass(versions) {
        const { code, log, stderr } = await scene.run('run', '--once');
        assert.equal(code, 0, stderr);
        assert.deepEqual(Object.fromEntries(Object.keys(versions).map((app) => [app, scene.version(app)])), versions);
        return log.flatMap((line) => (line.remedy === undefined ? [] : String(line.code)));
      },
    };
    return scene;
  }

  it('git revert is a rollback, and a revert of the revert ends it', async () => {
    const scene = open('revert');
    await scene.pass({ web: '1.5.0' });
    scene.person(['revert', '--no-edit', 'HEAD']);
    assert.deepEqual(await scene.pass({ web: '1.4.2' }), ['ImageHeld']);
    scene.person(['revert', '--no-edit', 'HEAD']);
    assert.deepEqual(await scene.pass({ web: '1.5.0' }), []);
    assert.equal(runGit(scene.bare, ['log', '--format=%s', '--grep=Tallyman-Update']).split('\n').length, 1);
  });

  it('hold and resume are commits that change nothing, and explain and plan show the hold', async () => {
    const scene = open('asked');
    const hold = await scene.run('hold', 'shop/web', '--reason', 'until the audit is done');
    assert.equal(hold.code, 0, hold.stderr);
    assert.match(hold.stdout, /^shop\/web is held until `tallyman resume shop\/web`, as of commit [0-9a-f]{40}\n$/);
    assert.equal(runGit(scene.bare, ['diff', '--stat', 'main~1', 'main']), '');
    const tip = tipOf(scene.bare);
    const again = await scene.run('hold', 'shop/web');
    assert.deepEqual([again.code, tipOf(scene.bare)], [0, tip]);
    assert.match(again.stdout, /^shop\/web is held since \S+: until the audit is done: nothing to do\n$/);
    assert.deepEqual(await scene.pass({ web: '1.4.2' }), ['ImageHeld']);
    assert.match(
      (await scene.run('explain', 'shop/web')).stdout,
      /^held since \S+: until the audit is done \(commit /m,
    );
    const plan = await scene.run('plan');
    assert.deepEqual([plan.code, plan.stdout], [0, '']);
    assert.match(plan.stderr, /shop\/web.*until the audit is done.*\[ImageHeld\] Run `tallyman resume shop\/web`/);
    const resumed = await scene.run('resume', 'shop/web', '--reason', 'done');
    assert.equal(resumed.code, 0, resumed.stderr);
    assert.deepEqual(await scene.pass({ web: '1.5.0' }), []);
    assert.match((await scene.run('resume', 'shop/web')).stdout, /is not held: nothing to do/);
  });

  it('hold names the policies that there are, and knows wrong use', async () => {
    const scene = open('unknown');
    for (const verb of ['hold', 'resume']) {
      const { code, stderr } = await scene.run(verb, 'shop/none');
      assert.equal(code, 1);
      const wanted = 'the Yaml repo has shop/web, one of its policies was wanted';
      assert.ok(stderr.includes(`Cannot ${verb} policy "shop/none": ${wanted}`), stderr);
    }
    assert.equal((await scene.run('hold')).code, 2);
    rmSync(scene.bare, { recursive: true });
    assert.equal((await scene.run('hold', 'shop/none')).code, 3);
    mkdirSync(scene.bare);
    runGit(scene.bare, ['init', '-q', '--bare', '.']);
  });

  it('works in a work tree too', async () => {
    const folder = join(world.folder, 'tree');
    const image = `${world.registry.host}/acme/web`;
    runGit(world.folder, ['clone', '-q', world.makeRepo('tree-origin', makeApp('web', image, '1.4.2')), folder]);
    const config = world.configure('tree', { repos: [{ path: folder }] });
    const run = async (...args: readonly string[]) => {
      const { code, stderr } = await world.run([...args, '--config', config]);
      assert.equal(code, 0, stderr);
      assert.equal(runGit(folder, ['status', '--porcelain']), '');
    };
    await run('hold', 'shop/web');
    await run('run', '--once');
    await run('resume', 'shop/web');
    await run('run', '--once');
    runGit(folder, ['revert', '--no-edit', 'HEAD']);
    await run('run', '--once');
    const subjects = runGit(folder, ['log', '--format=%s']).split('\n');
    assert.deepEqual(subjects.slice(0, 4), [
      'Revert "shop/web: 1.4.2 → 1.5.0"',
      'shop/web: 1.4.2 → 1.5.0',
      'Resume shop/web',
      'Hold shop/web',
    ]);
  });

  it('groups are commits of their own', async () => {
    const host = world.registry.host;
    const grouped = (app: string) => `${formatPolicy(app, `${host}/acme/${app}`)}  write: { group: ${app}s }\n`;
    const scene = open('groups', ['web', 'api']);
    commitFiles(scene.bare, { 'web/policy.yaml': grouped('web'), 'api/policy.yaml': grouped('api') });
    await scene.pass({ web: '1.5.0', api: '1.5.0' });
    assert.deepEqual(runGit(scene.bare, ['log', '-2', '--format=%s', 'main']).split('\n'), [
      'shop/web: 1.4.2 → 1.5.0',
      'shop/api: 1.4.2 → 1.5.0',
    ]);
  });
});
