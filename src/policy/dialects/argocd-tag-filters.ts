/** Which tags an image may have, as Argo CD Image Updater's allow-tags and ignore-tags say it. */
import { TallymanError } from '../../error/tallyman-error.ts';
import { parsePattern } from '../pattern.ts';
import { type Findings, type Located, showText } from './argocd-fields.ts';
import { translateGoGlob } from './argocd-glob.ts';

/** After the end of a text nothing follows, so this matches no tag; the words are for `tallyman explain`. */
const nothing = '$allow-tags-cannot-be-used';
const maxIgnored = 200;

/**
 * RE2 patterns for `Policy.include`: none for `any`, that of `regexp:<re>`. Anything else matches no tag at all, as in the
 * peer, and is reported as `PolicyPartial`.
 */
export function readAllowTags(found: Located<string> | undefined, findings: Findings): readonly string[] {
  if (found === undefined || found.value === '' || found.value.toLowerCase() === 'any') return [];
  const colon = found.value.indexOf(':');
  const name = found.value.slice(0, Math.max(0, colon)).toLowerCase();
  if (name !== 'regexp') {
    findings.partial(
      found,
      `${showText(found.value)} was found, "regexp:<pattern>" or "any" was wanted; no tag is allowed`,
    );
    return [nothing];
  }
  const source = found.value.slice(colon + 1);
  try {
    parsePattern(source);
    return [source];
  } catch (error) {
    if (!(error instanceof TallymanError)) throw error;
    findings.partial(found, `${error.message}; no tag is allowed`, error.remedy);
    return [nothing];
  }
}

/** RE2 patterns for `Policy.exclude`. A malformed glob excludes nothing, as in the peer, and is reported as `PolicyPartial`. */
export function readIgnoreTags(found: readonly Located<string>[], findings: Findings): readonly string[] {
  const globs = found.filter(({ value }) => value !== '');
  const [first] = globs;
  if (first !== undefined && globs.length > maxIgnored) {
    const message = `Cannot use field "${first.field}": ${globs.length} globs were found, at most ${maxIgnored} are allowed`;
    throw new TallymanError('PolicyInvalid', message, { place: first.place });
  }
  return globs.flatMap((glob) => {
    if (glob.value.includes('[!'))
      findings.partial(glob, `in ${showText(glob.value)} "!" is a character of the class, "[^" negates one`);
    try {
      return [translateGoGlob(glob.value)];
    } catch (error) {
      if (!(error instanceof TallymanError)) throw error;
      findings.partial(glob, `${error.message}; no tag is ignored by it`);
      return [];
    }
  });
}
