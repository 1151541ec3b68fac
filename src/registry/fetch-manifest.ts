/** Finds out what is behind a tag, with as few requests as that takes. */
import { TallymanError } from '../error/tallyman-error.ts';
import { isTag } from '../image/reference.ts';
import type { ManifestInfo } from '../pipeline/ports.ts';
import type { RepositoryAccess } from './access.ts';
import { fetchImageConfig, type ImageConfig } from './image-config.ts';
import { findMediaType, isDigest, type Manifest, manifestTypes, parseManifest } from './manifest.ts';
import { rememberRecent } from './remember-recent.ts';

/** What was read before. What a digest names never changes, so it is kept as long as there is room. */
export interface ManifestMemory {
  /** Repository and tag -> the digest it had when it was last looked at. */
  readonly digests: Map<string, string>;
  /** Repository and digest -> manifest. */
  readonly manifests: Map<string, Manifest>;
  /** Repository and digest of a manifest -> configuration of its (first) image. */
  readonly configs: Map<string, ImageConfig>;
}

/** Entries of each map; one takes about a kilobyte. */
const maxEntries = 10_000;
const sourceKey = 'org.opencontainers.image.source';

export function createManifestMemory(): ManifestMemory {
  return { digests: new Map(), manifests: new Map(), configs: new Map() };
}

interface Wanted {
  readonly memory: ManifestMemory;
  readonly platforms: boolean;
  /** Told why an image's labels cannot be read; the manifest stands without them. */
  readonly onFault: (error: TallymanError) => void;
}

/**
 * The manifest, or the index for several platforms, behind the tag. The digest is computed from the bytes, once; whether
 * the tag still has it is asked by HEAD, which no registry counts as a pull. Labels say where the image comes from if
 * annotations do not. Throws ImageNotFound, RegistryInvalid and what access throws.
 * Source: OCI distribution-spec, "Pulling manifests".
 */
export async function fetchManifest(access: RepositoryAccess, tag: string, wanted: Wanted): Promise<ManifestInfo> {
  if (!isTag(tag)) throw new TallymanError('ReferenceInvalid', `Cannot ${access.task}: that is no tag, one was wanted`);
  const manifest = (await recallManifest(access, tag, wanted)) ?? (await pullTag(access, tag, wanted));
  const { digest, annotations, content } = manifest;
  const needsPlatforms = wanted.platforms && (content.kind === 'image' || hasUnnamedPlatform(content.images));
  const config = needsPlatforms
    ? await readConfig(access, manifest, wanted)
    : Object.hasOwn(annotations, sourceKey)
      ? undefined
      : await readConfigIfPossible(access, manifest, wanted);
  return {
    digest,
    annotations: { ...pickSource(config?.labels ?? {}), ...annotations },
    platforms: listPlatforms(manifest, config),
  };
}

/** The manifest read before, if a HEAD says that the tag still has its digest. */
async function recallManifest(
  access: RepositoryAccess,
  tag: string,
  { memory }: Wanted,
): Promise<Manifest | undefined> {
  const known = memory.digests.get(keyOf(access, tag));
  const manifest = known === undefined ? undefined : memory.manifests.get(keyOf(access, known));
  if (manifest === undefined) return undefined;
  const { status, headers } = await askManifest(access, tag, 'HEAD');
  const digest = headers['docker-content-digest'];
  // Some registries answer HEAD without the digest, or not at all (ECR, old Red Hat): then the bytes tell.
  const isTold = status === 200 && isDigest(digest) && isManifestType(headers['content-type']);
  return isTold ? memory.manifests.get(keyOf(access, digest)) : undefined;
}

async function pullTag(access: RepositoryAccess, tag: string, { memory }: Wanted): Promise<Manifest> {
  const manifest = await pull(access, tag, memory);
  rememberRecent(memory.digests, [keyOf(access, tag), manifest.digest], maxEntries);
  return manifest;
}

async function pull(access: RepositoryAccess, reference: string, memory: ManifestMemory): Promise<Manifest> {
  const answer = await askManifest(access, reference, 'GET');
  if (answer.status !== 200) throw access.fail(answer);
  const manifest = parseManifest(answer.body, answer.headers['content-type']);
  if ('fault' in manifest) throw refuse(access, manifest.fault);
  if (isDigest(reference) && manifest.digest !== reference)
    throw refuse(
      access,
      'the manifest of one platform does not have the bytes of its digest, the right ones were wanted',
    );
  rememberRecent(memory.manifests, [keyOf(access, manifest.digest), manifest], maxEntries);
  return manifest;
}

function askManifest(access: RepositoryAccess, reference: string, method: 'GET' | 'HEAD') {
  const url = new URL(`/v2/${access.repository.path}/manifests/${reference}`, access.origin);
  const accept = manifestTypes.join(', ');
  return access.ask({ method, url, accept, maxBodyBytes: access.limits.maxManifestBytes, isPull: method === 'GET' });
}

/** The configuration of the image, or of the index's first one; undefined where it has none. */
async function readConfig(
  access: RepositoryAccess,
  manifest: Manifest,
  { memory }: Wanted,
): Promise<ImageConfig | undefined> {
  const key = keyOf(access, manifest.digest);
  const known = memory.configs.get(key);
  if (known !== undefined) return known;
  const image = await findImage(access, manifest, memory);
  const config = image.content.kind === 'image' ? image.content.config : undefined;
  if (config === undefined) return undefined;
  const read = await fetchImageConfig(access, config);
  rememberRecent(memory.configs, [key, read], maxEntries);
  return read;
}

async function readConfigIfPossible(
  access: RepositoryAccess,
  manifest: Manifest,
  wanted: Wanted,
): Promise<ImageConfig | undefined> {
  try {
    return await readConfig(access, manifest, wanted);
  } catch (error) {
    if (!(error instanceof TallymanError)) throw error;
    wanted.onFault(error);
    return undefined;
  }
}

async function findImage(access: RepositoryAccess, manifest: Manifest, memory: ManifestMemory): Promise<Manifest> {
  if (manifest.content.kind === 'image') return manifest;
  const { images } = manifest.content;
  const child = images.find(({ platforms }) => platforms.includes('linux/amd64')) ?? images[0];
  if (child === undefined) return manifest;
  return memory.manifests.get(keyOf(access, child.digest)) ?? (await pull(access, child.digest, memory));
}

function listPlatforms({ content }: Manifest, config: ImageConfig | undefined): readonly string[] | undefined {
  if (content.kind === 'image') return content.config === undefined ? [] : config?.platforms;
  const named = content.images.flatMap(({ platforms }) => platforms);
  return [...new Set(hasUnnamedPlatform(content.images) ? [...named, ...(config?.platforms ?? [])] : named)];
}

/** An index of one image need not say what for. */
function hasUnnamedPlatform(images: readonly { platforms: readonly string[] }[]): boolean {
  return images.length === 1 && images[0]?.platforms.length === 0;
}

/** Only what says where an image comes from: the others of its labels may be its base image's own. */
function pickSource(labels: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    [sourceKey, 'org.opencontainers.image.revision'].flatMap((key) => {
      const text = Object.hasOwn(labels, key) ? labels[key] : undefined;
      return text === undefined ? [] : [[key, text]];
    }),
  );
}

function isManifestType(header: string | undefined): boolean {
  return manifestTypes.includes(findMediaType(header) ?? '');
}

function keyOf({ origin, repository }: RepositoryAccess, reference: string): string {
  return `${origin}/${repository.path} ${reference}`;
}

function refuse(access: RepositoryAccess, found: string): TallymanError {
  return new TallymanError('RegistryInvalid', `Cannot ${access.task}: ${found}`);
}
