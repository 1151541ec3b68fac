import { findImageReference } from '../image/reference.ts';
import type { Policy } from '../policy/policy.ts';
import type { Part, Site, SiteScalar } from './site.ts';

/** One place in one file that one policy may write. */
export interface Target {
  readonly policy: Policy;
  readonly file: string;
  readonly site: Site;
}

/** The version that a place has now. `{ tag: '1.4.2', digest: undefined }` */
export interface CurrentVersion {
  readonly tag: string | undefined;
  readonly digest: string | undefined;
}

/** What the target's scalars say now; both undefined where they hold another image or a placeholder. */
export function readCurrent({ policy, site }: Target): CurrentVersion {
  const whole = readPart(site, 'reference');
  if (whole !== undefined) {
    const reference = findImageReference(whole);
    const same = reference?.host === policy.repository.host && reference.path === policy.repository.path;
    return { tag: same ? reference.tag : undefined, digest: same ? reference.digest : undefined };
  }
  const [tag, digestBehindTag] = (readPart(site, 'tag') ?? '').split('@', 2);
  return { tag: orUndefined(tag), digest: orUndefined(readPart(site, 'digest')) ?? orUndefined(digestBehindTag) };
}

/** `1.4.2`, `1.4.2@sha256:…` or the digest alone; undefined where there is neither. */
export function formatVersion({ tag, digest }: CurrentVersion): string | undefined {
  if (tag === undefined) return digest;
  return digest === undefined ? tag : `${tag}@${digest}`;
}

/** The first scalar of the site that carries the part. */
export function findScalar(site: Site, part: Part): SiteScalar | undefined {
  return site.scalars.find((scalar) => scalar.part === part);
}

function readPart(site: Site, part: Part): string | undefined {
  return findScalar(site, part)?.value;
}

/** An empty value, or YAML's words for nothing, is no version. */
function orUndefined(text: string | undefined): string | undefined {
  return text === undefined || isPlaceholder(text) ? undefined : text;
}

/** Whether a value is empty or YAML's word for nothing. */
export function isPlaceholder(text: string): boolean {
  return /^(?:|~|null|Null|NULL)$/.test(text);
}

/** `web.yaml:12 spec.containers[0].image` */
export function formatPlace({ file, site }: Target): string {
  const [first] = site.scalars;
  return `${file}:${first?.line} ${first?.path}`;
}
