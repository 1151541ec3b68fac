/** What the bytes of a manifest say. */
import { createHash } from 'node:crypto';
import { isObject, parseJsonObject } from './json.ts';
import { quote } from './quote.ts';

/** An image's manifest, or the index of an image for several platforms. Little of it is kept: it may be anybody's. */
export interface Manifest {
  /** Of the bytes: `sha256:<64 hex>` */
  readonly digest: string;
  /** Those of the OCI image-spec; untrusted, but bounded in number and length. */
  readonly annotations: Readonly<Record<string, string>>;
  readonly content:
    | {
        readonly kind: 'index';
        /** Digest of the image for linux/amd64, else of the first one. */
        readonly image: string;
        /** Of all images, each once: `linux/arm64`, `linux/arm64/v8`; empty where the one image names none. */
        readonly platforms: readonly string[];
      }
    /** `config`: digest of the image's configuration; undefined where the manifest is of no image but a chart, say. */
    | { readonly kind: 'image'; readonly config: string | undefined };
}

const indexTypes: readonly string[] = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
];
const imageTypes: readonly string[] = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
];
/** Indexes first: a registry that sees no index type answers with one platform's manifest instead, and its digest. */
export const manifestTypes: readonly string[] = [...indexTypes, ...imageTypes];
const configTypes: readonly string[] = [
  'application/vnd.oci.image.config.v1+json',
  'application/vnd.docker.container.image.v1+json',
];
/** The OCI image-spec names some fifteen; others are nobody's business here. */
const annotationPrefix = 'org.opencontainers.image.';
const maxAnnotations = 32;
const maxValueChars = 500;
/** Real ones have a dozen. */
const maxImages = 1000;

/**
 * The manifest in the bytes, or why they are none. `contentType` is the answer's header; its parameters do not count.
 * Sources: OCI image-spec, "Image Index" and "Image Manifest"; distribution-spec, "Pulling manifests".
 */
export function parseManifest(body: Buffer, contentType: string | undefined): Manifest | { readonly fault: string } {
  const manifest = parseJsonObject(body);
  if (manifest === undefined) return { fault: 'the answer is no JSON object, a manifest was wanted' };
  const type = findType(manifest.mediaType, contentType);
  if ('fault' in type) return type;
  const digest = `sha256:${createHash('sha256').update(body).digest('hex')}`;
  const annotations = readAnnotations(manifest.annotations);
  if (!indexTypes.includes(type.name)) {
    return { digest, annotations, content: { kind: 'image', config: findConfig(manifest.config) } };
  }
  const images = findImages(manifest.manifests);
  const image = images.find(({ platforms }) => platforms.includes('linux/amd64')) ?? images[0];
  if (image === undefined) return { fault: 'the index holds no image, at least one was wanted' };
  if (images.length > maxImages) return { fault: `the index holds more images than ${maxImages}, fewer were wanted` };
  const platforms = [...new Set(images.flatMap((child) => child.platforms))];
  return { digest, annotations, content: { kind: 'index', image: image.digest, platforms } };
}

/** OCI manifests may leave `mediaType` out; then the header says what they are. Where both do, they must agree. */
function findType(inBody: unknown, header: string | undefined): { name: string } | { fault: string } {
  const inHeader = findMediaType(header);
  const declared = typeof inBody === 'string' ? inBody : inHeader;
  if (declared === undefined || !manifestTypes.includes(declared))
    return {
      fault: `the media type is "${quote(declared ?? '', 100)}", an OCI or Docker v2 manifest or index was wanted`,
    };
  if (inHeader !== undefined && manifestTypes.includes(inHeader) && inHeader !== declared)
    return { fault: `the body is of type "${declared}", the announced "${inHeader}" was wanted` };
  return { name: declared };
}

/** The media type of a Content-Type header, without parameters. */
export function findMediaType(header: string | undefined): string | undefined {
  return header?.split(';')[0]?.trim().toLowerCase();
}

interface ChildImage {
  readonly digest: string;
  /** Empty where the index does not say. */
  readonly platforms: readonly string[];
}

/** Attestations stand in an index as images for no platform: they are left out. */
function findImages(manifests: unknown): readonly ChildImage[] {
  if (!Array.isArray(manifests)) return [];
  return manifests.filter(isObject).flatMap(({ digest, platform }) => {
    if (!isDigest(digest)) return [];
    if (!isObject(platform)) return [{ digest, platforms: [] }];
    return platform.os === 'unknown' ? [] : [{ digest, platforms: formatPlatforms(platform) }];
  });
}

function findConfig(config: unknown): string | undefined {
  if (!isObject(config) || typeof config.mediaType !== 'string' || !configTypes.includes(config.mediaType))
    return undefined;
  return isDigest(config.digest) ? config.digest : undefined;
}

/**
 * The ways in which a policy may name a platform: with its variant and, where that is the architecture's usual one or
 * the architecture has no other meaning without one, as `containerd` reads it. Empty where it is no platform.
 *
 * @example
 * formatPlatforms({ os: 'linux', architecture: 'arm64', variant: 'v8' }) // ['linux/arm64/v8', 'linux/arm64']
 */
export function formatPlatforms(platform: Readonly<Record<string, unknown>>): readonly string[] {
  const { os, architecture, variant } = platform;
  if (!isPlatformWord(os) || !isPlatformWord(architecture) || os === 'unknown') return [];
  const bare = `${os}/${architecture}`;
  if (architecture === 'arm') return [`${bare}/${isPlatformWord(variant) ? variant : 'v7'}`, bare];
  if (!isPlatformWord(variant)) return architecture === 'arm64' ? [bare, `${bare}/v8`] : [bare];
  const isUsual = (architecture === 'arm64' && variant === 'v8') || (architecture === 'amd64' && variant === 'v1');
  return isUsual ? [`${bare}/${variant}`, bare] : [`${bare}/${variant}`];
}

function isPlatformWord(value: unknown): value is string {
  return typeof value === 'string' && /^[a-z0-9_.-]{1,40}$/.test(value);
}

/** Whether it is a digest that can be checked. */
export function isDigest(value: unknown): value is string {
  return typeof value === 'string' && /^sha256:[0-9a-f]{64}$/.test(value);
}

/** The texts under keys of the OCI image-spec, as annotations and labels have them; those that are short. */
export function readAnnotations(value: unknown): Readonly<Record<string, string>> {
  if (!isObject(value)) return {};
  const texts = Object.entries(value).filter(
    (entry): entry is [string, string] =>
      typeof entry[1] === 'string' &&
      entry[0].startsWith(annotationPrefix) &&
      entry[0].length <= 100 &&
      entry[1].length <= maxValueChars,
  );
  return Object.fromEntries(texts.slice(0, maxAnnotations));
}
