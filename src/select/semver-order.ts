import { compareBuild, parse, type SemVer } from 'semver';
import type { SemverRule } from '../policy/policy.ts';
import { parseSemverRange } from '../policy/semver-range.ts';
import type { VersionOrder } from './version-order.ts';

/** Three numbers, with a leading `v` or without, as semver.org has it; `1.2` is no version. */
const versionPattern = /^v?\d/;

/** Order and range of npm `semver`. Build metadata comes last in the order, so that no two different versions tie. */
export function createSemverOrder(rule: SemverRule): VersionOrder<SemVer> {
  const range = parseSemverRange(rule.range, rule.prereleases);
  const withPrereleases = parseSemverRange(rule.range, true);
  return {
    parse: (text) => (versionPattern.test(text) ? (parse(text) ?? undefined) : undefined),
    reject(version) {
      if (range.test(version)) return undefined;
      const prereleaseOnly = version.prerelease.length > 0 && withPrereleases.test(version);
      return prereleaseOnly ? 'prerelease' : `outside range "${rule.range}"`;
    },
    compare: compareBuild,
  };
}
