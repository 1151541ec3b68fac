/** What the portraits of registries in tests are painted with. */
import assert from 'node:assert/strict';
import type { HostSettings } from '../../src/registry/host.ts';
import { type Behaviour, type Call, complain, type Play, type Reply, sendManifest } from './act-out.ts';
import { makeTags } from './open-registry.ts';

const source = 'org.opencontainers.image.source';
const annotations = { [source]: 'https://git.example/acme/web' };
export const basicOf = (username: string, password: string): string =>
  `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;

/** One registry as its users meet it: a listing and a manifest, from the first 401 on. */
export interface Portrait {
  readonly name: string;
  readonly host: string;
  readonly credential?: HostSettings['credential'];
  readonly registry: Behaviour;
  readonly tags: readonly string[];
  readonly digest: string;
  /** In short, in order. */
  readonly asked: readonly string[];
}

/** The part behind the sign-in: pages by the query's cursor, and one manifest. */
interface Content {
  readonly pages: (call: Call) => Reply;
  readonly manifest: ReturnType<typeof sendManifest>;
  readonly headers?: Readonly<Record<string, string>>;
}

export const serve =
  ({ pages, manifest, headers }: Content): Behaviour =>
  (call) => {
    if (call.path.endsWith('/tags/list')) return pages(call);
    if (!call.path.includes('/manifests/')) return complain(404, 'BLOB_UNKNOWN');
    return { ...manifest, headers: { ...manifest.headers, ...headers } };
  };

/** Lexical pages of `size` with a link by `last`. */
export const lexical =
  (all: readonly string[], size: number, formatLink: (path: string, last: string) => string) =>
  ({ path, query }: Call): Reply => {
    const rest = all.filter((tag) => tag > (query.get('last') ?? ''));
    const tags = rest.slice(0, size);
    const link = rest.length > size ? { link: formatLink(path, tags.at(-1) ?? '') } : {};
    return { json: { name: 'acme/web', tags }, headers: link };
  };
export const byLast = (path: string, last: string): string => `<${path}?last=${last}&n=1000>; rel="next"`;

export const wantsBasic =
  (sent: string, registry: Behaviour): Behaviour =>
  (call) =>
    call.authorization === sent
      ? registry(call)
      : { ...complain(401, 'UNAUTHORIZED'), headers: { 'www-authenticate': 'Basic realm="https://registry/"' } };

/** A token server for this user only, without `issued_at`. */
export const tokenFor =
  (sent: string | undefined, json: object): Behaviour =>
  ({ authorization }) =>
    authorization === sent ? { json } : complain(401, 'UNAUTHORIZED', 'incorrect username or password');

export const listPath = 'GET /v2/acme/web/tags/list';
export const manifestPath = 'GET /v2/acme/web/manifests/1.0';
export const image = sendManifest({ annotations });
export const index = sendManifest(
  { annotations, manifests: [{ digest: image.digest, platform: { os: 'linux', architecture: 'amd64' } }] },
  'application/vnd.oci.image.index.v1+json',
);
export const dockerList = sendManifest(
  { annotations, manifests: [{ digest: image.digest, platform: { os: 'linux', architecture: 'arm64' } }] },
  'application/vnd.docker.distribution.manifest.list.v2+json',
);
export const hundreds = makeTags(250);
export const anonymous = (tokenPath: string, pages: number): string[] => [
  `${listPath} -`,
  `GET ${tokenPath} -`,
  ...Array.from({ length: pages }, () => `${listPath} Bearer`),
  `${manifestPath} Bearer`,
];
export const signedIn = (tokenPath: string, pages: number): string[] =>
  anonymous(tokenPath, pages).map((line) => line.replace(`${tokenPath} -`, `${tokenPath} Basic`));

export const toPlay = ({ name, host, credential, registry, tags, digest, asked }: Portrait): Play => ({
  fact: '2.6',
  name,
  host,
  settings: () => ({ credential }),
  registry,
  client: async (scene) => {
    assert.deepEqual(await scene.list(), tags);
    const manifest = await scene.fetch('1.0');
    assert.equal(manifest.digest, digest);
    assert.deepEqual(manifest.annotations, annotations);
    assert.deepEqual(scene.asked(), asked);
  },
});
