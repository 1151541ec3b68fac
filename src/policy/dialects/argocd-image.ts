/** One image of a list, annotated or in an ImageUpdater, as the rule that policies are made of. */
import { TallymanError } from '../../error/tallyman-error.ts';
import { formatCanonical, type ImageRepository, isTag, parseImageReference } from '../../image/reference.ts';
import { parseMastermindsRange } from '../../version/masterminds-range.ts';
import type { Pin, SelectRule } from '../policy.ts';
import { type Findings, type Located, showText } from './argocd-fields.ts';
import type { ImageIdentifier } from './argocd-identifier.ts';
import { readAllowTags, readIgnoreTags } from './argocd-tag-filters.ts';

/** Helm values or parameters that hold the image, `image.tag`. */
export interface HelmNames {
  readonly spec: Located<string> | undefined;
  readonly name: Located<string> | undefined;
  readonly tag: Located<string> | undefined;
}

/** What was written about one image, defaults of the application filled in. */
export interface ImageSettings {
  readonly alias: string;
  readonly identifier: Located<ImageIdentifier>;
  readonly strategy: Located<string> | undefined;
  readonly allowTags: Located<string> | undefined;
  readonly ignoreTags: readonly Located<string>[];
  readonly platforms: readonly Located<string>[];
  readonly helm: HelmNames;
}

/** What one image's policies share, whatever application they are for. Plain data. */
export interface ImageRule {
  readonly alias: string;
  readonly image: string;
  readonly repository: ImageRepository;
  readonly select: SelectRule;
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  readonly platforms: readonly string[];
  readonly pin: Pin;
  readonly helm: HelmNames;
  /** Of the image's name and constraint. */
  readonly source: Located<string>;
}

/** The rule; throws `PolicyInvalid` for an image, strategy, constraint or platform that cannot be used. */
export function readImageRule(settings: ImageSettings, findings: Findings): ImageRule {
  const { alias, identifier, strategy, helm } = settings;
  const { registry, name, digest } = identifier.value;
  const image = registry === '' ? name : `${registry}/${name}`;
  const { host, path, ...version } = parseImageReference(image);
  if (version.tag !== undefined || version.digest !== undefined)
    throw invalid(`image ${showText(image)}`, 'it names a version twice');
  if (digest !== undefined)
    findings.partial(identifier, `the digest ${showText(digest)} says nothing about which version is wanted`);
  const select = readSelectRule(strategy, identifier);
  return {
    alias,
    image,
    repository: { host, path },
    select,
    include: readAllowTags(settings.allowTags, findings),
    exclude: readIgnoreTags(settings.ignoreTags, findings),
    platforms: settings.platforms.filter(({ value }) => value !== '').map(readPlatform),
    pin: select.kind === 'digest' ? 'digest' : 'keep',
    helm,
    source: { ...identifier, value: formatCanonical({ host, path }) },
  };
}

type Strategy = 'semver' | 'newest-build' | 'alphabetical' | 'digest';
const strategies: Readonly<Record<string, Strategy>> = {
  semver: 'semver',
  latest: 'newest-build',
  'newest-build': 'newest-build',
  name: 'alphabetical',
  alphabetical: 'alphabetical',
  digest: 'digest',
};

/**
 * Newest-build is by trusted time (`NewestRule`), never by the creation date inside the image, which its publisher sets.
 * A constraint counts for semver and digest alone, as in the peer.
 */
function readSelectRule(strategy: Located<string> | undefined, { value, place }: Located<ImageIdentifier>): SelectRule {
  const constraint = value.tag === '' ? undefined : value.tag;
  switch (readStrategy(strategy)) {
    case 'newest-build':
      return { kind: 'newest' };
    case 'alphabetical':
      return { kind: 'alphabetical', order: 'asc' };
    case 'digest':
      if (constraint !== undefined && isTag(constraint)) return { kind: 'digest', tag: constraint };
      throw new TallymanError(
        'PolicyInvalid',
        `Cannot follow a digest of image ${showText(value.name)}: ${constraint === undefined ? 'no tag' : showText(constraint)} was found, a tag after the image such as "${value.name.slice(0, 80)}:main" was wanted`,
        { place, remedy: 'Write the tag to follow after the image, or choose another update strategy.' },
      );
    default:
      if (constraint !== undefined) parseMastermindsRange(constraint);
      return { kind: 'semver', range: constraint, prereleases: false, coerce: false, grammar: 'argocd' };
  }
}

function readStrategy(found: Located<string> | undefined): Strategy {
  if (found === undefined || found.value === '') return 'semver';
  const name = found.value.toLowerCase();
  const known = Object.hasOwn(strategies, name) ? strategies[name] : undefined;
  if (known !== undefined) return known;
  const wanted = 'semver, newest-build (latest), alphabetical (name) or digest was wanted';
  throw new TallymanError(
    'PolicyInvalid',
    `Cannot use update strategy ${showText(found.value)}: it is not known, ${wanted}`,
    {
      place: found.place,
      remedy: 'Name one of the four strategies; the peer takes any other word for semver.',
    },
  );
}

function readPlatform({ value, place }: Located<string>): string {
  if (/^[a-z0-9]+\/[a-z0-9_]+(?:\/[a-z0-9]+)?$/.test(value)) return value;
  const message = `Cannot use platform ${showText(value)}: it is none, one such as "linux/amd64" was wanted`;
  throw new TallymanError('PolicyInvalid', message, { place });
}

function invalid(object: string, found: string): TallymanError {
  return new TallymanError(
    'PolicyInvalid',
    `Cannot use ${object}: ${found}, a repository and a constraint were wanted`,
  );
}
