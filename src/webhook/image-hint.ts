/** Image repositories, as payloads name them. */
import { findImageReference, type ImageRepository } from '../image/reference.ts';
import { normalizeRegistryHost } from '../image/registry-host.ts';
import { type DeliveryResult, type ImageHint, ignored, malformed } from './delivery.ts';

/** What one entry of a payload names; `host` may be an address, or carry a path that does not matter. */
export interface NamedImage {
  readonly host: string | undefined;
  readonly path: string | undefined;
}

/** A payload of many megabytes of entries is no registry's. */
const maxImages = 1000;

/** Each repository once; refused where one has no name or one that no registry could have, ignored where there are none. */
export function toHints(named: readonly NamedImage[], whenEmpty: string): DeliveryResult {
  if (named.length === 0) return ignored(whenEmpty);
  if (named.length > maxImages) return malformed(`more than ${maxImages} images`);
  const hints = named.map(toHint);
  const images = new Map(hints.flatMap((hint) => (hint === undefined ? [] : [[`${hint.host}/${hint.path}`, hint]])));
  return images.size === 0 || hints.includes(undefined)
    ? malformed('an image repository was wanted, its name is missing or is none')
    : { kind: 'images', images: [...images.values()] };
}

/** The host and path of an image reference or registry address: `https://harbor.example:8443/team/web:v1` */
export function splitImage(text: string | undefined): NamedImage {
  const reference = text === undefined ? undefined : findImageReference(text.replace(/^[a-z]+:\/\//i, ''));
  return { host: reference?.host, path: reference?.path };
}

/** The host, with its port if it has one, of an address or a bare host; undefined where the text has none that an image can be on. */
export function hostOf(text: string | undefined): string | undefined {
  const [, host = ''] = /^(?:[a-z][a-z0-9+.-]*:\/\/)?(?:[^/@\s]*@)?([^/?#\s]+)(?:[/?#]|$)/i.exec(text ?? '') ?? [];
  // A name without dot or port would be read as the first part of a path on Docker Hub.
  return findImageReference(`${host.toLowerCase()}/any`)?.host === normalizeRegistryHost(host.toLowerCase())
    ? host
    : undefined;
}

/** Whether the hint concerns a repository that policies name. */
export function matchesHint({ host, path }: ImageHint, repository: ImageRepository): boolean {
  return path === repository.path && (host === undefined || host === repository.host.toLowerCase());
}

function toHint({ host, path }: NamedImage): ImageHint | undefined {
  if (path === undefined) return undefined;
  // A host is written before the path even where none is known: else the path's first part might be taken for one.
  const found = findImageReference(`${(host ?? 'any.invalid').toLowerCase()}/${path}`);
  if (found === undefined || found.tag !== undefined || found.digest !== undefined) return undefined;
  return { host: host === undefined ? undefined : found.host, path: found.path };
}
