import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { gatherFacts } from '../../src/pipeline/decision.ts';
import { createFirstSeen } from '../../src/pipeline/first-seen.ts';
import { packListing, unpackListing } from '../../src/pipeline/pack-listing.ts';
import type { Registry, TagListing } from '../../src/pipeline/ports.ts';
import { recallSelection, rememberSelection, type SelectionQuestion } from '../../src/pipeline/remember-selection.ts';
import { openLookup, planPass } from '../../src/pipeline/run-pass.ts';
import type { Policy } from '../../src/policy/policy.ts';
import { selectTag } from '../../src/select/select-tag.ts';
import type { Selection } from '../../src/select/selection.ts';
import { memoryLedger } from '../ledger/memory-ledger.ts';
import { semverRule, testPolicy } from '../make-policy.ts';
import { fakeRegistry, listingOf, manifestWith, type TestClock, testClock } from './fake-registry.ts';
import { fakeYamlRepo, passOver, repoFiles } from './fake-yaml-repo.ts';

const { signal } = new AbortController();
const hour = 3_600_000;

/** Nothing: the push times count. */
const firstSeen = createFirstSeen(memoryLedger(), {
  now: { value: { nowMs: 0, aheadMs: 0 } },
  clock: { nowMs: () => 0 },
  signal,
});

function selectFresh({ policy, listing, current, asked, nowMs }: SelectionQuestion): Selection {
  const unpacked = unpackListing(listing);
  return selectTag(policy, unpacked.tags, current, {
    nowMs,
    facts: gatherFacts(policy, unpacked, { asked, firstSeen }),
  });
}

/** Few of each, so that the same question comes again, and the same listing as another object. */
const tag = fc.constantFrom('1.0.0', 'v1.0.0', '1.1.0', 'v1.1.0', '2.0.0-rc.1', 'main');
const digest = fc.constantFrom('sha256:aa', 'sha256:bb');
const listing = fc
  .tuple(fc.uniqueArray(tag), fc.boolean(), fc.array(fc.constantFrom(0, hour, 2 * hour), { minLength: 6 }))
  .map(([tags, timed, times]): TagListing => {
    const known = tags.flatMap((name, index) => (index === 4 ? [] : [[name, times[index] ?? 0] as const]));
    return { tags, pushedMs: timed ? new Map(known) : undefined };
  });
const asked = fc
  .array(fc.tuple(tag, digest, fc.constantFrom(['linux/amd64'], ['linux/arm64'])), { maxLength: 2 })
  .map((facts) => new Map(facts.map(([name, digest, platforms]) => [name, { digest, platforms }])));

describe('recallSelection', () => {
  it('gives what is selected anew, whatever changed since', () => {
    let recalled = 0;
    const policyParts: readonly Partial<Policy>[] = [
      {},
      { select: semverRule('^1.0.0') },
      { minimumAgeMs: hour },
      { minimumAgeMs: hour, platforms: ['linux/amd64'] },
      { select: { kind: 'newest' } },
      { select: { kind: 'digest', tag: 'main' } },
    ];
    const step = fc.record({
      which: fc.nat({ max: policyParts.length - 1 }),
      listing,
      current: fc.constantFrom(undefined, '1.0.0', 'v0.9.0', 'main@sha256:aa'),
      asked,
      nowMs: fc.constantFrom(0, hour - 1, hour, 2 * hour, 3 * hour),
      repeats: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { minLength: 2, maxLength: 30 }), (steps) => {
        const policies = policyParts.map(testPolicy);
        let before = steps[0];
        for (const given of steps) {
          const { which, listing, ...rest } =
            given.repeats && before !== undefined ? { ...before, nowMs: given.nowMs } : given;
          before = { ...given, which, listing, ...rest };
          const question = { ...rest, policy: policies[which] ?? testPolicy(), listing: packListing(listing) };
          const fresh = selectFresh(question);
          const known = recallSelection(question);
          if (known !== undefined) {
            recalled += 1;
            assert.deepEqual(known, fresh);
          } else rememberSelection(question, fresh);
        }
      }),
      { numRuns: 300 },
    );
    assert.ok(recalled > 300, `${recalled} were recalled`);
  });
});

interface Changing {
  readonly clock: TestClock;
  readonly repo: ReturnType<typeof fakeYamlRepo>;
  registry: Partial<Registry>;
}

describe('a pass after another', () => {
  const any = 'select: {semver: "*"}';
  interface Row {
    readonly spec?: string;
    /** In place of a policy with that spec. */
    readonly files?: Readonly<Record<string, string>>;
    readonly before?: Partial<Registry>;
    /** The tag that waits was looked behind in an earlier pass. */
    readonly knowsTags?: true;
    readonly change: (world: Changing) => void;
    /** Kind and tag at first and after the change. */
    readonly gives: readonly [string, string];
  }
  const none: Partial<Registry> = { listTags: async () => listingOf('1.0.0') };
  const timed = (pushedMs: number): Partial<Registry> => ({
    listTags: async () => ({ tags: ['1.0.0', '1.1.0'], pushedMs: new Map([['1.1.0', pushedMs]]) }),
  });
  const rows: Record<string, Row> = {
    'takes the selection of before where nothing changed': { change() {}, gives: ['current 1.0.0', 'the same'] },
    'takes the selection of before where another file changed': {
      change: ({ repo }) => repo.commit({ 'apps/other.yaml': 'kind: Other\n' }),
      gives: ['current 1.0.0', 'the same'],
    },
    "takes the selection of before where another file changed, also for Flux's policies": {
      files: {
        'flux.yaml': [
          'apiVersion: image.toolkit.fluxcd.io/v1\nkind: ImageRepository\nmetadata: {name: web, namespace: shop}\nspec: {image: ghcr.io/acme/web}\n',
          'apiVersion: image.toolkit.fluxcd.io/v1\nkind: ImagePolicy\nmetadata: {name: web, namespace: shop}\nspec: {imageRepositoryRef: {name: web}, policy: {semver: {range: "*"}}}\n',
        ].join('---\n'),
        'web.yaml': 'image: ghcr.io/acme/web:1.0.0 # {"$imagepolicy": "shop:web"}\n',
      },
      change: ({ repo }) => repo.commit({ 'apps/other.yaml': 'kind: Other\n' }),
      gives: ['current 1.0.0', 'the same'],
    },
    'selects anew where the listing changed': {
      change: (world) => {
        world.registry = { listTags: async () => listingOf('1.0.0', '1.1.0') };
      },
      gives: ['current 1.0.0', 'update 1.1.0@sha256:ab'],
    },
    'selects anew where the policy changed': {
      before: { listTags: async () => listingOf('1.0.0', '2.0.0') },
      spec: 'select: {semver: "^1"}',
      change: ({ repo }) => repo.commit(repoFiles(any)),
      gives: ['current 1.0.0', 'update 2.0.0@sha256:ab'],
    },
    'selects anew where the version in the file changed': {
      change: ({ repo }) => repo.commit(repoFiles(any, ['0.9.0'])),
      gives: ['current 1.0.0', 'update 1.0.0@sha256:ab'],
    },
    'selects anew as soon as a tag has its age': {
      spec: `${any}, minimumAge: 1h`,
      before: timed(testClock().time),
      change: ({ clock }) => {
        clock.time += hour;
      },
      gives: ['waiting undefined', 'update 1.1.0@sha256:ab'],
    },
    'takes the selection of before as long as a tag waits': {
      spec: `${any}, minimumAge: 1h`,
      before: timed(testClock().time),
      knowsTags: true,
      change: ({ clock }) => {
        clock.time += hour - 1;
      },
      gives: ['waiting undefined', 'the same'],
    },
    'selects anew where the tag that is followed moved': {
      spec: 'select: {digest: "1.0.0"}',
      change: (world) => {
        world.registry = { ...none, fetchManifest: async () => manifestWith({ digest: `sha256:${'cd'.repeat(32)}` }) };
      },
      gives: ['update 1.0.0@sha256:ab', 'update 1.0.0@sha256:cd'],
    },
    'selects anew where the image lost its platform': {
      spec: `${any}, platforms: [linux/amd64]`,
      before: {
        listTags: async () => listingOf('1.0.0', '1.1.0'),
        fetchManifest: async () => manifestWith({ platforms: ['linux/amd64'] }),
      },
      change: (world) => {
        world.registry = { ...world.registry, fetchManifest: async () => manifestWith({ platforms: [] }) };
      },
      gives: ['update 1.1.0@sha256:ab', 'current 1.0.0'],
    },
  };
  for (const [name, { spec = any, files = repoFiles(spec), before = none, knowsTags, change, gives }] of Object.entries(
    rows,
  )) {
    it(name, async () => {
      const repo = fakeYamlRepo(files);
      const clock = testClock();
      const world: Changing = { repo, clock, registry: before };
      const asking = fakeRegistry({
        listTags: (repository, options) => world.registry.listTags?.(repository, options) ?? Promise.reject(),
        fetchManifest: (repository, tag, options) =>
          world.registry.fetchManifest?.(repository, tag, options) ?? Promise.resolve(manifestWith()),
      });
      const context = passOver(repo, asking, clock);
      const plan = async () => (await planPass(context, openLookup(context, { signal }), { signal })).selections[0];
      const show = (selection: Selection | undefined) =>
        `${selection?.kind} ${selection?.tag}${selection?.digest === undefined ? '' : `@${selection.digest.slice(0, 9)}`}`;
      if (knowsTags) await plan();
      const first = await plan();
      change(world);
      const second = await plan();
      assert.deepEqual([show(first), second === first ? 'the same' : show(second)], gives);
    });
  }
});
