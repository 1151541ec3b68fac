import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TallymanError } from '../../src/error/tallyman-error.ts';
import { type PassContext, runPass } from '../../src/pipeline/run-pass.ts';
import { testPolicy } from '../make-policy.ts';
import { fakeRegistry, listingOf } from './fake-registry.ts';
import { type FakeYamlRepo, fakeYamlRepo, passOver, repoFiles } from './fake-yaml-repo.ts';

const { signal } = new AbortController();
const newer = fakeRegistry({ listTags: async () => listingOf('1.1.0') });

/** Policies by name, with their groups; all write to the same file. */
function groupedRepo(groups: Readonly<Record<string, string | undefined>>): FakeYamlRepo {
  const names = Object.keys(groups);
  const policies = names.map(
    (name) =>
      `apiVersion: tallyman.dev/v1alpha1\nkind: ImagePolicy\nmetadata: {name: ${name}, namespace: shop}\nspec: {image: ghcr.io/acme/${name}, select: {semver: "*"}, write: {${groups[name] ? `group: ${groups[name]}` : ''}}}\n`,
  );
  const places = names.map((name) => `${name}: {image: "ghcr.io/acme/${name}:1.0.0"}\n`);
  return fakeYamlRepo({ 'policy.yaml': policies.join('---\n'), 'apps.yaml': places.join('') });
}

describe('runPass with groups', () => {
  it('makes one commit for each, one after the other, and one for those without', async () => {
    const repo = groupedRepo({ a: 'front', b: undefined, c: 'back', d: 'front', e: undefined });
    const { commits, commit, updates } = await runPass(passOver(repo, newer), { signal });
    assert.deepEqual(
      commits.map((made) => [made.group, made.updates.map(({ policy }) => policy)]),
      [
        ['back', ['shop/c']],
        ['front', ['shop/a', 'shop/d']],
        [undefined, ['shop/b', 'shop/e']],
      ],
    );
    assert.deepEqual([commit, updates.length], [commits[2]?.commit, 5]);
    assert.equal(repo.read('apps.yaml').match(/1\.1\.0/g)?.length, 5);
    const plans = repo.messages.flatMap((message) => /^Tallyman-Plan: (.*)$/m.exec(message)?.[1] ?? []);
    assert.equal(new Set(plans).size, 3);
    assert.deepEqual((await runPass(passOver(repo, newer), { signal })).commits, []);
  });

  it('tells what was committed before a later group failed', async () => {
    const repo = groupedRepo({ a: 'front', b: 'back' });
    let pushes = 0;
    const failing: PassContext['repo'] = {
      ...repo,
      push: (commit, options) => {
        pushes += 1;
        if (pushes > 1) return Promise.reject(new TallymanError('PushRejected', 'Cannot push: no'));
        return repo.push(commit, options);
      },
    };
    const { commits, problems } = await runPass(passOver(failing, newer), { signal });
    assert.deepEqual(
      [commits.map(({ group }) => group), problems.map(({ code }) => code)],
      [['back'], ['PushRejected']],
    );
    const { object } = testPolicy({ name: 'a' });
    const stops = [{ policy: 'shop/a', object, from: '1.0.0', to: '1.1.0' }];
    assert.deepEqual(problems[0]?.stops, stops);
  });

  it('tells what was committed before it was stopped, and not that it was', async () => {
    const stop = new AbortController();
    const repo = groupedRepo({ a: 'front', b: 'back' });
    const stopping: PassContext['repo'] = {
      ...repo,
      async push(commit, options) {
        const outcome = await repo.push(commit, options);
        stop.abort(new Error('stopped'));
        return outcome;
      },
      async fetch(options) {
        options.signal.throwIfAborted();
        return await repo.fetch(options);
      },
    };
    const { commits, problems } = await runPass(passOver(stopping, newer), { signal: stop.signal });
    assert.deepEqual([commits.map(({ group }) => group), problems], [['back'], []]);
    assert.equal(repo.read('apps.yaml').match(/1\.1\.0/g)?.length, 1);
  });
});

describe('runPass where answers are lost', () => {
  it('finds its own commit by the plan, and makes it no second time', async () => {
    const repo = fakeYamlRepo(repoFiles('select: {semver: "*"}'), { lost: 1 });
    const meanwhile: PassContext['repo'] = {
      ...repo,
      async push(commit, options) {
        const outcome = await repo.push(commit, options);
        repo.commit({ 'notes.txt': 'theirs' }, 'theirs');
        return outcome;
      },
    };
    const { commits, tries, updates } = await runPass(passOver(meanwhile, newer), { signal });
    assert.deepEqual([commits.map(({ commit }) => commit), tries, updates.length], [['commit-2'], 1, 1]);
    assert.equal(repo.messages.filter((message) => message.includes('Tallyman-Plan')).length, 1);
  });

  it('plans again where the branch was moved by others', async () => {
    const repo = fakeYamlRepo(repoFiles('select: {semver: "*"}'), { races: 2 });
    const { commits, tries } = await runPass(passOver(repo, newer), { signal });
    assert.deepEqual([commits.map(({ commit }) => commit), tries], [['commit-4'], 3]);
  });
});
