import assert from 'node:assert/strict';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { runGit } from '../services/git-server.ts';
import { failureOf, type Scene, withScene } from './remote-scene.ts';
import { newCommit, signal } from './workshop.ts';

const pushOptions = ['merge_request.create', 'merge_request.title=Größe & more "now"', `topic=${'x'.repeat(900)}`];

/** Lets a hook write down what options came with each push. */
function noteOptions({ bare }: Scene): () => string[] {
  runGit(bare, ['config', 'receive.advertisePushOptions', 'true']);
  const file = join(bare, 'noted');
  const hook = `#!/bin/sh
echo "count $GIT_PUSH_OPTION_COUNT" >>noted
n=0; while [ $n -lt "\${GIT_PUSH_OPTION_COUNT:-0}" ]; do eval "echo \\"\\$GIT_PUSH_OPTION_$n\\"" >>noted; n=$((n+1)); done
`;
  writeFileSync(join(bare, 'hooks', 'pre-receive'), hook, { mode: 0o755 });
  return () => {
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
    rmSync(file);
    return lines;
  };
}

describe('push options', () => {
  it('go with each commit that is pushed, and with no branch that is removed', () =>
    withScene(async (scene) => {
      const read = noteOptions(scene);
      const repo = scene.open({ pushOptions });
      const base = await repo.fetch({ signal });
      const pushed = await repo.push(newCommit(base, { 'apps.yaml': 'new' }), { signal });
      assert.deepEqual(pushed, { kind: 'pushed', commit: runGit(scene.bare, ['rev-parse', 'main']) });
      assert.deepEqual(read(), ['count 3', ...pushOptions]);
      const commit = newCommit(base, { 'apps.yaml': 'proposed' });
      const made = await repo.pushBranch({ branch: 'tallyman/x', expected: undefined, commit }, { signal });
      assert.deepEqual(read(), ['count 3', ...pushOptions]);
      const expected = 'commit' in made ? made.commit : '';
      assert.equal(await repo.deleteBranch({ branch: 'tallyman/x', expected }, { signal }), true);
      assert.deepEqual(read(), ['count 0']);
    }));

  it('are sent by nobody who has none', () =>
    withScene(async (scene) => {
      const read = noteOptions(scene);
      const repo = scene.open();
      await repo.push(newCommit(await repo.fetch({ signal }), { 'apps.yaml': 'new' }), { signal });
      assert.deepEqual(read(), ['count 0']);
    }));

  it('keep a push back where the server takes none', () =>
    withScene(async ({ bare, open }) => {
      const repo = open({ pushOptions });
      const base = await repo.fetch({ signal });
      const commit = newCommit(base, { 'apps.yaml': 'new' });
      const pushes = [
        repo.push(commit, { signal }),
        repo.pushBranch({ branch: 'tallyman/x', expected: undefined, commit }, { signal }),
      ];
      for (const push of pushes) {
        const { code, message, remedy } = await failureOf(push);
        assert.equal(code, 'PushRejected');
        assert.match(`${message} ${remedy}`, /takes no push options.*advertisePushOptions.*`pushOptions`/);
      }
      assert.equal(
        runGit(bare, ['for-each-ref', '--format=%(refname) %(objectname)']),
        `refs/heads/main ${base.commit}`,
      );
    }));
});
