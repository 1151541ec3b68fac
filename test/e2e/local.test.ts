import assert from 'node:assert/strict';
import { appendFileSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { commitFiles, runGit } from '../services/git-server.ts';
import { makeApp } from './manifests.ts';
import { author, readTree, startWorld, tipOf, type World } from './world.ts';

describe('a Yaml repo in a folder', { concurrency: 4 }, () => {
  let world: World;
  let image: string;
  before(async () => {
    world = await startWorld();
    image = `${world.registry.host}/acme/web`;
    for (const tag of ['1.4.2', '1.5.0']) await world.publish('acme/web', tag);
  });
  after(() => world?.close());

  const file = 'web/deployment.yaml';
  const makeRepo = (name: string): string =>
    world.makeRepo(name, { ...makeApp('web', image, '1.4.2'), 'notes.txt': 'notes\n', '.gitignore': 'ignored\n' });
  const makeWorkTree = (name: string): string => {
    runGit(world.folder, ['clone', '-q', makeRepo(`${name}-origin`), name]);
    return join(world.folder, name);
  };
  const runOn = (name: string, path: string) =>
    world.run(['run', '--once', '--config', world.configure(name, { repos: [{ path }] })]);

  it('bare: has the commit, and is not touched again', async () => {
    const bare = makeRepo('bare');
    const start = tipOf(bare);
    const { code, stderr } = await runOn('bare', bare);
    assert.equal(code, 0, stderr);
    assert.equal(runGit(bare, ['rev-list', '--parents', '-1', 'main']), `${tipOf(bare)} ${start}`);
    assert.equal(
      runGit(bare, ['log', '-1', '--format=%s|%an|%ae', 'main']),
      `shop/web: 1.4.2 → 1.5.0|${author.name}|${author.email}`,
    );
    assert.match(readTree(bare)[file]?.text ?? '', /:1\.5\.0\n$/);
    const tip = tipOf(bare);
    assert.equal((await runOn('bare', bare)).code, 0);
    assert.equal(tipOf(bare), tip);
  });

  it('a work tree: files, index and branch move together', async () => {
    const folder = makeWorkTree('clean');
    const start = tipOf(folder);
    const { mode } = statSync(join(folder, file));
    const { code, stderr } = await runOn('clean', folder);
    assert.equal(code, 0, stderr);
    assert.equal(runGit(folder, ['rev-list', '--parents', '-1', 'HEAD']), `${tipOf(folder)} ${start}`);
    assert.equal(readFileSync(join(folder, file), 'utf8'), readTree(folder)[file]?.text);
    assert.match(readFileSync(join(folder, file), 'utf8'), /:1\.5\.0\n$/);
    assert.equal(statSync(join(folder, file)).mode, mode);
    assert.equal(runGit(folder, ['status', '--porcelain', '--ignored']), '');
    assert.equal(runGit(folder, ['fsck', '--strict', '--no-dangling']), '');
  });

  it("a work tree with a person's change to the file: nothing is changed, and it is told", async () => {
    const folder = makeWorkTree('dirty');
    const start = tipOf(folder);
    appendFileSync(join(folder, file), '# not committed yet\n');
    const changed = readFileSync(join(folder, file), 'utf8');
    const status = runGit(folder, ['status', '--porcelain']);
    const { code, log, stderr } = await runOn('dirty', folder);
    assert.equal(code, 3, stderr);
    const problem = log.find((line) => line.code !== undefined);
    assert.equal(problem?.code, 'WorkTreeDirty');
    assert.match(problem.msg, /^Cannot change "web\/deployment\.yaml" in the work tree: it differs from the commit/);
    assert.match(String(problem.remedy), /Commit, stash or undo/);
    assert.equal(tipOf(folder), start);
    assert.equal(readFileSync(join(folder, file), 'utf8'), changed);
    assert.equal(runGit(folder, ['status', '--porcelain']), status);
  });

  it("a work tree with a person's changes to other files: they stay, uncommitted, staged or not", async () => {
    const folder = makeWorkTree('busy');
    appendFileSync(join(folder, 'notes.txt'), 'more\n');
    writeFileSync(join(folder, 'staged.txt'), 'new\n');
    writeFileSync(join(folder, 'untracked.txt'), 'new\n');
    runGit(folder, ['add', 'staged.txt']);
    const status = runGit(folder, ['status', '--porcelain']);
    const { code, stderr } = await runOn('busy', folder);
    assert.equal(code, 0, stderr);
    assert.equal(runGit(folder, ['diff', '--name-only', 'HEAD~1', 'HEAD']), file);
    assert.equal(runGit(folder, ['status', '--porcelain']), status);
  });

  it('check: reads a bare repository and a named branch as committed, a work tree as it is on disk', async () => {
    const bare = makeRepo('checked');
    runGit(world.folder, ['clone', '-q', bare, 'checked']);
    const folder = join(world.folder, 'checked');
    const check = async (settings: { path: string; branch?: string }): Promise<unknown> =>
      (await world.run(['check', '--config', world.configure('checked', { repos: [settings] })])).code;
    assert.equal(await check({ path: bare }), 0);
    appendFileSync(join(folder, file), 'not: [yaml\n');
    assert.equal(await check({ path: folder }), 1);
    assert.equal(await check({ path: folder, branch: 'main' }), 0);
    commitFiles(bare, { [file]: `${readTree(bare)[file]?.text}not: [yaml\n` });
    assert.equal(await check({ path: bare }), 1);
  });
});
