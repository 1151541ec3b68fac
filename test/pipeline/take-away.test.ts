/** What people do with real git, against passes over a real repository. */
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { runGit } from '../services/git-server.ts';
import { openGitScene, place } from './git-scene.ts';

/** When our commits are made; those of people here have one fixed date. */
let oursMs = 0;
const open = (apps?: readonly string[]) => openGitScene(apps, { oursMs });
const web = 'web/deploy.yaml';
const api = 'api/deploy.yaml';
const revert = (commit = 'HEAD') => ['revert', '--no-edit', commit];

// Clocks in the world differ.
for (const [clocks, whenMs] of [
  ['ours behind', 1_600_000_000_000],
  ['ours ahead', 1_800_000_000_000],
] as const) {
  describe(`a person takes a version away with git, ${clocks}`, () => {
    before(() => {
      oursMs = whenMs;
    });

    it('git revert is a rollback, and stays one', async () => {
      const scene = open();
      assert.deepEqual(await scene.pass({ [web]: '1.5.0' }), []);
      scene.person(revert());
      assert.deepEqual(await scene.pass({ [web]: '1.4.2' }), [`ImageHeld ${web}`]);
      scene.person(['commit', '-q', '--allow-empty', '-m', 'something else']);
      assert.deepEqual(await scene.pass({ [web]: '1.4.2' }), [`ImageHeld ${web}`]);
      assert.deepEqual(await scene.pass({ [web]: '1.4.2' }, { restart: true }), [`ImageHeld ${web}`]);
    });

    it('a revert of the revert ends the hold, and the next revert holds again', async () => {
      const scene = open();
      await scene.pass({ [web]: '1.5.0' });
      scene.person(revert());
      await scene.pass({ [web]: '1.4.2' });
      scene.person(revert());
      scene.write({ 'web/new.yaml': place('web', '1.4.2') });
      assert.deepEqual(await scene.pass({ [web]: '1.5.0', 'web/new.yaml': '1.5.0' }), []);
      scene.person(revert());
      assert.deepEqual(await scene.pass({ [web]: '1.5.0', 'web/new.yaml': '1.4.2' }), ['ImageHeld web/new.yaml']);
    });

    it('a newer version is written, and the one taken away stays away with it', async () => {
      const scene = open();
      await scene.pass({ [web]: '1.5.0' });
      scene.person(revert());
      scene.tags.push('1.4.9');
      assert.deepEqual(await scene.pass({ [web]: '1.4.2' }), [`ImageHeld ${web}`]);
      scene.tags.push('1.6.0');
      assert.deepEqual(await scene.pass({ [web]: '1.6.0' }, { restart: true }), []);
      scene.person(revert());
      scene.tags.pop();
      assert.deepEqual(await scene.pass({ [web]: '1.4.2' }, { restart: true }), [`ImageHeld ${web}`]);
    });

    it('two versions taken away in one push stay away both', async () => {
      const scene = open();
      await scene.pass({ [web]: '1.5.0' });
      scene.tags.push('1.6.0');
      await scene.pass({ [web]: '1.6.0' });
      scene.person(revert(), revert('HEAD~2'));
      assert.deepEqual(await scene.pass({ [web]: '1.4.2' }), [`ImageHeld ${web}`]);
    });

    it('a revert of a batch holds all of it, a partial one the file that it names', async () => {
      const scene = open(['web', 'api']);
      await scene.pass({ [web]: '1.5.0', [api]: '1.5.0' });
      scene.person(revert());
      assert.deepEqual(await scene.pass({ [web]: '1.4.2', [api]: '1.4.2' }), [`ImageHeld ${api}`, `ImageHeld ${web}`]);
      scene.person(['checkout', '-q', 'HEAD~1', '--', 'api'], ['commit', '-qm', 'api again']);
      assert.deepEqual(await scene.pass({ [web]: '1.4.2', [api]: '1.5.0' }), [`ImageHeld ${web}`]);
    });

    it('one file of several taken back holds the policy', async () => {
      const scene = open();
      scene.write({ 'web/b.yaml': place('web', '1.4.2'), 'web/c.yaml': place('web', '1.4.2') });
      await scene.pass({ [web]: '1.5.0', 'web/b.yaml': '1.5.0', 'web/c.yaml': '1.5.0' });
      scene.person(['checkout', '-q', 'HEAD~1', '--', 'web/b.yaml'], ['commit', '-qm', 'not here']);
      scene.write({ 'web/new.yaml': place('web', '1.4.2') });
      assert.deepEqual(await scene.pass({ [web]: '1.5.0', 'web/b.yaml': '1.4.2', 'web/new.yaml': '1.4.2' }), ['ImageHeld web/b.yaml']);
    });

    it('a change by hand counts like a revert, whatever else it changes', async () => {
      const scene = open();
      await scene.pass({ [web]: '1.5.0' });
      scene.write({ [web]: `# back\n${place('web', '1.3.0').replace('replicas: 1', 'replicas: 3')}` });
      assert.deepEqual(await scene.pass({ [web]: '1.3.0' }), [`ImageHeld ${web}`]);
    });

    it('a person’s own newer version is simply the current one', async () => {
      const scene = open();
      await scene.pass({ [web]: '1.5.0' });
      scene.write({ [web]: place('web', '1.6.0') });
      scene.tags.push('1.6.0', '1.7.0');
      assert.deepEqual(await scene.pass({ [web]: '1.7.0' }), []);
    });

    it('a revert that comes in by a merge counts', async () => {
      const scene = open();
      await scene.pass({ [web]: '1.5.0' });
      scene.person(['checkout', '-q', '-b', 'rollback'], revert(), ['checkout', '-q', 'main'], ['commit', '-q', '--allow-empty', '-m', 'meanwhile'], ['merge', '-q', '--no-ff', '-m', 'Merge the rollback', 'rollback']);
      assert.deepEqual(await scene.pass({ [web]: '1.4.2' }), [`ImageHeld ${web}`]);
      assert.deepEqual(await scene.pass({ [web]: '1.4.2' }, { restart: true }), [`ImageHeld ${web}`]);
    });

    it('a branch that began before our commit and is merged after it takes nothing away', async () => {
      const scene = open();
      scene.person(['checkout', '-q', '-b', 'feature'], ['commit', '-q', '--allow-empty', '-m', 'work'], ['checkout', '-q', 'main']);
      await scene.pass({ [web]: '1.5.0' });
      scene.person(['merge', '-q', '--no-ff', '-m', 'Merge the feature', 'feature']);
      scene.tags.push('1.6.0');
      assert.deepEqual(await scene.pass({ [web]: '1.6.0' }), []);
    });

    it('a squashed and rewritten branch still says what was written', async () => {
      const scene = open();
      await scene.pass({ [web]: '1.5.0' });
      const message = runGit(scene.bare, ['log', '-1', '--format=%B', 'main']);
      scene.person(['reset', '-q', '--soft', 'HEAD~1'], ['commit', '-qm', `Squash\n\n* one\n\n${message}\n\n* two`], ['push', '-q', '--force', 'origin', 'HEAD:main']);
      assert.deepEqual(await scene.pass({ [web]: '1.5.0' }), []);
      scene.person(revert());
      assert.deepEqual(await scene.pass({ [web]: '1.4.2' }), [`ImageHeld ${web}`]);
    });

    it('a branch set back before our commit knows nothing of it', async () => {
      const scene = open();
      await scene.pass({ [web]: '1.5.0' });
      scene.person(['reset', '-q', '--hard', 'HEAD~1'], ['push', '-q', '--force', 'origin', 'HEAD:main']);
      assert.deepEqual(await scene.pass({ [web]: '1.5.0' }), []);
    });
  });
} // biome-ignore format: rows
