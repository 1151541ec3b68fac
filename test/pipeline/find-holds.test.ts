import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { explainPolicy } from '../../src/pipeline/explain-policy.ts';
import { openLookup, runPass } from '../../src/pipeline/run-pass.ts';
import { fakeRegistry, listingOf, manifestWith } from './fake-registry.ts';
import { fakeYamlRepo, passOver, repoFiles } from './fake-yaml-repo.ts';
import { file, key, openScene } from './hold-scene.ts';

const { signal } = new AbortController();

describe('a version that a person took away', () => {
  it('is not written again, and the place is told', async () => {
    const scene = openScene();
    assert.equal(await scene.pass(), '1.1.0');
    scene.repo.commit({ 'web-0.yaml': file('1.0.0') });
    for (let pass = 0; pass < 3; pass += 1) assert.equal(await scene.pass(), '1.0.0');
    assert.deepEqual(scene.told, ['ImageHeld web-0.yaml:1']);
    const { problems } = await runPass(scene.context, { signal });
    assert.equal(
      problems[0]?.message,
      'Cannot update policy "shop/web": a person took version "1.1.0" away from web-0.yaml:1 image after commit commit-, a newer version was wanted',
    );
    assert.match(problems[0]?.remedy ?? '', /`tallyman resume shop\/web`/);
  });

  it('lets none between pass either, but one above', async () => {
    const scene = openScene();
    await scene.pass();
    scene.repo.commit({ 'web-0.yaml': file('1.0.0') });
    scene.tags.push('1.0.5');
    assert.equal(await scene.pass(), '1.0.0');
    scene.tags.push('1.2.0');
    assert.equal(await scene.pass(), '1.2.0');
    assert.match(scene.repo.messages[0] ?? '', /\nTallyman-Held: shop\/web 1\.1\.0\nTallyman-Plan: /);
    assert.deepEqual(scene.told, []);
  });

  it('stays away when the next is taken away too, at once or later', async () => {
    const scene = openScene();
    await scene.pass();
    scene.repo.commit({ 'web-0.yaml': file('1.0.0') });
    scene.tags.push('1.2.0');
    await scene.pass();
    scene.repo.commit({ 'web-0.yaml': file('1.0.0') });
    scene.tags.splice(2, 1);
    assert.equal(await scene.pass(), '1.0.0');
  });

  it('is free once a person wrote it again', async () => {
    const scene = openScene(['1.0.0', '1.0.0']);
    await scene.pass();
    scene.repo.commit({ 'web-0.yaml': file('1.0.0'), 'web-1.yaml': file('1.0.0') });
    await scene.pass();
    scene.repo.commit({ 'web-0.yaml': file('1.1.0'), 'web-1.yaml': file('1.1.0') });
    scene.repo.commit({ 'new/web.yaml': file('1.0.0') });
    await scene.pass();
    assert.equal(scene.repo.read('new/web.yaml'), file('1.1.0'));
  });

  it('is held for all places where one lost it', async () => {
    const scene = openScene(['1.0.0', '1.0.0', '1.0.0']);
    await scene.pass();
    scene.repo.commit({ 'web-1.yaml': file('1.0.0'), 'new.yaml': file('1.0.0') });
    assert.equal(await scene.pass(), '1.1.0');
    assert.deepEqual([scene.repo.read('web-1.yaml'), scene.repo.read('new.yaml')], [file('1.0.0'), file('1.0.0')]);
    assert.deepEqual(scene.told, ['ImageHeld web-1.yaml:1']);
  });

  it('is taken away also from a place that had it only later', async () => {
    const scene = openScene();
    await scene.pass();
    scene.repo.commit({ 'late.yaml': file('1.1.0') });
    scene.repo.commit({ 'late.yaml': file('1.0.0') });
    await scene.pass();
    assert.equal(scene.repo.read('late.yaml'), file('1.0.0'));
  });

  it('is not taken away by a new place, one that is gone, or a person going up', async () => {
    const scene = openScene(['1.0.0', '1.0.0']);
    await scene.pass();
    scene.repo.commit({ 'new.yaml': file('1.0.0') });
    await scene.pass();
    assert.equal(scene.repo.read('new.yaml'), file('1.1.0'));
    scene.repo.commit({ 'web-1.yaml': undefined });
    await scene.pass();
    scene.repo.commit({ 'web-0.yaml': file('1.5.0') });
    scene.tags.push('1.6.0');
    assert.equal(await scene.pass(), '1.6.0');
    assert.deepEqual(scene.told, []);
  });

  it('may have been, where a file is gone and another one begins with an older version: so much is a rename', async () => {
    const scene = openScene(['1.0.0', '1.0.0']);
    await scene.pass();
    scene.repo.commit({ 'web-1.yaml': undefined, 'new.yaml': file('1.0.0') });
    await scene.pass();
    assert.deepEqual([scene.repo.read('new.yaml'), scene.told], [file('1.0.0'), ['ImageHeld new.yaml:1']]);
    scene.repo.commit({ 'web-2.yaml': file('1.1.0') });
    await scene.pass();
    assert.equal(scene.repo.read('new.yaml'), file('1.1.0'));
  });

  it('is what its digest is: the tag pushed anew is another', async () => {
    const [a, b] = ['a', 'b'].map((sign) => `sha256:${sign.repeat(64)}`);
    let digest = a ?? '';
    const repo = fakeYamlRepo(repoFiles('select: {semver: "*"}, pin: digest'));
    const registry = fakeRegistry({
      listTags: async () => listingOf('1.1.0'),
      fetchManifest: async () => manifestWith({ digest }),
    });
    const context = passOver(repo, registry);
    await runPass(context, { signal });
    assert.equal(repo.read('web-0.yaml'), file(`1.1.0@${a}`));
    repo.commit({ 'web-0.yaml': file('1.0.0') });
    await runPass(context, { signal });
    assert.equal(repo.read('web-0.yaml'), file('1.0.0'));
    digest = b ?? '';
    await runPass(context, { signal });
    assert.equal(repo.read('web-0.yaml'), file(`1.1.0@${b}`));
  });

  it('is held where a followed tag was set back, until the tag moves on', async () => {
    const [a, b, c] = ['a', 'b', 'c'].map((sign) => `sha256:${sign.repeat(64)}`);
    let digest = b ?? '';
    const repo = fakeYamlRepo(repoFiles('select: {digest: main}', [`main@${a}`]));
    const registry = fakeRegistry({
      listTags: async () => listingOf('main'),
      fetchManifest: async () => manifestWith({ digest }),
    });
    const context = passOver(repo, registry);
    await runPass(context, { signal });
    assert.equal(repo.read('web-0.yaml'), file(`main@${b}`));
    repo.commit({ 'web-0.yaml': file(`main@${a}`) });
    const { problems } = await runPass(context, { signal });
    assert.deepEqual([repo.read('web-0.yaml'), problems.map(({ code }) => code)], [file(`main@${a}`), ['ImageHeld']]);
    digest = c ?? '';
    await runPass(context, { signal });
    assert.equal(repo.read('web-0.yaml'), file(`main@${c}`));
  });
});

describe('the past', () => {
  it('is not read where nothing is to be written', async () => {
    const scene = openScene(['1.1.0']);
    await scene.pass();
    assert.deepEqual(scene.repo.asked, []);
  });

  it('is read no further than our newest commit for the policy, and each commit once', async () => {
    const scene = openScene();
    for (let count = 0; count < 2000; count += 1) scene.repo.commit({ 'notes.txt': `${count}` });
    await scene.pass();
    scene.repo.commit({ 'web-0.yaml': file('1.0.0') });
    scene.repo.asked.length = 0;
    await scene.pass();
    assert.deepEqual(scene.repo.asked, ['list 16', 'files commit-2002']);
    await scene.pass();
    assert.equal(scene.repo.asked.length, 2);
    scene.repo.commit({ 'notes.txt': 'more' });
    await scene.pass();
    assert.deepEqual(scene.repo.asked.slice(2), ['list 16', 'files commit-2002']);
    const fresh = passOver(scene.repo, fakeRegistry({ listTags: async () => listingOf('1.1.0') }));
    scene.repo.asked.length = 0;
    await runPass(fresh, { signal });
    assert.deepEqual(scene.repo.asked, ['list 64', 'files commit-2002']);
  });

  it('is read to its end once for a policy that nobody wrote for', async () => {
    const scene = openScene();
    for (let count = 0; count < 300; count += 1) scene.repo.commit({ 'notes.txt': `${count}` });
    const { context } = scene;
    const lookup = openLookup(context, { signal });
    await explainPolicy(context, lookup, { key, signal });
    assert.deepEqual(scene.repo.asked, ['list 64', 'list 256', 'list 1024']);
    scene.repo.commit({ 'notes.txt': 'more' });
    await explainPolicy(context, lookup, { key, signal });
    assert.deepEqual(scene.repo.asked.slice(3), ['list 16']);
  });
});

describe('explainPolicy', () => {
  it('shows what is held though nothing newer is there', async () => {
    const scene = openScene();
    await scene.pass();
    scene.repo.commit({ 'web-0.yaml': file('1.0.0') });
    scene.tags.splice(1, 1);
    const { context } = scene;
    const { hold } = await explainPolicy(context, openLookup(context, { signal }), { key, signal });
    assert.deepEqual(
      hold?.versions.map(({ version, lost }) => [version, lost?.place]),
      [['1.1.0', 'web-0.yaml:1 image']],
    );
  });

  it('gives the reason at each tag and place', async () => {
    const scene = openScene();
    await scene.pass();
    scene.repo.commit({ 'web-0.yaml': file('1.0.0') });
    const { context } = scene;
    const { tags, places } = await explainPolicy(context, openLookup(context, { signal }), { key, signal });
    assert.deepEqual(
      tags.map(({ tag, verdict }) => `${tag} ${verdict}`),
      ['1.1.0 held', '1.0.0 candidate'],
    );
    assert.deepEqual(
      places.map(({ next, reason }) => [next, reason]),
      [[undefined, '1.1.0: held']],
    );
  });
});
