/** Where the history ends before it could be told whether a person took something away. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { createYamlRepo, type RepoLocation } from '../../src/git/yaml-repo.ts';
import { changeHold } from '../../src/pipeline/change-hold.ts';
import { explainPolicy } from '../../src/pipeline/explain-policy.ts';
import { openLookup, type PassContext, planPass, runPass } from '../../src/pipeline/run-pass.ts';
import { setImage } from '../../src/pipeline/set-image.ts';
import { commitFiles, makeBareRepo, runGit, startGitServer } from '../services/git-server.ts';
import { fakeRegistry, listingOf, manifestWith } from './fake-registry.ts';
import { passOver } from './fake-yaml-repo.ts';
import { openGitScene, place, policy } from './git-scene.ts';

const { signal } = new AbortController();
const folder = mkdtempSync(join(tmpdir(), 'tallyman-shallow-'));
after(() => rmSync(folder, { recursive: true }));
const web = 'web/deploy.yaml';
const repository = { host: 'ghcr.io', path: 'acme/web' };

/** A bare repository in which a person reverted our 1.5.0. */
async function makeReverted(): Promise<string> {
  const scene = openGitScene();
  await scene.pass({ [web]: '1.5.0' });
  scene.person(['revert', '--no-edit', 'HEAD']);
  return scene.bare;
}

let clones = 0;
/** A work tree as CI checks it out. */
function checkOut(bare: string, depth: number): string {
  clones += 1;
  const tree = join(folder, `tree-${clones}`);
  runGit(folder, ['clone', '-q', `--depth=${depth}`, `file://${bare}`, tree]);
  return tree;
}

function openContext(location: RepoLocation, tags: readonly string[] = ['1.4.2', '1.5.0']): PassContext {
  const repo = createYamlRepo({ location, stateDir: folder });
  const digest = `sha256:${'a'.repeat(64)}`;
  const fetchManifest = async () => manifestWith({ digest });
  return passOver(repo, fakeRegistry({ listTags: async () => listingOf(...tags), fetchManifest }));
}

const openTree = (tree: string, tags?: readonly string[]) => openContext({ kind: 'local', path: tree }, tags);
const codes = (problems: readonly { readonly code: string }[]) => problems.map(({ code }) => code);

describe('a checkout of depth 1', () => {
  it('writes nothing for a policy of which is not known what a person took away', async () => {
    const tree = checkOut(await makeReverted(), 1);
    const tip = runGit(tree, ['rev-parse', 'HEAD']);
    const context = openTree(tree);
    const { commit, problems } = await runPass(context, { signal });
    assert.deepEqual([commit, codes(problems)], [undefined, ['HistoryShallow']]);
    assert.equal(
      problems[0]?.message,
      `Cannot update policy "shop/web": the history here ends at commit ${tip.slice(0, 7)}, before what was written for it, one that goes further back was wanted`,
    );
    assert.match(problems[0]?.remedy ?? '', /`git fetch --unshallow`/);
    const planned = await planPass(context, openLookup(context, { signal }), { signal });
    assert.deepEqual([planned.edits, codes(planned.problems)], [[], ['HistoryShallow']]);
    const set = await setImage(context, { repository, tag: '1.5.0', digest: undefined }, { signal });
    assert.deepEqual([codes(set.problems), set.commits], [['HistoryShallow'], []]);
    assert.deepEqual([set.policies[0]?.outcome], ['refused']);
    const changed = await changeHold(context, { verb: 'resume', policy: 'shop/web', reason: '' }, { signal });
    assert.deepEqual([changed.commit, changed.problem?.code], [undefined, 'HistoryShallow']);
    const { hold, tags } = await explainPolicy(context, openLookup(context, { signal }), { key: 'shop/web', signal });
    assert.equal(hold?.endsAt, tip);
    assert.match(tags.find(({ tag }) => tag === '1.5.0')?.reason ?? '', /history here ends/);
    assert.equal(runGit(tree, ['rev-parse', 'HEAD']), tip);
    assert.match(readFileSync(join(tree, web), 'utf8'), /:1\.4\.2\n/);
  });

  it('is no hindrance to a hold, which needs no past', async () => {
    const context = openTree(checkOut(await makeReverted(), 1));
    const change = { verb: 'hold', policy: 'shop/web', reason: 'audit' } as const;
    const held = await changeHold(context, change, { signal });
    assert.deepEqual([held.problem, held.commit === undefined], [undefined, false]);
    assert.deepEqual(codes((await runPass(context, { signal })).problems), ['ImageHeld']);
    assert.match((await changeHold(context, change, { signal })).told, /is held since .*: audit: nothing to do/);
    const ended = await changeHold(context, { ...change, verb: 'resume' }, { signal });
    assert.match(ended.told, /is ended.*; nothing is written all the same: the history here ends at commit/);
    assert.deepEqual(codes((await runPass(context, { signal })).problems), ['HistoryShallow']);
  });

  it('writes nothing above either, and no digest beside what is there', async () => {
    const bare = await makeReverted();
    const above = await runPass(openTree(checkOut(bare, 1), ['1.6.0']), { signal });
    assert.deepEqual([above.commit, codes(above.problems)], [undefined, ['HistoryShallow']]);
    commitFiles(bare, {
      'web/policy.yaml': `${policy('web', { range: '<1.5.0' })}  pin: digest\n`,
    });
    const pinned = await runPass(openTree(checkOut(bare, 1)), { signal });
    assert.deepEqual([pinned.commit, codes(pinned.problems)], [undefined, ['HistoryShallow']]);
  });

  it('goes on with policies of which enough is known', async () => {
    const scene = openGitScene(['web', 'api']);
    scene.write({ 'web/policy.yaml': policy('web', { range: '<1.5.0' }) });
    await scene.pass({ 'api/deploy.yaml': '1.5.0', [web]: '1.4.2' });
    scene.write({ 'web/policy.yaml': policy('web') });
    scene.tags.push('1.6.0');
    const tree = checkOut(scene.bare, 2);
    const { problems } = await runPass(openTree(tree, scene.tags), { signal });
    assert.deepEqual(codes(problems), ['HistoryShallow']);
    assert.match(readFileSync(join(tree, 'api/deploy.yaml'), 'utf8'), /:1\.6\.0\n/);
    assert.match(readFileSync(join(tree, web), 'utf8'), /:1\.4\.2\n/);
  });

  it('is taken for whole where it is, and once it was made so', async () => {
    const short = makeBareRepo(join(folder, 'short.git'), { 'policy.yaml': policy('web'), 'web.yaml': place('web', '1.4.2') });
    assert.deepEqual(codes((await runPass(openTree(checkOut(short, 1)), { signal })).problems), []);
    const tree = checkOut(await makeReverted(), 1);
    const context = openTree(tree);
    assert.deepEqual(codes((await runPass(context, { signal })).problems), ['HistoryShallow']);
    runGit(tree, ['fetch', '-q', '--unshallow']);
    assert.deepEqual(codes((await runPass(context, { signal })).problems), ['ImageHeld']);
  }); // biome-ignore format: one line

  it('does not trust what lies behind a merge whose other side it cannot see', async () => {
    const scene = openGitScene();
    scene.person(['checkout', '-q', '-b', 'feature'], ['commit', '-q', '--allow-empty', '-m', 'work'], ['checkout', '-q', 'main']);
    await scene.pass({ [web]: '1.5.0' });
    await changeHold(scene.context, { verb: 'hold', policy: 'shop/web', reason: '' }, { signal });
    scene.person(['revert', '--no-edit', 'HEAD~1'], ['merge', '-q', '--no-ff', '-m', 'Merge the feature', 'feature']);
    const { problems } = await runPass(openTree(checkOut(scene.bare, 2)), { signal });
    assert.deepEqual(codes(problems), ['HistoryShallow']);
  }); // biome-ignore format: one line
});

describe('a remote that is shallow itself', () => {
  it('gets nothing written either, until it is whole', async () => {
    const bare = await makeReverted();
    runGit(folder, ['clone', '-q', '--bare', '--depth=1', `file://${bare}`, 'cut.git']);
    runGit(join(folder, 'cut.git'), ['config', 'http.receivepack', 'true']);
    const server = await startGitServer({ root: folder });
    try {
      const context = openContext({ kind: 'remote', url: server.url('cut.git') });
      const { commit, problems } = await runPass(context, { signal });
      assert.deepEqual([commit, codes(problems)], [undefined, ['HistoryShallow']]);
      runGit(join(folder, 'cut.git'), ['fetch', '-q', '--unshallow']);
      assert.deepEqual(codes((await runPass(context, { signal })).problems), ['ImageHeld']);
    } finally {
      await server.close();
    }
  });
});
