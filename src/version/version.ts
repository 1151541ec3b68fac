/** Semantic versions as three grammars read them, fast enough for registries with 100,000 tags. */

/** A number of a version: exact beyond 2^53 too. */
type Part = number | bigint;

/** `1.4.2-rc.1+7` is `{ major: 1, minor: 4, patch: 2, prerelease: ['rc', '1'], build: ['7'] }`. */
export interface Version {
  readonly major: Part;
  readonly minor: Part;
  readonly patch: Part;
  readonly prerelease: readonly string[];
  readonly build: readonly string[];
}

/** What a grammar lets pass. */
export interface VersionGrammar {
  /** `1` and `1.2` are versions, with zeros for what is missing. */
  readonly partial: boolean;
  /** `2024.01.5` is a version. */
  readonly leadingZeros: boolean;
  /** Largest number of one part. */
  readonly maxPart: bigint;
}

export const npmGrammar: VersionGrammar = {
  partial: false,
  leadingZeros: false,
  maxPart: BigInt(Number.MAX_SAFE_INTEGER),
};
/** npm's, with missing parts read as zero. */
export const coercedGrammar: VersionGrammar = {
  partial: true,
  leadingZeros: true,
  maxPart: BigInt(Number.MAX_SAFE_INTEGER),
};
const maxUint64 = 2n ** 64n - 1n;
/** What Flux takes for a version: three parts, leading zeros allowed, numbers of 64 bits. */
export const fluxGrammar: VersionGrammar = { partial: false, leadingZeros: true, maxPart: maxUint64 };
/** What Argo CD Image Updater takes for a version: one to three parts. */
export const argocdGrammar: VersionGrammar = { partial: true, leadingZeros: true, maxPart: maxUint64 };

const identifiers = '[0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*';
// Each part is delimited by a character that the part cannot hold: no backtracking.
const versionPattern = new RegExp(
  `^v?([0-9]+)(?:\\.([0-9]+))?(?:\\.([0-9]+))?(?:-(${identifiers}))?(?:\\+(${identifiers}))?$`,
);
const maxVersionChars = 256;
const none: readonly string[] = [];

/** The version in the text, with or without a leading `v`; undefined where the grammar takes it for none. Source: semver.org 2.0.0. */
export function parseVersion(text: string, grammar: VersionGrammar): Version | undefined {
  const match = text.length > maxVersionChars ? null : versionPattern.exec(text);
  if (match === null) return undefined;
  const [, first = '0', second, third, pre, build] = match;
  if (!grammar.partial && third === undefined) return undefined;
  const major = parsePart(first, grammar);
  const minor = parsePart(second ?? '0', grammar);
  const patch = parsePart(third ?? '0', grammar);
  if (major === undefined || minor === undefined || patch === undefined) return undefined;
  const prerelease = pre === undefined ? none : pre.split('.');
  if (pre !== undefined && /(?:^|\.)0[0-9]+(?:\.|$)/.test(pre)) return undefined;
  return { major, minor, patch, prerelease, build: build === undefined ? none : build.split('.') };
}

function parsePart(digits: string, grammar: VersionGrammar): Part | undefined {
  if (!grammar.leadingZeros && digits.length > 1 && digits[0] === '0') return undefined;
  if (digits.length <= 15) return Number(digits);
  const exact = BigInt(digits);
  return exact > grammar.maxPart ? undefined : exact;
}

/** Negative where `a` is below `b` by precedence; build metadata does not count (semver.org clause 11). */
export function comparePrecedence(a: Version, b: Version): number {
  return compareCore(a, b) || comparePrereleases(a.prerelease, b.prerelease);
}

/** By precedence, and then by build metadata, so that only versions spelled differently tie. */
export function compareVersions(a: Version, b: Version): number {
  return comparePrecedence(a, b) || compareIdentifiers(a.build, b.build);
}

/** By the three numbers alone. */
export function compareCore(a: Version, b: Version): number {
  return compareParts(a.major, b.major) || compareParts(a.minor, b.minor) || compareParts(a.patch, b.patch);
}

/** A number and a bigint compare by value. */
function compareParts(a: Part, b: Part): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** A release is above its own prereleases. */
export function comparePrereleases(a: readonly string[], b: readonly string[]): number {
  if (a.length === 0 || b.length === 0) return b.length - a.length;
  return compareIdentifiers(a, b);
}

/** Numbers by value and below words, words in ASCII order, fewer before more. */
function compareIdentifiers(a: readonly string[], b: readonly string[]): number {
  for (const [index, left] of a.entries()) {
    const right = b[index];
    if (right === undefined) return 1;
    const difference = compareIdentifier(left, right);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

function compareIdentifier(a: string, b: string): number {
  const numeric = [a, b].map((identifier) => /^[0-9]+$/.test(identifier));
  if (numeric[0] && numeric[1]) return compareDigits(a, b);
  if (numeric[0] !== numeric[1]) return numeric[0] ? -1 : 1;
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Whole numbers of any length by value. */
export function compareDigits(a: string, b: string): number {
  const [left, right] = [a.replace(/^0+(?=.)/, ''), b.replace(/^0+(?=.)/, '')];
  return left.length - right.length || (left < right ? -1 : left > right ? 1 : 0);
}
