import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ExplicitTarget, Policy } from '../../src/policy/policy.ts';
import { findExplicitSites } from '../../src/target/find-explicit.ts';
import { findSites, mergeSites } from '../../src/target/find-sites.ts';
import { matchTargets } from '../../src/target/match-targets.ts';
import { formatPlace } from '../../src/target/target.ts';
import { testPolicy } from '../make-policy.ts';

const explicit = (path: string, part: ExplicitTarget['part']): ExplicitTarget => ({
  file: 'a.yaml',
  path,
  part,
  source: { file: 'policy.yaml', line: 1, column: 1 },
});

/** The targets of the policies in one file, as `policy kind place`, and the codes of the problems. */
function match(text: string, policies: readonly Policy[]): { targets: string[]; problems: string[] } {
  const files = new Map([['a.yaml', new TextEncoder().encode(text)]]);
  const found = findExplicitSites(files, policies);
  const sites = new Map([['a.yaml', findSites(files.get('a.yaml') ?? new Uint8Array(), 'a.yaml')]]);
  const { targets, problems } = matchTargets(mergeSites(found.sites, sites), policies);
  return {
    targets: targets.map((target) => `${target.policy.key} ${target.site.kind} ${formatPlace(target)}`),
    problems: [...found.problems, ...problems].map(({ code }) => code),
  };
}

describe('matchTargets', () => {
  it('puts a place that is named, marked and found into one target, the named one', () => {
    const text = 'image: ghcr.io/acme/web:1 # {"$imagepolicy": "shop:web"}\n';
    const policy = testPolicy({ targets: [explicit('image', 'reference')] });
    assert.deepEqual(match(text, [policy]), { targets: ['shop/web explicit a.yaml:1 image'], problems: [] });
  });

  it('puts a place that is marked and found into one target, the marked one', () => {
    const text = 'a: {repository: ghcr.io/acme/web, tag: 1} # {"$imagepolicy": "shop:web:tag"}\n';
    assert.deepEqual(match(text, [testPolicy()]).targets, ['shop/web marker a.yaml:1 a.tag']);
  });

  it('puts a place that two finders see into one target', () => {
    const text = 'kustomize:\n  images:\n  - ghcr.io/acme/web:1\nimage: ghcr.io/acme/web:1\n';
    const places = match(text, [testPolicy()]).targets;
    assert.deepEqual(places, ['shop/web argocd a.yaml:3 kustomize.images[0]', 'shop/web workload a.yaml:4 image']);
    assert.equal(new Set(places).size, places.length);
  });

  it('gives a place that two policies claim to neither, and says so at both', () => {
    const policies = [testPolicy(), testPolicy({ name: 'other' })];
    assert.deepEqual(match('image: ghcr.io/acme/web:1\n', policies), {
      targets: [],
      problems: ['TargetConflict', 'TargetConflict'],
    });
  });

  it('lets a suspended policy claim nothing', () => {
    const policies = [testPolicy(), testPolicy({ name: 'other', suspend: true })];
    assert.deepEqual(match('image: ghcr.io/acme/web:1\n', policies).problems, []);
  });

  it('writes to an empty value that a policy names, and not behind an anchor', () => {
    const policy = testPolicy({ targets: [explicit('a.tag', 'tag'), explicit('b.tag', 'tag')] });
    assert.deepEqual(match('a:\n  tag:\nb:\n  tag: &x\n', [policy]), {
      targets: ['shop/web explicit a.yaml:2 a.tag'],
      problems: ['TargetMissing'],
    });
  });

  it('takes no place beside an unclear marker', () => {
    assert.deepEqual(match('image: ghcr.io/acme/web:1 # $imagepolicy\n', [testPolicy()]), {
      targets: [],
      problems: ['TargetMissing'],
    });
  });
});
