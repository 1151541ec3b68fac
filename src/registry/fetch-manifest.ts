/** Finds out what is behind a tag, with as few requests as that takes. */
import { TallymanError } from '../error/tallyman-error.ts';
import { isTag } from '../image/reference.ts';
import type { ManifestInfo } from '../pipeline/ports.ts';
import type { RepositoryAccess } from './access.ts';
import { startDeadline } from './deadline.ts';
import { fetchImageConfig, type ImageConfig } from './image-config.ts';
import { findMediaType, isDigest, type Manifest, manifestTypes, parseManifest } from './manifest.ts';
import { rememberRecent } from './remember-recent.ts';

/** What was read before. What a digest names never changes, so it is kept as long as there is room. */
export interface ManifestMemory {
  /** Repository and tag -> what it had when its bytes were last read. */
  readonly tags: Map<string, KnownTag>;
  /** Repository and digest -> manifest. */
  readonly manifests: Map<string, Manifest>;
  /** Repository and digest of a manifest -> configuration of its (first) image. */
  readonly configs: Map<string, ImageConfig>;
  /** Repository and digest of a manifest -> until when its configuration is not asked for again, in ms since 1970. */
  readonly unreadable: Map<string, number>;
}

interface KnownTag {
  readonly digest: string;
  /** What the header said its digest is; in some registries that is another. */
  readonly told: string | undefined;
}

/** Entries of each map; one takes a few kilobytes at most. */
const maxEntries = 5000;
/** Where an image comes from is good to know, but nothing waits for it. */
const labelsMs = 5000;
const unreadableMs = 3_600_000;
const sourceKey = 'org.opencontainers.image.source';

export function createManifestMemory(): ManifestMemory {
  return { tags: new Map(), manifests: new Map(), configs: new Map(), unreadable: new Map() };
}

interface Wanted {
  readonly memory: ManifestMemory;
  readonly platforms: boolean;
  /** Milliseconds since 1970, UTC. */
  readonly now: () => number;
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
  const needsPlatforms = wanted.platforms && (content.kind === 'image' || content.platforms.length === 0);
  const config = needsPlatforms
    ? await readConfig(access, manifest, { memory: wanted.memory })
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
  const known = memory.tags.get(keyOf(access, tag));
  const manifest = known === undefined ? undefined : memory.manifests.get(keyOf(access, known.digest));
  if (known === undefined || manifest === undefined) return undefined;
  const { status, headers } = await askManifest(access, tag, { method: 'HEAD' });
  const told = headers['docker-content-digest'];
  // Some registries answer HEAD without the digest, or not at all (ECR, old Red Hat): then the bytes tell.
  if (status !== 200 || !isDigest(told) || !isManifestType(headers['content-type'])) return undefined;
  return told === known.told ? manifest : memory.manifests.get(keyOf(access, told));
}

async function pullTag(access: RepositoryAccess, tag: string, { memory }: Wanted): Promise<Manifest> {
  const { manifest, told } = await pull(access, tag, { memory });
  rememberRecent(memory.tags, [keyOf(access, tag), { digest: manifest.digest, told }], maxEntries);
  return manifest;
}

type Asking = Pick<Parameters<RepositoryAccess['ask']>[0], 'signal' | 'maxTries'>;

async function pull(
  access: RepositoryAccess,
  reference: string,
  { memory, ...asking }: Asking & { readonly memory: ManifestMemory },
): Promise<{ manifest: Manifest; told: string | undefined }> {
  const answer = await askManifest(access, reference, { method: 'GET', ...asking });
  if (answer.status !== 200) throw access.fail(answer);
  const manifest = parseManifest(answer.body, answer.headers['content-type']);
  if ('fault' in manifest) throw refuse(access, manifest.fault);
  if (isDigest(reference) && manifest.digest !== reference)
    throw refuse(
      access,
      'the manifest of one platform does not have the bytes of its digest, the right ones were wanted',
    );
  rememberRecent(memory.manifests, [keyOf(access, manifest.digest), manifest], maxEntries);
  return { manifest, told: answer.headers['docker-content-digest'] };
}

function askManifest(
  access: RepositoryAccess,
  reference: string,
  { method, ...asking }: Asking & { readonly method: 'GET' | 'HEAD' },
) {
  const url = new URL(`/v2/${access.repository.path}/manifests/${reference}`, access.origin);
  const accept = manifestTypes.join(', ');
  const { maxManifestBytes } = access.limits;
  return access.ask({ ...asking, method, url, accept, maxBodyBytes: maxManifestBytes, isPull: method === 'GET' });
}

/** The configuration of the image, or of an index's image; undefined where it has none. */
async function readConfig(
  access: RepositoryAccess,
  manifest: Manifest,
  { memory, ...asking }: Asking & { readonly memory: ManifestMemory },
): Promise<ImageConfig | undefined> {
  const key = keyOf(access, manifest.digest);
  const known = memory.configs.get(key);
  if (known !== undefined) return known;
  const image = await findImage(access, manifest, { memory, ...asking });
  const config = image.content.kind === 'image' ? image.content.config : undefined;
  if (config === undefined) return undefined;
  const read = await fetchImageConfig(access, config, asking);
  rememberRecent(memory.configs, [key, read], maxEntries);
  return read;
}

/** The same with little patience: one try, a short time, and after a failure none for an hour. */
async function readConfigIfPossible(
  access: RepositoryAccess,
  manifest: Manifest,
  { memory, now, onFault }: Wanted,
): Promise<ImageConfig | undefined> {
  const key = keyOf(access, manifest.digest);
  if (now() < (memory.unreadable.get(key) ?? 0)) return undefined;
  const deadline = startDeadline(access.signal, labelsMs, () => {
    const found = `its labels are not there after ${labelsMs / 1000} s`;
    return new TallymanError('RegistryUnavailable', `Cannot ${access.task}: ${found}, they were wanted`);
  });
  try {
    return await readConfig(access, manifest, { memory, maxTries: 1, signal: deadline.signal });
  } catch (error) {
    if (!(error instanceof TallymanError) || access.signal.aborted) throw error;
    rememberRecent(memory.unreadable, [key, now() + unreadableMs], maxEntries);
    onFault(error);
    return undefined;
  } finally {
    deadline.stop();
  }
}

async function findImage(
  access: RepositoryAccess,
  manifest: Manifest,
  asking: Asking & { readonly memory: ManifestMemory },
): Promise<Manifest> {
  if (manifest.content.kind === 'image') return manifest;
  const { image } = manifest.content;
  return asking.memory.manifests.get(keyOf(access, image)) ?? (await pull(access, image, asking)).manifest;
}

function listPlatforms({ content }: Manifest, config: ImageConfig | undefined): readonly string[] | undefined {
  if (content.kind === 'image') return content.config === undefined ? [] : config?.platforms;
  return content.platforms.length === 0 ? config?.platforms : content.platforms;
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
