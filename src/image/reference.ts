/** The grammar of image references, as the field's reference implementation reads them. */
import { TallymanError } from '../error/tallyman-error.ts';
import { looksLikeHost, normalizeRegistryHost } from './registry-host.ts';

/** An image repository: where tags live. `{ host: 'ghcr.io', path: 'acme/web' }` */
export interface ImageRepository {
  /** Registry host in lower case, with a port where another than 443 was written; Docker Hub is `docker.io`. */
  readonly host: string;
  /** Path on that host; Docker Hub's official images have `library/`. */
  readonly path: string;
}

/** A parsed reference. `{ host: 'docker.io', path: 'library/nginx', tag: '1.27', digest: undefined }` */
export interface ImageReference extends ImageRepository {
  readonly tag: string | undefined;
  /** `sha256:<64 hex>`, or sha384/sha512 with their lengths. */
  readonly digest: string | undefined;
}

const alphanumeric = '[a-z0-9]+';
const pathComponent = `${alphanumeric}(?:(?:[._]|__|[-]+)${alphanumeric})*`;
const domainComponent = '(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])';
const domain = `(?:${domainComponent}(?:\\.${domainComponent})*|\\[(?:[a-fA-F0-9:]+)\\])(?::[0-9]+)?`;
const tag = '[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}';
const digest = '[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}';
// Unambiguous at every step (each separator class is disjoint from what surrounds it), so backtracking stays linear.
const referencePattern = new RegExp(
  `^((?:${domain}/)?${pathComponent}(?:/${pathComponent})*)(?::(${tag}))?(?:@(${digest}))?$`,
);
const tagPattern = new RegExp(`^${tag}$`);

const digestLengths: Readonly<Record<string, number>> = { sha256: 64, sha384: 96, sha512: 128 };

/** Longest text looked at: 255 for the path, 128 for the tag, and the longest host and digest. */
const maxReferenceChars = 1024;
/** distribution/reference: RepositoryNameTotalLengthMax, counted on the path. */
const maxPathChars = 255;

/** Whether the text is a tag that a registry may hold (OCI distribution-spec, "Pulling manifests"). */
export function isTag(text: string): boolean {
  return tagPattern.test(text);
}

/** Whether the text is a digest of a known algorithm: `sha256:` and 64 lower-case hex digits, or sha384/sha512. */
export function isDigest(text: string): boolean {
  return describeDigestFault(text) === undefined;
}

/**
 * The parts of an image reference, with Docker Hub's short forms written out; throws `ReferenceInvalid`.
 * Source: the grammar of distribution/reference (ParseNormalizedNamed) and go-digest.
 *
 * @example
 * parseImageReference('nginx:1.27') // { host: 'docker.io', path: 'library/nginx', tag: '1.27', digest: undefined }
 */
export function parseImageReference(text: string): ImageReference {
  if (text.length > maxReferenceChars)
    throw invalid(text, `it has ${text.length} characters, at most ${maxReferenceChars} are read`);
  if (/^[a-f0-9]{64}$/.test(text))
    throw invalid(text, 'it is a bare 64-digit hexadecimal identifier, a name was wanted');
  const { written, host, rest } = splitHost(text);
  const nameEnd = rest.search(/[:@]/);
  const name = nameEnd === -1 ? rest : rest.slice(0, nameEnd);
  if (name !== name.toLowerCase())
    throw invalid(text, `the repository name "${name}" has upper-case letters, lower case was wanted`);
  const match = referencePattern.exec(`${written}/${rest}`);
  if (match === null) throw invalid(text, 'it does not follow the grammar [host[:port]/]path[:tag][@digest]');
  const foundDigest = match[3];
  const fault = foundDigest === undefined ? undefined : describeDigestFault(foundDigest);
  if (fault !== undefined) throw invalid(text, fault);
  const path = (match[1] ?? '').slice(written.length + 1);
  if (path.length > maxPathChars)
    throw invalid(text, `the repository name has ${path.length} characters, at most ${maxPathChars} are allowed`);
  return { host, path, tag: match[2], digest: foundDigest };
}

/** The reference's parts, or undefined where the text is no reference. */
export function findImageReference(text: string): ImageReference | undefined {
  try {
    return parseImageReference(text);
  } catch {
    return undefined;
  }
}

/** The full form: `docker.io/library/nginx:1.27`. */
export function formatCanonical(reference: ImageRepository & Partial<ImageReference>): string {
  return `${reference.host}/${reference.path}${formatVersion(reference)}`;
}

/** The form people write: Docker Hub's host and `library/` left out where that reads back the same: `nginx:1.27`. */
export function formatFamiliar(reference: ImageRepository & Partial<ImageReference>): string {
  return `${formatFamiliarName(reference)}${formatVersion(reference)}`;
}

function formatFamiliarName({ host, path }: ImageRepository): string {
  if (host !== 'docker.io' || looksLikeHost(path.slice(0, Math.max(0, path.indexOf('/'))))) return `${host}/${path}`;
  return /^library\/[^/]+$/.test(path) ? path.slice('library/'.length) : path;
}

function formatVersion(reference: Partial<ImageReference>): string {
  return `${reference.tag === undefined ? '' : `:${reference.tag}`}${reference.digest === undefined ? '' : `@${reference.digest}`}`;
}

/** distribution/reference splitDockerDomain: the first component is a host only if it looks like one. */
function splitHost(text: string): { written: string; host: string; rest: string } {
  const slash = text.indexOf('/');
  const first = slash === -1 ? '' : text.slice(0, slash);
  const written = looksLikeHost(first) ? first : 'docker.io';
  const rest = looksLikeHost(first) ? text.slice(slash + 1) : text;
  const host = normalizeRegistryHost(written);
  return { written, host, rest: host === 'docker.io' && !rest.includes('/') ? `library/${rest}` : rest };
}

function describeDigestFault(text: string): string | undefined {
  const colon = text.indexOf(':');
  const algorithm = text.slice(0, colon);
  const hex = text.slice(colon + 1);
  const wanted = Object.hasOwn(digestLengths, algorithm) ? digestLengths[algorithm] : undefined;
  if (wanted === undefined)
    return `the digest algorithm "${algorithm}" is not known, sha256, sha384 or sha512 was wanted`;
  if (hex.length !== wanted) return `the digest has ${hex.length} hexadecimal digits, ${wanted} were wanted`;
  if (!/^[a-f0-9]*$/.test(hex)) return 'the digest is not lower-case hexadecimal';
  return undefined;
}

function invalid(text: string, found: string): TallymanError {
  const shown = text.length > 120 ? `${text.slice(0, 117)}...` : text;
  return new TallymanError('ReferenceInvalid', `Cannot read image reference ${JSON.stringify(shown)}: ${found}`);
}
