/** CloudEvents 1.0 (HTTP binding), as registries and EventBridge transformers send them: structured or binary mode. */
import { type Delivery, type DeliveryResult, headerOf, ignored, malformed } from './delivery.ts';
import { hostOf, toHints } from './image-hint.ts';
import { findText, type Payload } from './payload.ts';
import { formatEcrHost, type ReadRegistry, type RegistryName, readHarborData } from './registry-webhook.ts';

interface CloudEvent {
  readonly type: string;
  readonly source: string | undefined;
  readonly data: unknown;
}

export const readCloudEvent: ReadRegistry = (payload, name, delivery) => {
  const specversion = findText(payload, 'specversion') ?? headerOf(delivery, 'ce-specversion');
  if (specversion === undefined) return malformed('specversion is missing');
  const event = findEvent(payload, delivery);
  if (event === undefined) return malformed('type is missing');
  const row = kinds.find(({ pattern }) => pattern.test(event.type));
  return row === undefined ? ignored('not about an image') : row.read(event, name);
};

function findEvent(payload: Payload, delivery: Delivery): CloudEvent | undefined {
  const structured = findText(payload, 'specversion') !== undefined;
  const attribute = (key: string) => (structured ? findText(payload, key) : headerOf(delivery, `ce-${key}`));
  const type = attribute('type');
  return type === undefined
    ? undefined
    : { type, source: attribute('source'), data: structured ? payload.data : payload };
}

type ReadEvent = (event: CloudEvent, name: RegistryName) => DeliveryResult;

/** `com.amazon.ecr.image.push` with source `urn:aws:ecr:<region>:<account>:repository/<name>`, or that as an ARN of any partition. */
const readEcrEvent: ReadEvent = ({ source, data }, { host }) => {
  const [, region, owner] = /^(?:urn|arn):aws[a-z-]*:ecr:([a-z0-9-]+):(\d*)/.exec(source ?? '') ?? [];
  const account = findText(data, 'registryId') ?? owner;
  return toHints(
    [{ host: host ?? formatEcrHost(account, region), path: findText(data, 'repositoryName') }],
    'no image',
  );
};

/** A registry, and the host where it says one; also zot, which calls the repository `name`. */
const readImageEvent: ReadEvent = ({ source, data }, { host }) => {
  const told = findText(data, 'registryUrl') ?? findText(data, 'registry');
  const address = source !== undefined && /^https?:\/\//i.test(source) ? source : undefined;
  const path = ['repository', 'repositoryName', 'name'].map((key) => findText(data, key));
  return toHints(
    [{ host: host ?? hostOf(told ?? address), path: path.find((text) => text !== undefined) }],
    'no image',
  );
};

/** The first that fits. */
const kinds: readonly { readonly pattern: RegExp; readonly read: ReadEvent }[] = [
  { pattern: /delet|remov|fail|lint/i, read: () => ignored('nothing was pushed') },
  { pattern: /^com\.amazon\.ecr\./, read: readEcrEvent },
  { pattern: /^harbor\.artifact\.pushed$/, read: ({ data }, name) => readHarborData(data, name) },
  { pattern: /container|image/i, read: readImageEvent },
];
