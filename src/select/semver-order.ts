import type { SemverRule } from '../policy/policy.ts';
import { parseMastermindsRange } from '../version/masterminds-range.ts';
import { parseNpmRange, type VersionRange } from '../version/npm-range.ts';
import {
  argocdGrammar,
  coercedGrammar,
  compareVersions,
  fluxGrammar,
  npmGrammar,
  parseVersion,
  type Version,
  type VersionGrammar,
} from '../version/version.ts';
import type { VersionOrder } from './version-order.ts';

const grammars: Readonly<Record<SemverRule['grammar'], VersionGrammar>> = {
  npm: npmGrammar,
  flux: fluxGrammar,
  argocd: argocdGrammar,
};

/** Semantic versions and ranges in the rule's grammar. Build metadata comes last in the order. */
export function createSemverOrder(rule: SemverRule): VersionOrder<Version> {
  const grammar = rule.coerce ? coercedGrammar : grammars[rule.grammar];
  const { range, withPrereleases } = parseRanges(rule);
  const outside = `outside range "${rule.range}"`;
  return {
    parse: (text) => parseVersion(text, grammar),
    unparsed: 'not a version',
    reject(version) {
      if (range.has(version)) return undefined;
      const prereleaseOnly = version.prerelease.length > 0 && withPrereleases.has(version);
      return prereleaseOnly ? 'prerelease' : outside;
    },
    compare: compareVersions,
  };
}

const everything: VersionRange = { has: () => true };
const releases: VersionRange = { has: (version) => version.prerelease.length === 0 };

/** The range, and the same with prereleases let in: tells a prerelease from a version outside. */
function parseRanges({ range, grammar, prereleases }: SemverRule): {
  range: VersionRange;
  withPrereleases: VersionRange;
} {
  if (range === undefined) return { range: releases, withPrereleases: everything };
  if (grammar === 'npm')
    return { range: parseNpmRange(range, prereleases), withPrereleases: parseNpmRange(range, true) };
  const parsed = parseMastermindsRange(range);
  return { range: parsed, withPrereleases: { has: (version) => parsed.has({ ...version, prerelease: [] }) } };
}
