import { Comparator, Range } from 'semver';
import { TallymanError } from '../error/tallyman-error.ts';
import { compareCore, comparePrecedence, npmGrammar, parseVersion, type Version } from './version.ts';

/** A range, asked with versions of ours. */
export interface VersionRange {
  /** Whether the version is in the range. */
  has(version: Version): boolean;
}

interface Bound {
  readonly operator: string;
  /** Undefined: any version. */
  readonly version: Version | undefined;
}

/**
 * The range as npm `semver` reads it; throws `PolicyInvalid`. Without `includePrerelease` a prerelease is in it only where
 * a bound of the same three numbers has a prerelease itself.
 */
export function parseNpmRange(text: string, includePrerelease: boolean): VersionRange {
  const alternatives = readRange(text, includePrerelease).set.map((bounds) => bounds.map(toBound));
  return {
    has: (version) =>
      alternatives.some(
        (bounds) =>
          bounds.every((bound) => isWithin(version, bound)) &&
          (includePrerelease ||
            version.prerelease.length === 0 ||
            bounds.some((bound) => namesPrerelease(bound, version))),
      ),
  };
}

function readRange(text: string, includePrerelease: boolean): Range {
  if (text.trim() !== '') {
    try {
      return new Range(text, { includePrerelease });
    } catch {
      // Its own message says no more than ours.
    }
  }
  throw new TallymanError(
    'PolicyInvalid',
    `Cannot use range ${JSON.stringify(text)}: it is not a range of npm semver`,
    {
      remedy: 'Write a range such as ">=1.4.0 <2.0.0", "^1.4" or "*"; parts are joined by spaces, alternatives by ||.',
    },
  );
}

/** What npm's parser puts in place of the version in `*`; its type declarations keep quiet about it. */
const anyVersion: unknown = Reflect.get(Comparator, 'ANY');

function toBound({ operator, semver }: Comparator): Bound {
  return { operator, version: Object.is(semver, anyVersion) ? undefined : parseVersion(semver.version, npmGrammar) };
}

function isWithin(version: Version, { operator, version: bound }: Bound): boolean {
  if (bound === undefined) return true;
  const difference = comparePrecedence(version, bound);
  switch (operator) {
    case '>':
      return difference > 0;
    case '>=':
      return difference >= 0;
    case '<':
      return difference < 0;
    case '<=':
      return difference <= 0;
    default:
      return difference === 0;
  }
}

function namesPrerelease({ version: bound }: Bound, version: Version): boolean {
  return bound !== undefined && bound.prerelease.length > 0 && compareCore(bound, version) === 0;
}
