/** What a webhook's delivery says, by the format that its hook is configured for. Pure: the HMAC comes as a function. */
import { readCloudEvent } from './cloud-event.ts';
import { type Delivery, type DeliveryResult, headerOf } from './delivery.ts';
import { authorized, type Check, checkAll, type Proof, signedBy, toldBy, toldInQuery } from './genuine.ts';
import { findGiteaEvent, readGenericPush, readGithubPush, readGitlabPush } from './git-webhook.ts';
import { findText, parsePayload } from './payload.ts';
import {
  type ReadRegistry,
  type RegistryName,
  readAcr,
  readAliyunAcr,
  readArtifactory,
  readArtifactRegistry,
  readDistribution,
  readDockerHub,
  readEcr,
  readGenericImage,
  readGiteaPackage,
  readGithubPackage,
  readHarbor,
  readNexus,
  readQuay,
} from './registry-webhook.ts';

/** The formats that a hook may have; another one is a name here and a row in `formats`. */
export const webhookFormats = [
  'github',
  'gitlab',
  'gitea',
  'generic',
  'docker-hub',
  'harbor',
  'quay',
  'acr',
  'aliyun-acr',
  'ecr',
  'artifact-registry',
  'distribution',
  'cloudevents',
  'artifactory',
  'nexus',
] as const;

export type WebhookFormat = (typeof webhookFormats)[number];

interface FormatRow {
  /** Ways to prove a delivery; one is enough. */
  readonly checks: readonly Check[];
  readonly read: ReadRegistry;
}

const signedAsGithub = signedBy('x-hub-signature-256', 'sha256=');
/** Where registries that sign nothing can put a secret: it depends on the registry, and all are equally good. */
const told = [toldInQuery, authorized, toldBy('x-webhook-secret')];

/** Servers whose hooks tell of pushes, some of packages too. */
const gitFormats = {
  github: {
    checks: [signedAsGithub],
    read(payload, name, delivery) {
      const event = headerOf(delivery, 'x-github-event');
      const isPackage = event === 'package' || event === 'registry_package';
      return isPackage ? readGithubPackage(payload, name) : readGithubPush(payload, event);
    },
  },
  gitlab: { checks: [toldBy('x-gitlab-token')], read: readGitlabPush },
  gitea: {
    checks: [
      ...['x-gitea-signature', 'x-forgejo-signature', 'x-gogs-signature'].map((name) => signedBy(name)),
      signedAsGithub,
    ],
    read(payload, name, delivery) {
      const event = findGiteaEvent(delivery);
      return event === 'package' ? readGiteaPackage(payload, name) : readGithubPush(payload, event);
    },
  },
  generic: {
    checks: [signedBy('x-signature-256', 'sha256=')],
    read(payload) {
      const image = findText(payload, 'image');
      return image === undefined ? readGenericPush(payload) : readGenericImage(image);
    },
  },
} as const satisfies Record<string, FormatRow>;

const registryFormats = {
  'docker-hub': { checks: told, read: readDockerHub },
  harbor: { checks: told, read: readHarbor },
  quay: { checks: told, read: readQuay },
  acr: { checks: told, read: readAcr },
  'aliyun-acr': { checks: told, read: readAliyunAcr },
  ecr: { checks: told, read: readEcr },
  'artifact-registry': { checks: told, read: readArtifactRegistry },
  distribution: { checks: told, read: readDistribution },
  cloudevents: { checks: told, read: readCloudEvent },
  // The header holds the secret, or with "payload signing" the signature.
  artifactory: {
    checks: [...told, toldBy('x-jfrog-event-auth'), signedBy('x-jfrog-event-auth')],
    read: readArtifactory,
  },
  nexus: { checks: told, read: readNexus },
} as const satisfies Record<string, FormatRow>;

const formats: Readonly<Record<WebhookFormat, FormatRow>> = { ...gitFormats, ...registryFormats };

/** How a hook is set up. */
export interface HookSettings extends Proof, RegistryName {
  readonly format: WebhookFormat;
}

/** Longest body that is read, 1 MiB: a push of more commits than fit waits for the next look. */
export const maxBodyBytes = 1024 * 1024;

/** What the delivery says. Nothing of it is read before it is proved; a delivery that comes again says the same again. */
export function readDelivery(delivery: Delivery, settings: HookSettings): DeliveryResult {
  const { checks, read } = formats[settings.format];
  if (delivery.body.length > maxBodyBytes)
    return { kind: 'refused', status: 413, reason: `the body is longer than ${maxBodyBytes} bytes` };
  const genuine = checkAll(checks, delivery, settings);
  if (genuine !== true) {
    const found = genuine === undefined ? 'signature or secret is missing' : 'signature or secret is wrong';
    return { kind: 'refused', status: 401, reason: found };
  }
  const payload = parsePayload(delivery.body, headerOf(delivery, 'content-type'));
  if (payload === undefined) return { kind: 'refused', status: 400, reason: 'the body is no JSON object in UTF-8' };
  return read(payload, settings, delivery);
}
