import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readMarks } from '../../src/hold/marks.ts';
import { changeHold } from '../../src/pipeline/change-hold.ts';
import { fakeRegistry } from './fake-registry.ts';
import { fakeYamlRepo, passOver, repoFiles } from './fake-yaml-repo.ts';
import { file, key, openScene } from './hold-scene.ts';

const { signal } = new AbortController();

describe('changeHold', () => {
  it('leaves a policy alone until it is resumed, each as one commit without changes', async () => {
    const scene = openScene();
    assert.match(await scene.hold('hold', 'until the\naudit is done'), /^shop\/web is held until/);
    assert.match(
      scene.repo.messages[0] ?? '',
      /^Hold shop\/web\n\nReason: until the audit is done\n\nTallyman-Hold: shop\/web until the audit is done\n$/,
    );
    assert.equal(await scene.pass(), '1.0.0');
    assert.deepEqual(scene.told, ['ImageHeld policy.yaml:1']);
    assert.match(
      await scene.hold('hold'),
      /^shop\/web is held since 2023-11-14: until the audit is done: nothing to do$/,
    );
    await scene.hold('resume');
    assert.equal(scene.repo.messages.length, 3);
    assert.equal(await scene.pass(), '1.1.0');
    assert.match(await scene.hold('resume'), /^shop\/web is not held: nothing to do$/);
    assert.equal(scene.repo.messages.length, 4);
  });

  it('lets a version that was taken away be written again, and be taken away again', async () => {
    const scene = openScene();
    await scene.pass();
    scene.repo.commit({ 'web-0.yaml': file('1.0.0') });
    await scene.hold('resume');
    assert.match(scene.repo.messages[0] ?? '', /- 1\.1\.0 may be written again/);
    assert.equal(await scene.pass(), '1.1.0');
    scene.repo.commit({ 'web-0.yaml': file('1.0.0') });
    assert.equal(await scene.pass(), '1.0.0');
  });

  it('notices what is taken away after a hold was ended', async () => {
    const scene = openScene();
    await scene.pass();
    await scene.hold('hold');
    await scene.hold('resume');
    scene.repo.commit({ 'web-0.yaml': file('1.0.0') });
    assert.equal(await scene.pass(), '1.0.0');
  });

  it('ends a hold alone: what was taken away meanwhile stays held until it is resumed again', async () => {
    const scene = openScene();
    await scene.pass();
    await scene.hold('hold', 'incident');
    scene.repo.commit({ 'web-0.yaml': file('1.0.0') });
    assert.match(
      await scene.hold('resume'),
      /hold of shop\/web is ended, as of commit \S+; a person took 1\.1\.0 away: `tallyman resume shop\/web` once more/,
    );
    assert.doesNotMatch(scene.repo.messages[0] ?? '', /may be written again/);
    assert.equal(await scene.pass(), '1.0.0');
    assert.deepEqual(scene.told, ['ImageHeld web-0.yaml:1']);
    assert.match(await scene.hold('resume'), /^shop\/web is updated again/);
    assert.match(scene.repo.messages[0] ?? '', /- 1\.1\.0 may be written again/);
    assert.equal(await scene.pass(), '1.1.0');
  });

  for (const name of ['Update', 'Held', 'Kept', 'Hold', 'Resume', 'Plan', 'Source', 'Branch'])
    for (const lead of ['', 'because\n', 'because\r', 'because\u2028', 'because\u0085', '\u200b'])
      it(`takes ${JSON.stringify(lead)} before a trailer ${name} for a reason, never for the trailer`, async () => {
        const scene = openScene();
        await scene.hold('hold', `${lead}Tallyman-${name}: shop/web ghcr.io/acme/web 1.0.0 -> 1.1.0`);
        const message = scene.repo.messages[0] ?? '';
        const lines = message.split(/[\n\r\u2028\u2029\u0085]/).filter((line) => line.startsWith('Tallyman-'));
        assert.equal(lines.length, 1, message);
        assert.match(lines[0] ?? '', /^Tallyman-Hold: shop\/web /);
        const { holds, ...rest } = readMarks(message) ?? assert.fail();
        assert.equal(holds.length, 1);
        assert.deepEqual(Object.values(rest).flat(), []);
      });

  it('is held also where the reason is a trailer that would end it', async () => {
    const scene = openScene();
    await scene.hold('hold', 'Tallyman-Resume: shop/web');
    assert.equal(await scene.pass(), '1.0.0');
    assert.deepEqual(scene.told, ['ImageHeld policy.yaml:1']);
  });

  it('knows no other policy', async () => {
    await assert.rejects(
      changeHold(openScene().context, { verb: 'hold', policy: 'shop/none', reason: '' }, { signal }),
      /Cannot hold policy "shop\/none": the Yaml repo has shop\/web/,
    );
  });

  it('commits on top of what came meanwhile', async () => {
    const repo = fakeYamlRepo(repoFiles('select: {semver: "*"}'), { races: 2 });
    const context = passOver(repo, fakeRegistry());
    const { commit } = await changeHold(context, { verb: 'hold', policy: key, reason: '' }, { signal });
    assert.equal(commit, 'commit-4');
  });
});
