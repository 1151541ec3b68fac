/** Images that were pushed, as registries tell of them; what they say of tags and digests is not read. */
import { type Delivery, type DeliveryResult, ignored, malformed } from './delivery.ts';
import { hostOf, type NamedImage, splitImage, toHints } from './image-hint.ts';
import { findList, findText, type Payload, parseObject } from './payload.ts';

/** What an image is known by where the payload does not tell, or tells another name: `registry.example.com` */
export interface RegistryName {
  readonly host: string | undefined;
}

export type ReadRegistry = (payload: Payload, name: RegistryName, delivery: Delivery) => DeliveryResult;

/** Docker Hub, "Webhooks": one push of one tag. */
export const readDockerHub: ReadRegistry = (payload) => {
  const path = findText(payload, 'repository', 'repo_name') ?? joinName(payload);
  return toHints([{ host: 'docker.io', path }], 'no image');
};

/** GitHub's "Webhook events and payloads" (package, registry_package): one event for each manifest of an image. */
export function readGithubPackage(payload: Payload, { host }: RegistryName): DeliveryResult {
  const key = findText(payload, 'package', 'name') === undefined ? 'registry_package' : 'package';
  if (!/^container$/i.test(findText(payload, key, 'package_type') ?? 'container')) return ignored('not an image');
  if (!['published', 'updated'].includes(findText(payload, 'action') ?? '')) return ignored('nothing was published');
  const names = [findText(payload, key, 'owner', 'login'), findText(payload, key, 'name')];
  if (names.includes(undefined)) return malformed("the package's owner or name is missing");
  return toHints([{ host: host ?? 'ghcr.io', path: names.join('/').toLowerCase() }], 'no image');
}

/** Gitea's and Forgejo's `PackagePayload` (modules/structs/hook.go); the registry is on the server's own host. */
export function readGiteaPackage(payload: Payload, { host }: RegistryName): DeliveryResult {
  if (findText(payload, 'package', 'type') !== 'container') return ignored('not an image');
  if (findText(payload, 'action') !== 'created') return ignored('nothing was published');
  const owner = findText(payload, 'package', 'owner', 'login') ?? findText(payload, 'package', 'owner', 'username');
  const names = [owner, findText(payload, 'package', 'name')];
  if (names.includes(undefined)) return malformed("the package's owner or name is missing");
  const named = { host: host ?? hostOf(findText(payload, 'package', 'html_url')), path: names.join('/').toLowerCase() };
  return toHints([named], 'no image');
}

/** Harbor, "Configure Webhook Notifications": any number of tags of one repository. Also inside a CloudEvent. */
export const readHarbor: ReadRegistry = (payload, name) => {
  if (findText(payload, 'type') !== 'PUSH_ARTIFACT') return ignored('nothing was pushed');
  return readHarborData(payload.event_data, name);
};

/** The part that both of Harbor's forms have. */
export function readHarborData(data: unknown, { host }: RegistryName): DeliveryResult {
  const resources = findList(data, 'resources').map((resource) => findText(resource, 'resource_url'));
  const repository = findText(data, 'repository', 'repo_full_name') ?? joinName(data);
  const urls = resources.length === 0 ? [undefined] : resources;
  return toHints(
    urls.map((url) => ({ host: host ?? hostOf(url), path: repository ?? splitImage(url).path })),
    'no image',
  );
}

/** Quay, "Repository push" notifications. */
export const readQuay: ReadRegistry = (payload, { host }) => {
  const path = findText(payload, 'repository') ?? joinText([findText(payload, 'namespace'), findText(payload, 'name')]);
  if (path !== undefined && findList(payload, 'updated_tags').length === 0) return ignored('no tag was pushed');
  return toHints([{ host: host ?? hostOf(findText(payload, 'docker_url')) ?? 'quay.io', path }], 'no image');
};

/** Azure Container Registry, "Webhook schema reference". */
export const readAcr: ReadRegistry = (payload, { host }) => {
  if (findText(payload, 'action') !== 'push') return ignored('nothing was pushed');
  const named = {
    host: host ?? hostOf(findText(payload, 'request', 'host')),
    path: findText(payload, 'target', 'repository'),
  };
  return toHints([named], 'no image');
};

/** Alibaba Cloud Container Registry, "Manage webhooks"; an instance with a name of its own needs `host`. */
export const readAliyunAcr: ReadRegistry = (payload, { host }, { query }) => {
  const region = findText(payload, 'repository', 'region');
  const asked = host ?? hostOf(new URLSearchParams(query).get('registry_url') ?? undefined);
  const path = findText(payload, 'repository', 'repo_full_name') ?? joinName(payload);
  return toHints([{ host: asked ?? (region && `registry.${region}.aliyuncs.com`), path }], 'no image');
};

/** CNCF Distribution, "Notifications" (also GitLab's registry): an envelope of events, of blobs and pulls too. */
export const readDistribution: ReadRegistry = (payload, { host }) => {
  const pushes = findList(payload, 'events').filter(
    (event) => findText(event, 'action') === 'push' && !isBlob(findText(event, 'target', 'mediaType')),
  );
  const named = pushes.map(
    (event): NamedImage => ({
      host: host ?? hostOf(findText(event, 'request', 'host')) ?? hostOf(findText(event, 'target', 'url')),
      path: findText(event, 'target', 'repository'),
    }),
  );
  return toHints(named, 'nothing was pushed');
};

/** Google's "Configuring Pub/Sub notifications": `{"action": "INSERT", "digest": "<host>/<path>@…", "tag": "<host>/<path>:…"}`, alone or in the envelope of a push subscription. */
export const readArtifactRegistry: ReadRegistry = (payload, { host }) => {
  const data = findText(payload, 'message', 'data');
  const event = data === undefined ? payload : parseBase64(data);
  if (event === undefined) return malformed('message.data is not base64 of a JSON object');
  if (findText(event, 'action') !== 'INSERT') return ignored('nothing was pushed');
  const texts = ['digest', 'tag'].flatMap((key) => findText(event, key) ?? []).map(cutVersion);
  if (texts.length === 0) return malformed('digest and tag are missing');
  return toHints(
    texts.map(splitImage).map((image) => ({ ...image, host: host ?? image.host })),
    'no image',
  );
};

/** JFrog's "Event types" (docker, pushed). A repository is reached by path, or by a host of its own. */
export const readArtifactory: ReadRegistry = (payload, name) => {
  if (findText(payload, 'domain') !== 'docker' || findText(payload, 'event_type') !== 'pushed')
    return ignored('no image was pushed');
  const [key, path] = [findText(payload, 'data', 'repo_key'), findText(payload, 'data', 'image_name')];
  if (path === undefined) return malformed('data.image_name is missing');
  const host = name.host ?? hostOf(findText(payload, 'jpd_origin'));
  const byPath = { host, path: joinText([key, path]) ?? path };
  const byHost = { host: name.host ?? (host && key && `${key}.${host}`), path };
  return toHints([byPath, byHost], 'no image');
};

/** Sonatype Nexus, "Webhooks" (repository component). It never tells its own host. */
export const readNexus: ReadRegistry = (payload, { host }) => {
  if (findText(payload, 'component', 'format') !== 'docker') return ignored('not an image');
  if (!['CREATED', 'UPDATED'].includes(findText(payload, 'action') ?? '')) return ignored('nothing was published');
  const path = findText(payload, 'component', 'name');
  const byPath = joinText([findText(payload, 'repositoryName'), path]);
  return toHints([{ host, path }, ...(byPath === undefined ? [] : [{ host, path: byPath }])], 'no image');
};

/** Tallyman's own form: `{ "image": "ghcr.io/acme/web" }`; a tag or digest behind it is not looked at. */
export function readGenericImage(image: string): DeliveryResult {
  return toHints([splitImage(cutVersion(image))], 'no image');
}

/** Amazon EventBridge, "ECR Image Action" as it comes without a transformer. */
export const readEcr: ReadRegistry = (payload, { host }) => {
  const detail = payload.detail;
  if (findText(detail, 'action-type') !== 'PUSH' || findText(detail, 'result') !== 'SUCCESS')
    return ignored('nothing was pushed');
  const [account, region] = [findText(payload, 'account'), findText(payload, 'region')];
  return toHints(
    [{ host: host ?? formatEcrHost(account, region), path: findText(detail, 'repository-name') }],
    'no image',
  );
};

/** `123456789012.dkr.ecr.eu-west-1.amazonaws.com`; China's regions have a domain of their own. */
export function formatEcrHost(account: string | undefined, region: string | undefined): string | undefined {
  if (account === undefined || region === undefined) return undefined;
  return `${account}.dkr.ecr.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}`;
}

/** The parts that `repository` has apart: with a namespace, or alone. */
function joinName(value: unknown): string | undefined {
  const [namespace, name] = ['namespace', 'name'].map((key) => findText(value, 'repository', key));
  return joinText([namespace, name]) ?? name;
}

function joinText(parts: readonly (string | undefined)[]): string | undefined {
  return parts.includes(undefined) ? undefined : parts.join('/');
}

function isBlob(mediaType: string | undefined): boolean {
  return mediaType !== undefined && !/manifest|index/.test(mediaType);
}

/** Digests in examples and tests are often none: only the name before them counts. */
function cutVersion(image: string): string {
  return image.replace(/@.*$/, '').replace(/:[^/:]*$/, '');
}

function parseBase64(text: string): Payload | undefined {
  try {
    return parseObject(new TextDecoder().decode(Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0))));
  } catch {
    return undefined;
  }
}
