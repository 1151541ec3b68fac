import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { packListing } from '../../src/pipeline/pack-listing.ts';
import { nameWatched } from '../../src/pipeline/watch-tags.ts';
import { findSites } from '../../src/target/find-sites.ts';
import { matchTargets } from '../../src/target/match-targets.ts';
import { testPolicy } from '../make-policy.ts';
import { listingOf } from './fake-registry.ts';

describe('nameWatched', () => {
  const rows: readonly [current: string, tags: readonly string[], watched: readonly string[]][] = [
    ['1.0.0', ['1.0.0'], ['1.0.0']],
    ['1.0.0', ['0.9.0', '1.0.0', '1.1.0'], ['1.0.0']],
    ['1.0.0', ['11.0.0', '1.0.0-rc.1', 'v1.0.0', '1.0.01'], []],
    ['1.0.0', ['11.0.0', '1.0.0-rc.1', '1.0.0'], ['1.0.0']],
    ['1.0.0', [], []],
  ];
  for (const [current, tags, watched] of rows)
    it(`${current} among ${tags.join(' ') || 'none'}: ${watched.length}`, () => {
      const tagsOf = () => ({ value: packListing(listingOf(...tags)) });
      const policy = testPolicy();
      const bytes = new TextEncoder().encode(`image: ${policy.image}:${current}\n`);
      const { targets } = matchTargets(new Map([['web.yaml', findSites(bytes, 'web.yaml')]]), [policy]);
      const found = nameWatched(policy, targets, { tagsOf });
      assert.deepEqual(
        found.map(({ tag }) => tag),
        watched,
      );
    });
});
