/** A registry with very many tags that are made up as they are asked for: a process of its own, with little memory. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Old versions that each repository has: `0.1.0` to `0.1.499` */
const oldTags = Array.from({ length: 500 }, (_, index) => `0.1.${index}`);

export interface ManyImages {
  readonly host: string;
  /** Adds a version; the new one. */
  publish(app: number): string;
  requests(): number;
  /** Those for lists of tags. */
  lists(): number;
}

/** Repositories `acme/app-<n>`; each has `1.0.0` and what `publish` adds to it. */
export async function startManyImages(): Promise<ManyImages> {
  const patches = new Map<string, number>();
  let count = 0;
  let listed = 0;
  const server = createServer((request, response) => {
    count += 1;
    const [, path = '', kind, reference = ''] = /^\/v2\/(.+)\/(tags|manifests)\/([^/?]+)/.exec(request.url ?? '') ?? [];
    if (kind === 'tags') listed += 1;
    const newest = patches.get(path) ?? 0;
    const content =
      kind === 'tags'
        ? { name: path, tags: [...oldTags, ...Array.from({ length: newest + 1 }, (_, patch) => `1.0.${patch}`)] }
        : formatManifest(`${path}:${reference}`);
    const body = JSON.stringify(content);
    const type = kind === 'tags' ? 'application/json' : 'application/vnd.oci.image.manifest.v1+json';
    response.writeHead(200, {
      'content-type': type,
      'content-length': Buffer.byteLength(body),
      ...(kind === 'manifests' && { 'docker-content-digest': digestOf(body) }),
    });
    response.end(request.method === 'HEAD' ? undefined : body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  server.unref();
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    publish(app) {
      const path = `acme/app-${app}`;
      patches.set(path, (patches.get(path) ?? 0) + 1);
      return `1.0.${patches.get(path)}`;
    },
    requests: () => count,
    lists: () => listed,
  };
}

function formatManifest(name: string): object {
  const empty = { mediaType: 'application/vnd.oci.empty.v1+json', digest: digestOf('{}'), size: 2 };
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  return { schemaVersion: 2, mediaType, config: empty, layers: [empty], annotations: { name } };
}

function digestOf(text: string): string {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`;
}
