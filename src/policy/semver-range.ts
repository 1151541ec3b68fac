import { Range } from 'semver';
import { TallymanError } from '../error/tallyman-error.ts';

/** The range as npm `semver` reads it; throws `PolicyInvalid`. `parseSemverRange('>=1.4.0 <2.0.0')` */
export function parseSemverRange(text: string, includePrerelease = false): Range {
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
