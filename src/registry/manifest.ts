/** Reads the manifest behind a tag. */
import { createHash } from 'node:crypto';
import { TallymanError } from '../error/tallyman-error.ts';
import { isTag } from '../image/reference.ts';
import type { ManifestInfo } from '../pipeline/ports.ts';
import type { RepositoryAccess } from './access.ts';
import { isObject, parseJsonObject } from './json.ts';
import { quote } from './quote.ts';

/** Indexes first: a registry that sees no index type answers with one platform's manifest instead, and its digest. */
const manifestTypes: readonly string[] = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
];

/**
 * The digest and annotations of the manifest, or of the index for several platforms. The digest is computed from the
 * bytes; what a header says of it is not needed. Throws ImageNotFound, RegistryInvalid and what access throws.
 * Source: OCI distribution-spec, "Pulling manifests"; image-spec, "mediaType" of manifest and index.
 */
export async function fetchManifest(access: RepositoryAccess, tag: string): Promise<ManifestInfo> {
  if (!isTag(tag)) throw new TallymanError('ReferenceInvalid', `Cannot ${access.task}: that is no tag, one was wanted`);
  const url = new URL(`/v2/${access.repository.path}/manifests/${tag}`, access.origin);
  const answer = await access.get({
    url,
    accept: manifestTypes.join(', '),
    maxBodyBytes: access.limits.maxManifestBytes,
  });
  if (answer.status !== 200) throw access.fail(answer);
  const manifest = parseJsonObject(answer.body);
  if (manifest === undefined) throw refuse(access, 'the answer is no JSON object, a manifest was wanted');
  const fault = findTypeFault(manifest.mediaType, answer.headers['content-type']);
  if (fault !== undefined) throw refuse(access, fault);
  return {
    digest: `sha256:${createHash('sha256').update(answer.body).digest('hex')}`,
    annotations: findAnnotations(manifest.annotations),
    platforms: undefined,
  };
}

/** OCI manifests may leave `mediaType` out; then the header says what they are. Where both do, they must agree. */
function findTypeFault(inBody: unknown, header: string | undefined): string | undefined {
  const inHeader = header?.split(';')[0]?.trim().toLowerCase();
  const declared = typeof inBody === 'string' ? inBody : inHeader;
  if (declared === undefined || !manifestTypes.includes(declared))
    return `the media type is "${quote(declared ?? '', 100)}", an OCI or Docker v2 manifest or index was wanted`;
  if (inHeader !== undefined && manifestTypes.includes(inHeader) && inHeader !== declared)
    return `the body is of type "${declared}", the announced "${inHeader}" was wanted`;
  return undefined;
}

function findAnnotations(value: unknown): Readonly<Record<string, string>> {
  if (!isObject(value)) return {};
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}

function refuse(access: RepositoryAccess, found: string): TallymanError {
  return new TallymanError('RegistryInvalid', `Cannot ${access.task}: ${found}`);
}
