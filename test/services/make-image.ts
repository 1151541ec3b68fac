/** The bytes of an image as a build tool makes them: configuration, manifest and, for several platforms, an index. */
import { createHash } from 'node:crypto';

export interface ImageContent {
  readonly annotations?: Readonly<Record<string, string>>;
  /** Of its configuration, with the platform. */
  readonly labels?: Readonly<Record<string, string>>;
  /** `linux/amd64`, `linux/arm/v7`; more than one make an index. Default `linux/amd64`. */
  readonly platforms?: readonly string[];
  /** Makes the bytes differ from another image's, as its layers would. */
  readonly mark: string;
}

export interface Content {
  readonly mediaType: string;
  readonly digest: string;
  readonly bytes: Buffer;
}

export interface MadeImage {
  /** What the tag names. */
  readonly top: Content;
  /** The manifests of an index; empty without one. */
  readonly children: readonly Content[];
  readonly configs: readonly Content[];
}

const manifestType = 'application/vnd.oci.image.manifest.v1+json';
const indexType = 'application/vnd.oci.image.index.v1+json';
const configType = 'application/vnd.oci.image.config.v1+json';

export function makeImage(content: ImageContent): MadeImage {
  const { platforms = ['linux/amd64'], annotations } = content;
  const images = platforms.map((platform) => makeOne(content, platform));
  const [only] = images;
  if (images.length === 1 && only !== undefined) return { top: only.manifest, children: [], configs: [only.config] };
  const manifests = images.map(({ manifest, platform }) => ({ ...describe(manifest), platform }));
  const attestation = {
    ...describe(toContent(manifestType, {})),
    platform: { architecture: 'unknown', os: 'unknown' },
  };
  return {
    top: toContent(indexType, { schemaVersion: 2, manifests: [...manifests, attestation], annotations }),
    children: images.map(({ manifest }) => manifest),
    configs: images.map(({ config }) => config),
  };
}

function makeOne({ mark, labels = {}, annotations, platforms = [] }: ImageContent, name: string) {
  const [os, architecture, variant] = name.split('/');
  const platform = { os, architecture, ...(variant !== undefined && { variant }) };
  const config = toContent(configType, { ...platform, config: { Labels: { ...labels, mark } }, rootfs: {} });
  const own = platforms.length > 1 ? {} : { annotations };
  return {
    platform,
    config,
    manifest: toContent(manifestType, { schemaVersion: 2, config: describe(config), layers: [], ...own }),
  };
}

function toContent(mediaType: string, value: object): Content {
  const bytes = Buffer.from(JSON.stringify(mediaType === configType ? value : { mediaType, ...value }));
  return { mediaType, bytes, digest: `sha256:${createHash('sha256').update(bytes).digest('hex')}` };
}

function describe({ mediaType, digest, bytes }: Content) {
  return { mediaType, digest, size: bytes.length };
}
