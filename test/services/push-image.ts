/** Pushes one small image to a registry as a client would: blobs, then the manifest (OCI distribution-spec, "Push"). */
import { createHash } from 'node:crypto';

/** What to push, and where. */
export interface PushedImage {
  /** The registry: `http://127.0.0.1:5000` */
  readonly url: string;
  readonly credential?: { readonly username: string; readonly password: string } | undefined;
  readonly repository: string;
  readonly tag: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

/** The digest of the pushed manifest; throws with the registry's answer where it refuses a step. */
export async function pushImage(image: PushedImage): Promise<string> {
  const config = {
    architecture: 'amd64',
    os: 'linux',
    config: {},
    rootfs: { type: 'layers', diff_ids: [digestOf(Buffer.from(image.tag))] },
  };
  // A layer of any bytes will do: no one unpacks it.
  const layer = await pushBlob(image, 'application/vnd.oci.image.layer.v1.tar', Buffer.from(image.tag));
  const manifest = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: await pushBlob(image, 'application/vnd.oci.image.config.v1+json', Buffer.from(JSON.stringify(config))),
    layers: [layer],
    ...(image.annotations && { annotations: image.annotations }),
  };
  const bytes = Buffer.from(JSON.stringify(manifest));
  const url = `${image.url}/v2/${image.repository}/manifests/${image.tag}`;
  await send(image, { method: 'PUT', url, body: bytes, contentType: manifest.mediaType });
  return digestOf(bytes);
}

/** POST opens an upload, PUT with the digest sends it whole and closes it. */
async function pushBlob(image: PushedImage, mediaType: string, bytes: Buffer): Promise<Descriptor> {
  const digest = digestOf(bytes);
  const opened = await send(image, { method: 'POST', url: `${image.url}/v2/${image.repository}/blobs/uploads/` });
  const upload = new URL(opened.headers.get('location') ?? '', image.url);
  upload.searchParams.set('digest', digest);
  await send(image, { method: 'PUT', url: upload.href, body: bytes, contentType: 'application/octet-stream' });
  return { mediaType, digest, size: bytes.length };
}

async function send(
  image: PushedImage,
  request: { method: string; url: string; body?: Buffer; contentType?: string },
): Promise<Response> {
  const { username, password } = image.credential ?? {};
  const basic = Buffer.from(`${username}:${password}`).toString('base64');
  const response = await fetch(request.url, {
    method: request.method,
    headers: {
      ...(image.credential && { authorization: `Basic ${basic}` }),
      ...(request.contentType !== undefined && { 'content-type': request.contentType }),
    },
    ...(request.body && { body: new Uint8Array(request.body) }),
  });
  const said = await response.text();
  if (!response.ok) throw new Error(`Cannot push: ${request.method} answered ${response.status}: ${said}`);
  return response;
}

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
