/** A small image registry in memory that speaks the Distribution API, for tests and the demo. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Content, type ImageContent, type MadeImage, makeImage } from './make-image.ts';

export interface RegistryServerOptions {
  /** `basic`: every request carries the user; `bearer`: a token endpoint gives tokens to the user. Default `none`. */
  readonly auth?: 'none' | 'basic' | 'bearer';
  /** Who may pull; default `{ username: 'tally', password: 'open sesame' }`. */
  readonly user?: { readonly username: string; readonly password: string };
  /** Most tags on one page, whatever `n` asks for; default 1000. */
  readonly pageSize?: number;
  /** Life of a token in seconds; default 300. */
  readonly tokenSeconds?: number;
  /** Sees each request first; true means that it has answered (or means to leave the client waiting). */
  readonly intercept?: (request: IncomingMessage, response: ServerResponse) => boolean;
}

/** One request as it came in, in order. */
interface LoggedRequest {
  readonly method: string;
  /** Path with query: `/v2/acme/web/tags/list?n=1000` */
  readonly url: string;
  readonly authorization: string | undefined;
}

export interface RegistryServer {
  /** `http://127.0.0.1:<port>` */
  readonly url: string;
  /** `127.0.0.1:<port>`, as written in an image reference. */
  readonly host: string;
  readonly credential: { readonly username: string; readonly password: string };
  readonly requests: readonly LoggedRequest[];
  /** Puts an image under the tag, as a push would, and returns its digest. */
  publish(repository: string, tag: string, annotations?: Readonly<Record<string, string>>): string;
  /** The same with all that an image may have. */
  publishImage(repository: string, tag: string, content: Omit<ImageContent, 'mark'>): MadeImage;
  close(): Promise<void>;
}

/** One repository: tag -> digest, digest -> manifest, and digest -> blob. */
interface StoredRepository {
  readonly tags: Map<string, string>;
  readonly manifests: Map<string, Content>;
  readonly blobs: Map<string, Content>;
}

/** All that the handlers share. */
interface Store {
  readonly options: RegistryServerOptions;
  readonly user: { readonly username: string; readonly password: string };
  readonly repositories: Map<string, StoredRepository>;
  /** token -> the repository it may pull, and until when. */
  readonly tokens: Map<string, { readonly repository: string; readonly expiresAtMs: number }>;
}

/** Starts the registry on a free port of 127.0.0.1. */
export async function startRegistryServer(options: RegistryServerOptions = {}): Promise<RegistryServer> {
  const user = options.user ?? { username: 'tally', password: 'open sesame' };
  const store: Store = { options, user, repositories: new Map(), tokens: new Map() };
  const requests: LoggedRequest[] = [];
  const server = createServer((request, response) => {
    const { method = '', url = '', headers } = request;
    requests.push({ method, url, authorization: headers.authorization });
    if (options.intercept?.(request, response) === true) return;
    const { status, headers: sent, body } = planReply(store, request);
    response.writeHead(status, { ...sent, 'content-length': body.length });
    response.end(method === 'HEAD' ? undefined : body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url: `http://${host}`,
    host,
    credential: user,
    requests,
    publish: (repository, tag, annotations = {}) =>
      publishImage(store, { repository, tag }, { annotations }).top.digest,
    publishImage: (repository, tag, content) => publishImage(store, { repository, tag }, content),
    close: async () => {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

function publishImage(
  store: Store,
  { repository, tag }: { repository: string; tag: string },
  content: Omit<ImageContent, 'mark'>,
): MadeImage {
  const image = makeImage({ ...content, mark: tag });
  const stored = store.repositories.get(repository) ?? { tags: new Map(), manifests: new Map(), blobs: new Map() };
  store.repositories.set(repository, stored);
  for (const manifest of [image.top, ...image.children]) stored.manifests.set(manifest.digest, manifest);
  for (const config of image.configs) stored.blobs.set(config.digest, config);
  stored.tags.set(tag, image.top.digest);
  return image;
}

/** One answer, as data; the listener writes it. */
interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** `/v2/`, `/v2/<repository>/tags/list`, `/v2/<repository>/manifests/<tag or digest>` or `/v2/<repository>/blobs/<digest>` */
const routePattern = /^\/v2\/(?:(.+)\/(tags|manifests|blobs)\/([^/]+))?$/;

function planReply(store: Store, request: IncomingMessage): Reply {
  const url = new URL(request.url ?? '/', `http://${request.headers.host}`);
  if (url.pathname === '/token') return replyWithToken(store, request, url);
  const route = routePattern.exec(url.pathname);
  const [, repository = '', kind, reference = ''] = route ?? [];
  if (!mayPull(store, request, repository)) return replyWithChallenge(store, url, repository);
  if (route === null) return replyWithError(404, 'UNSUPPORTED');
  if (kind === undefined) return replyWithJson({});
  const stored = store.repositories.get(repository);
  if (stored === undefined) return replyWithError(404, 'NAME_UNKNOWN');
  const pageSize = store.options.pageSize ?? 1000;
  if (kind === 'tags') return replyWithTags([...stored.tags.keys()], url, pageSize);
  const digest = stored.tags.get(reference) ?? reference;
  return kind === 'blobs'
    ? replyWithContent(stored.blobs.get(digest), 'BLOB_UNKNOWN')
    : replyWithContent(stored.manifests.get(digest), 'MANIFEST_UNKNOWN');
}

function mayPull(store: Store, request: IncomingMessage, repository: string): boolean {
  const authorization = request.headers.authorization ?? '';
  if (store.options.auth === 'basic') return authorization === formatBasic(store.user);
  if (store.options.auth !== 'bearer') return true;
  const grant = store.tokens.get(authorization.replace(/^Bearer /, ''));
  return grant !== undefined && grant.repository === repository && grant.expiresAtMs > Date.now();
}

function replyWithChallenge(store: Store, url: URL, repository: string): Reply {
  const bearer = `Bearer realm="${url.origin}/token",service="test registry",scope="repository:${repository}:pull"`;
  const challenge = store.options.auth === 'bearer' ? bearer : 'Basic realm="test registry"';
  return replyWithError(401, 'UNAUTHORIZED', { 'www-authenticate': challenge });
}

/** The token flow by GET (distribution token specification, "Requesting a Token"). */
function replyWithToken(store: Store, request: IncomingMessage, url: URL): Reply {
  if (request.headers.authorization !== formatBasic(store.user)) return replyWithError(401, 'UNAUTHORIZED');
  const repository = /^repository:(.+):pull$/.exec(url.searchParams.get('scope') ?? '')?.[1] ?? '';
  const seconds = store.options.tokenSeconds ?? 300;
  const token = randomUUID();
  store.tokens.set(token, { repository, expiresAtMs: Date.now() + seconds * 1000 });
  return replyWithJson({ token, expires_in: seconds, issued_at: new Date().toISOString() });
}

/** OCI distribution-spec, "Listing Tags": lexical order, `n` and `last`, Link to the next page. */
function replyWithTags(all: readonly string[], url: URL, pageSize: number): Reply {
  const last = url.searchParams.get('last');
  const rest = all.filter((tag) => last === null || tag > last).sort();
  const size = Math.min(Number(url.searchParams.get('n') ?? pageSize), pageSize);
  const tags = rest.slice(0, size);
  const query = new URLSearchParams({ n: String(size), last: tags.at(-1) ?? '' });
  const link = { link: `<${url.pathname}?${query}>; rel="next"` };
  return replyWithJson(
    { name: url.pathname.slice('/v2/'.length, -'/tags/list'.length), tags },
    tags.length < rest.length ? link : {},
  );
}

function replyWithContent(content: Content | undefined, missing: string): Reply {
  if (content === undefined) return replyWithError(404, missing);
  const headers = { 'content-type': content.mediaType, 'docker-content-digest': content.digest };
  return { status: 200, headers, body: content.bytes };
}

function replyWithError(status: number, code: string, headers: Readonly<Record<string, string>> = {}): Reply {
  const error = { code, message: code.toLowerCase().replaceAll('_', ' ') };
  return { ...replyWithJson({ errors: [error] }, headers), status };
}

function replyWithJson(value: unknown, headers: Readonly<Record<string, string>> = {}): Reply {
  const body = Buffer.from(JSON.stringify(value));
  return { status: 200, headers: { 'content-type': 'application/json', ...headers }, body };
}

function formatBasic(user: { readonly username: string; readonly password: string }): string {
  return `Basic ${Buffer.from(`${user.username}:${user.password}`).toString('base64')}`;
}
