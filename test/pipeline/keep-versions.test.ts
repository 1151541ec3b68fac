/** Versions that stand in some places while our newest commit wrote others elsewhere: taking them away counts too. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImage } from '../../src/pipeline/set-image.ts';
import { runGit } from '../services/git-server.ts';
import { type GitScene, openGitScene, place, policy } from './git-scene.ts';

const { signal } = new AbortController();
const web = 'web/deploy.yaml';
const other = 'web/other.yaml';
const first = (scene: GitScene) => runGit(scene.bare, ['rev-parse', 'main']);
const message = (scene: GitScene) => runGit(scene.bare, ['log', '-1', '--format=%B', 'main']);
const narrow = (range: string, app = 'web') => ({ [`${app}/policy.yaml`]: policy(app, { range }) });

/** Our first commit wrote 1.5.0, the second a lower version elsewhere; the id of the first. */
async function writeLower(scene: GitScene): Promise<string> {
  await scene.pass({ [web]: '1.5.0' });
  const ours = first(scene);
  scene.write({ ...narrow('<1.5.0'), [other]: place('web', '1.0.0') });
  await scene.pass({ [web]: '1.5.0', [other]: '1.4.2' });
  return ours;
}

describe('a version that our newest commit left standing', () => {
  it('stays away once it is reverted, where the range was narrowed meanwhile', async () => {
    const scene = openGitScene();
    const ours = await writeLower(scene);
    assert.match(message(scene), /\nTallyman-Kept: shop\/web ghcr\.io\/acme\/web 1\.4\.2 -> 1\.5\.0\n/);
    scene.person(['revert', '--no-edit', ours]);
    scene.write(narrow('*'));
    const still = { [web]: '1.4.2', [other]: '1.4.2' };
    assert.deepEqual(await scene.pass(still), [`ImageHeld ${web}`]);
    assert.deepEqual(await scene.pass(still, { restart: true }), [`ImageHeld ${web}`]);
  });

  it('stays away where `set` wrote a lower one elsewhere', async () => {
    const scene = openGitScene();
    await scene.pass({ [web]: '1.5.0' });
    const ours = first(scene);
    scene.write({ [other]: place('web', '1.0.0') });
    const repository = { host: 'ghcr.io', path: 'acme/web' };
    await setImage(scene.context, { repository, tag: '1.4.2', digest: undefined }, { signal });
    scene.person(['revert', '--no-edit', ours]);
    assert.deepEqual(await scene.pass({ [web]: '1.4.2', [other]: '1.4.2' }), [`ImageHeld ${web}`]);
  });

  it('is carried by each commit until it stands nowhere', async () => {
    const scene = openGitScene();
    const ours = await writeLower(scene);
    scene.tags.push('1.4.3');
    await scene.pass({ [web]: '1.5.0', [other]: '1.4.3' });
    scene.write({ ...narrow('<1.4.3'), 'web/third.yaml': place('web', '1.0.0') });
    await scene.pass({ [web]: '1.5.0', [other]: '1.4.3', 'web/third.yaml': '1.4.2' }, { restart: true });
    assert.deepEqual(message(scene).match(/-> \S+$/gm), ['-> 1.4.2', '-> 1.5.0', '-> 1.4.3']);
    scene.person(['revert', '--no-edit', ours]);
    scene.write(narrow('*'));
    assert.deepEqual(await scene.pass({ [web]: '1.4.2', [other]: '1.4.3' }), [`ImageHeld ${web}`]);
    scene.tags.push('1.6.0');
    assert.deepEqual(await scene.pass({ [web]: '1.6.0', [other]: '1.6.0' }), []);
    assert.doesNotMatch(message(scene), /Tallyman-Kept/);
    assert.match(message(scene), /Tallyman-Held: shop\/web 1\.5\.0\n/);
  });

  it('is written again once the revert is reverted', async () => {
    const scene = openGitScene();
    const ours = await writeLower(scene);
    scene.person(['revert', '--no-edit', ours]);
    scene.write(narrow('*'));
    await scene.pass({ [web]: '1.4.2' });
    scene.person(['revert', '--no-edit', 'HEAD~1']);
    assert.deepEqual(await scene.pass({ [web]: '1.5.0', [other]: '1.5.0' }), []);
  });

  it('is of its own policy', async () => {
    const scene = openGitScene(['web', 'api']);
    await scene.pass({ [web]: '1.5.0', 'api/deploy.yaml': '1.5.0' });
    const ours = first(scene);
    scene.write({ ...narrow('<1.5.0'), [other]: place('web', '1.0.0') });
    scene.write({ ...narrow('<1.5.0', 'api'), 'api/other.yaml': place('api', '1.0.0') });
    await scene.pass({ [web]: '1.5.0', [other]: '1.4.2', 'api/other.yaml': '1.4.2' });
    scene.person(['revert', '-n', ours], ['checkout', '-q', 'HEAD', '--', 'api'], ['commit', '-qm', 'back']);
    scene.write({ ...narrow('*'), ...narrow('*', 'api') });
    const versions = { [web]: '1.4.2', [other]: '1.4.2', 'api/deploy.yaml': '1.5.0', 'api/other.yaml': '1.5.0' };
    assert.deepEqual(await scene.pass(versions), [`ImageHeld ${web}`]);
  });

  it('counts also where it was taken back by way of a newer one that a person wrote', async () => {
    const scene = openGitScene();
    await scene.pass({ [web]: '1.5.0' });
    const ours = first(scene);
    scene.write({ [web]: place('web', '1.6.0') });
    const theirs = first(scene);
    scene.write({ ...narrow('<1.5.0'), [other]: place('web', '1.0.0') });
    await scene.pass({ [web]: '1.6.0', [other]: '1.4.2' });
    scene.person(['revert', '--no-edit', theirs], ['revert', '--no-edit', ours]);
    scene.write(narrow('*'));
    assert.deepEqual(await scene.pass({ [web]: '1.4.2', [other]: '1.4.2' }), [`ImageHeld ${web}`]);
  });

  it('is not taken for put back where it stood all the time beside the place that lost it', async () => {
    const scene = openGitScene();
    scene.write({ [other]: place('web', '1.4.2') });
    await scene.pass({ [web]: '1.5.0', [other]: '1.5.0' });
    scene.write({ ...narrow('<1.5.0'), [web]: place('web', '1.3.0') });
    await scene.pass({ [web]: '1.4.2', [other]: '1.5.0' });
    scene.write(narrow('*'));
    assert.deepEqual(await scene.pass({ [web]: '1.4.2', [other]: '1.5.0' }), ['ImageHeld web/policy.yaml']);
    scene.write({ [web]: place('web', '1.5.0'), 'web/new.yaml': place('web', '1.4.2') });
    const all = { [web]: '1.5.0', [other]: '1.5.0', 'web/new.yaml': '1.5.0' };
    assert.deepEqual(await scene.pass(all, { restart: true }), []);
  });
});
