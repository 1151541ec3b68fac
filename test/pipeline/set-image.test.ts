import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TallymanError } from '../../src/error/tallyman-error.ts';
import { changeHold } from '../../src/pipeline/change-hold.ts';
import { type ImageToSet, type SetReport, setImage } from '../../src/pipeline/set-image.ts';
import { type FakeRegistry, fakeRegistry, manifestWith } from './fake-registry.ts';
import { type FakeYamlRepo, fakeYamlRepo, passOver, repoFiles } from './fake-yaml-repo.ts';

const { signal } = new AbortController();
const [old, fresh] = ['a', 'b'].map((sign) => `sha256:${sign.repeat(64)}`) as [string, string];
const anyVersion = 'select: {semver: "*"}';

/** Knows every tag, though it lists none. */
const registryOf = (platforms: readonly string[] = []): FakeRegistry =>
  fakeRegistry({ fetchManifest: async () => manifestWith({ digest: fresh, platforms }) });

const wanted = (tag: string, digest?: string): ImageToSet => ({
  repository: { host: 'ghcr.io', path: 'acme/web' },
  tag,
  digest,
});

interface Scene {
  readonly repo: FakeYamlRepo;
  readonly registry: FakeRegistry;
  set(tag: string, digest?: string): Promise<SetReport>;
}

function open(spec = anyVersion, current = '1.0.0', registry = registryOf()): Scene {
  const repo = fakeYamlRepo(repoFiles(spec, [current]));
  const context = passOver(repo, registry);
  return { repo, registry, set: (tag, digest) => setImage(context, wanted(tag, digest), { signal }) };
}

describe('setImage', () => {
  interface Row {
    readonly spec?: string;
    readonly current?: string;
    readonly tag?: string;
    readonly outcome: 'written' | 'present' | 'refused';
    readonly reason: RegExp;
    /** What the place has then. */
    readonly now?: string;
  }
  const rows: Record<string, Row> = {
    'writes what the policy admits': { outcome: 'written', reason: /^1\.0\.0 → 1\.1\.0$/, now: '1.1.0' },
    'waives the age': { spec: `${anyVersion}, minimumAge: 24h`, outcome: 'written', reason: /1\.1\.0/, now: '1.1.0' },
    'needs no times for the newest': { spec: 'select: {newest: true}', tag: 'blue', outcome: 'written', reason: /blue/, now: 'blue' },
    'finds what is there already': { current: '1.1.0', outcome: 'present', reason: /^1\.1\.0 is there already$/ },
    'refuses what is outside the range': { spec: 'select: {semver: "^2.0.0"}', outcome: 'refused', reason: /\^2\.0\.0/ },
    'refuses what is excluded': { spec: 'select: {semver: "*", exclude: ["^1"]}', outcome: 'refused', reason: /^excluded by "\^1"$/ },
    'refuses what is to be skipped': { spec: 'select: {semver: "*", skip: ["1.1.0"]}', outcome: 'refused', reason: /^skip$/ },
    'refuses a prerelease': { tag: '1.1.0-rc.1', outcome: 'refused', reason: /^prerelease$/ },
    'refuses what is no version': { tag: 'nightly', outcome: 'refused', reason: /not a/ },
    'refuses to go down': { current: '2.0.0', outcome: 'refused', reason: /^2\.0\.0 is above the best candidate 1\.1\.0$/ },
    'goes down where the policy allows it': { spec: 'select: {semver: "*", allowDowngrade: true}', current: '2.0.0', outcome: 'written', reason: /2\.0\.0 → 1\.1\.0/, now: '1.1.0' },
    'refuses an image without the platforms': { spec: `${anyVersion}, platforms: [linux/arm64]`, outcome: 'refused', reason: /^platform missing: linux\/arm64$/ },
    'refuses while suspended': { spec: `${anyVersion}, suspend: true`, outcome: 'refused', reason: /^suspended$/ },
    'refuses outside its windows': { spec: `${anyVersion}, write: {windows: [{from: "09:00", to: "17:00"}]}`, outcome: 'refused', reason: /^outside its windows, the next opens 2023-11-15T09:00Z$/ },
    'writes inside of them': { spec: `${anyVersion}, write: {windows: [{from: "22:00", to: "04:00"}]}`, outcome: 'written', reason: /1\.1\.0/, now: '1.1.0' },
    'leaves pull requests to the passes': { spec: `${anyVersion}, write: {mode: pull-request}`, outcome: 'refused', reason: /pull requests/ },
    'follows a tag to its digest': { spec: 'select: {digest: main}', current: `main@${old}`, tag: 'main', outcome: 'written', reason: /main@/, now: `main@${fresh}` },
    'refuses another tag than the one that is followed': { spec: 'select: {digest: main}', current: `main@${old}`, tag: 'dev', outcome: 'refused', reason: /./ },
    'moves the digest of a tag that was pushed anew': { current: `1.1.0@${old}`, outcome: 'written', reason: /1\.1\.0@/, now: `1.1.0@${fresh}` },
    'writes the digest where the policy pins': { spec: `${anyVersion}, pin: digest`, current: '1.1.0', outcome: 'written', reason: /1\.1\.0 → 1\.1\.0@/, now: `1.1.0@${fresh}` },
  };
  for (const [name, { spec, current = '1.0.0', tag = '1.1.0', outcome, reason, now = current }] of Object.entries(rows)) {
    it(name, async () => {
      const scene = open(spec, current);
      const { policies, commits } = await scene.set(tag);
      assert.deepEqual(policies.map((one) => [one.policy, one.outcome]), [['shop/web', outcome]]);
      assert.match(policies[0]?.reason ?? '', reason);
      assert.equal(scene.repo.read('web-0.yaml'), `image: ghcr.io/acme/web:${now}\n`);
      assert.equal(commits.length, outcome === 'written' ? 1 : 0);
      assert.ok(scene.registry.asked.every((line) => !line.startsWith('list')));
    });
  }

  it('writes nothing a person took away, and nothing while the policy is held', async () => {
    const scene = open();
    await scene.set('1.1.0');
    scene.repo.commit({ 'web-0.yaml': 'image: ghcr.io/acme/web:1.0.0\n' });
    for (const tag of ['1.1.0', '1.0.5']) {
      const { policies, commits } = await scene.set(tag);
      assert.deepEqual([policies[0]?.outcome, commits], ['refused', []]);
      assert.match(policies[0]?.reason ?? '', /held|which a person took away/);
    }
    const context = passOver(scene.repo, registryOf());
    await changeHold(context, { verb: 'hold', policy: 'shop/web', reason: 'audit' }, { signal });
    assert.match((await scene.set('1.2.0')).policies[0]?.reason ?? '', /^held since .*: audit$/);
    // The first ends the person's hold, the second frees what was taken away.
    for (const outcome of ['refused', 'written']) {
      await changeHold(context, { verb: 'resume', policy: 'shop/web', reason: '' }, { signal });
      assert.equal((await scene.set('1.1.0')).policies[0]?.outcome, outcome);
    }
  });

  it('asks every policy of the image, and no other', async () => {
    const policyOf = (name: string, image: string, range: string) =>
      `apiVersion: tallyman.dev/v1alpha1\nkind: ImagePolicy\nmetadata: {name: ${name}, namespace: shop}\nspec: {image: ${image}, select: {semver: "${range}"}}\n`;
    const repo = fakeYamlRepo({
      'a/policy.yaml': policyOf('a', 'ghcr.io/acme/web', '*'),
      'a/web.yaml': 'image: ghcr.io/acme/web:1.0.0\n',
      'b/policy.yaml': policyOf('b', 'ghcr.io/acme/web', '^2'),
      'b/web.yaml': 'image: ghcr.io/acme/web:1.0.0\n',
      'c/policy.yaml': policyOf('c', 'ghcr.io/acme/api', '*'),
      'c/api.yaml': 'image: ghcr.io/acme/api:1.0.0\n',
      'd/policy.yaml': policyOf('d', 'ghcr.io/acme/web', '*'),
    });
    const report = await setImage(passOver(repo, registryOf()), wanted('1.1.0'), { signal });
    assert.deepEqual(
      report.policies.map(({ policy, outcome }) => `${policy} ${outcome}`),
      ['shop/a written', 'shop/b refused', 'shop/d refused'],
    );
    assert.match(report.policies[2]?.reason ?? '', /^Cannot find a place for policy "shop\/d"/);
    assert.equal(repo.read('c/api.yaml'), 'image: ghcr.io/acme/api:1.0.0\n');
    const other = await setImage(passOver(repo, registryOf()), { ...wanted('1.0.0'), repository: { host: 'ghcr.io', path: 'acme/none' } }, { signal });
    assert.deepEqual([other.policies, other.digest], [[], undefined]);
  });

  it('wants the digest that is given, and the tag to be there', async () => {
    await assert.rejects(open().set('1.1.0', old), new RegExp(`Cannot set image "ghcr.io/acme/web:1.1.0@${old}": the registry has ${fresh} under that tag`));
    assert.equal((await open().set('1.1.0', fresh)).commits.length, 1);
    const missing = new TallymanError('ImageNotFound', 'Cannot find it');
    const none = fakeRegistry({ fetchManifest: async () => Promise.reject(missing) });
    await assert.rejects(open(anyVersion, '1.0.0', none).set('1.1.0'), missing);
  });
}); // biome-ignore format: rows
