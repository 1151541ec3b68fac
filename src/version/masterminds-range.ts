/** Ranges as Masterminds/semver 3.4 reads them: what Flux and Argo CD Image Updater speak. */
import { TallymanError } from '../error/tallyman-error.ts';
import type { VersionRange } from './npm-range.ts';
import { comparePrecedence, comparePrereleases, fluxGrammar, parseVersion, type Version } from './version.ts';

/** One comparison. Parts that were left out or `x` are `*Open`: `1.2` has `patchOpen`, `1` has both. */
interface Comparison {
  readonly operator: Operator;
  readonly bound: Version;
  readonly anyVersion: boolean;
  readonly minorOpen: boolean;
  readonly patchOpen: boolean;
}

type Operator = '=' | '!=' | '>' | '<' | '>=' | '<=' | '~' | '^';

const operators: Readonly<Record<string, Operator>> = {
  '': '=', '=': '=', '!=': '!=', '>': '>', '<': '<', '>=': '>=', '=>': '>=', '<=': '<=', '=<': '<=', '~': '~', '~>': '~', '^': '^',
}; // biome-ignore format: a table
const operator = '!=|>=|=>|<=|=<|~>|[=><~^]';
const words = '[0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*';
const part = '[0-9]+|[xX*]';
const version = `v?(?:${part})(?:\\.(?:${part}))?(?:\\.(?:${part}))?(?:-${words})?(?:\\+${words})?`;
const versionParts = new RegExp(`^v?(${part})(?:\\.(${part}))?(?:\\.(${part}))?(?:-(${words}))?(?:\\+${words})?$`);
const firstComparison = new RegExp(`\\s*(${operator})?\\s*(${version})`, 'y');
const nextComparison = new RegExp(`(?:\\s*,\\s*|\\s+)(${operator})?\\s*(${version})`, 'y');
const hyphenRange = new RegExp(`(${version})\\s+-\\s+(${version})`, 'g');
const maxRangeChars = 500;

/**
 * The range; throws `PolicyInvalid`. Spaces and commas both mean "and"; a prerelease anywhere in a group of comparisons
 * lets prereleases through all of that group.
 */
export function parseMastermindsRange(text: string): VersionRange {
  if (text.length > maxRangeChars)
    throw invalid(text, `it has ${text.length} characters, at most ${maxRangeChars} are read`);
  const spread = text.replace(hyphenRange, '>=$1, <=$2');
  const groups = spread.split('||').map((group) => parseGroup(group, text));
  const letsPrereleases = groups.map((group) => group.some(({ bound }) => bound.prerelease.length > 0));
  return {
    has: (version) =>
      groups.some(
        (group, index) =>
          (version.prerelease.length === 0 || letsPrereleases[index] === true) &&
          group.every((comparison) => checks[comparison.operator](version, comparison)),
      ),
  };
}

function parseGroup(group: string, whole: string): Comparison[] {
  const comparisons: Comparison[] = [];
  const end = group.trimEnd().length;
  for (let position = 0; position < end || comparisons.length === 0; ) {
    const pattern = comparisons.length === 0 ? firstComparison : nextComparison;
    pattern.lastIndex = position;
    const match = pattern.exec(group);
    if (match === null) throw invalid(whole, `"${group.slice(position).trim()}" is no comparison`);
    comparisons.push(toComparison(match[1] ?? '', match[2] ?? '', whole));
    position = pattern.lastIndex;
  }
  return comparisons;
}

function toComparison(sign: string, text: string, whole: string): Comparison {
  const [, major, minor, patch, prerelease] = versionParts.exec(text) ?? [];
  const isOpen = (found: string | undefined) => found === undefined || /^[xX*]$/.test(found);
  const anyVersion = isOpen(major);
  const minorOpen = !anyVersion && isOpen(minor);
  const patchOpen = !anyVersion && !minorOpen && isOpen(patch);
  const numbers = [
    anyVersion ? '0' : major,
    anyVersion || minorOpen ? '0' : minor,
    anyVersion || minorOpen || patchOpen ? '0' : patch,
  ];
  const bound = parseVersion(`${numbers.join('.')}${prerelease === undefined ? '' : `-${prerelease}`}`, fluxGrammar);
  if (bound === undefined) throw invalid(whole, `"${text}" is no version`);
  return { operator: operators[sign] ?? '=', bound, anyVersion, minorOpen, patchOpen };
}

type Check = (version: Version, comparison: Comparison) => boolean;

const isDirty = ({ anyVersion, minorOpen, patchOpen }: Comparison) => anyVersion || minorOpen || patchOpen;

/** `~1.2.3` and, with parts left open, `1.2`: not below the bound, and the same where the bound says anything. */
const isTilde: Check = (version, { bound, anyVersion, minorOpen, patchOpen }) => {
  if (comparePrecedence(version, bound) < 0) return false;
  // "~0.0.0" and "*" both take anything: the peer's own special case.
  const zero = bound.major === 0 && bound.minor === 0 && bound.patch === 0;
  if (anyVersion || (zero && !minorOpen && !patchOpen)) return true;
  return version.major === bound.major && (minorOpen || version.minor === bound.minor);
};

/** `^1.2.3`: not below the bound, and the leftmost number that is not zero stays; so `^*`, as the peer has it, is `^0.0.0`. */
const isCaret: Check = (version, { bound, minorOpen, patchOpen }) => {
  if (comparePrecedence(version, bound) < 0) return false;
  if (version.major !== bound.major) return false;
  if (bound.major > 0 || minorOpen) return true;
  if (version.minor !== bound.minor) return false;
  return bound.minor > 0 || patchOpen || version.patch === bound.patch;
};

const isAbove: Check = (version, comparison) => {
  const { bound, minorOpen, patchOpen } = comparison;
  if (!isDirty(comparison) || version.major !== bound.major) return comparePrecedence(version, bound) > 0;
  if (minorOpen) return false;
  return patchOpen ? version.minor > bound.minor : comparePrecedence(version, bound) > 0;
};

const isAtMost: Check = (version, comparison) => {
  const { bound, minorOpen } = comparison;
  if (!isDirty(comparison)) return comparePrecedence(version, bound) <= 0;
  if (version.major > bound.major) return false;
  return minorOpen || version.major !== bound.major || version.minor <= bound.minor;
};

const isOther: Check = (version, comparison) => {
  const { bound, minorOpen, patchOpen } = comparison;
  if (!isDirty(comparison)) return comparePrecedence(version, bound) !== 0;
  if (version.major !== bound.major) return true;
  if (minorOpen) return false;
  if (version.minor !== bound.minor) return true;
  if (patchOpen) return comparePrereleases(version.prerelease, bound.prerelease) !== 0;
  return comparePrecedence(version, bound) !== 0;
};

const checks: Readonly<Record<Operator, Check>> = {
  '=': (version, comparison) =>
    isDirty(comparison) ? isTilde(version, comparison) : comparePrecedence(version, comparison.bound) === 0,
  '!=': isOther,
  '>': isAbove,
  '<': (version, { bound }) => comparePrecedence(version, bound) < 0,
  '>=': (version, { bound }) => comparePrecedence(version, bound) >= 0,
  '<=': isAtMost,
  '~': isTilde,
  '^': isCaret,
};

function invalid(text: string, found: string): TallymanError {
  const shown = text.length > 80 ? `${text.slice(0, 77)}...` : text;
  return new TallymanError(
    'PolicyInvalid',
    `Cannot use range ${JSON.stringify(shown)}: ${found}, a range of Masterminds/semver was wanted`,
    {
      remedy:
        'Write a range such as ">=1.4.0 <2.0.0", "~1.4" or "1.x"; parts are joined by spaces or commas, alternatives by ||.',
    },
  );
}
