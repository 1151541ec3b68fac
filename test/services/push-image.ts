/** Pushes small images to a registry as a client would: blobs, then the manifest (OCI distribution-spec, "Push"). */
import { createHash } from 'node:crypto';
import { openPushSession, type PushSend, type PushTarget } from './push-session.ts';

/** What to push, and where. */
export interface PushedImage extends PushTarget {
  readonly tag: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

interface Platform {
  readonly os: string;
  readonly architecture: string;
}

const manifestType = 'application/vnd.oci.image.manifest.v1+json';
const indexType = 'application/vnd.oci.image.index.v1+json';

/** Pushes an image for linux/amd64, and gives the digest of its manifest; throws with the registry's answer if refused. */
export async function pushImage(image: PushedImage): Promise<string> {
  const send = openPushSession(image);
  const manifest = await planManifest(image, { os: 'linux', architecture: 'amd64' }, send);
  return (await putManifest(image, manifest, { reference: image.tag, send })).digest;
}

/** As `pushImage`, for several platforms: `['linux/amd64', 'linux/arm64']`; gives the digest of the index. */
export async function pushIndex(image: PushedImage, platforms: readonly string[]): Promise<string> {
  const send = openPushSession(image);
  const manifests: (Descriptor & { platform: Platform })[] = [];
  for (const name of platforms) {
    const [os = '', architecture = ''] = name.split('/');
    const platform = { os, architecture };
    const { annotations: _ofTheIndex, ...bare } = image;
    manifests.push({ ...(await putManifest(image, await planManifest(bare, platform, send), { send })), platform });
  }
  const index = { schemaVersion: 2, mediaType: indexType, manifests, annotations: image.annotations };
  return (await putManifest(image, index, { reference: image.tag, send })).digest;
}

/** The manifest of an image whose blobs are there; its layer of any bytes will do: no one unpacks it. */
async function planManifest(image: PushedImage, platform: Platform, send: PushSend) {
  const layer = Buffer.from(`${image.tag} for ${platform.os}/${platform.architecture}`);
  const rootfs = { type: 'layers', diff_ids: [digestOf(layer)] };
  const config = Buffer.from(JSON.stringify({ ...platform, config: {}, rootfs }));
  return {
    schemaVersion: 2,
    mediaType: manifestType,
    config: await pushBlob(image, { mediaType: 'application/vnd.oci.image.config.v1+json', bytes: config, send }),
    layers: [await pushBlob(image, { mediaType: 'application/vnd.oci.image.layer.v1.tar', bytes: layer, send })],
    annotations: image.annotations,
  };
}

/** Under the tag, or under its own digest where there is none. */
async function putManifest(
  image: PushedImage,
  manifest: { readonly mediaType: string },
  { reference, send }: { reference?: string; send: PushSend },
): Promise<Descriptor> {
  const body = Buffer.from(JSON.stringify(manifest));
  const digest = digestOf(body);
  const url = `${image.url}/v2/${image.repository}/manifests/${reference ?? digest}`;
  await send({ method: 'PUT', url, body, contentType: manifest.mediaType });
  return { mediaType: manifest.mediaType, digest, size: body.length };
}

/** POST opens an upload, PUT with the digest sends it whole and closes it. */
async function pushBlob(
  image: PushedImage,
  { mediaType, bytes, send }: { mediaType: string; bytes: Buffer; send: PushSend },
): Promise<Descriptor> {
  const digest = digestOf(bytes);
  const opened = await send({ method: 'POST', url: `${image.url}/v2/${image.repository}/blobs/uploads/` });
  const upload = new URL(opened.headers.get('location') ?? '', image.url);
  upload.searchParams.set('digest', digest);
  await send({ method: 'PUT', url: upload.href, body: bytes, contentType: 'application/octet-stream' });
  return { mediaType, digest, size: bytes.length };
}

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
