/** From targets and selections to edits: which scalar gets which text. */
import { createProblem, type Problem } from '../error/problem.ts';
import { findImageReference } from '../image/reference.ts';
import type { Policy } from '../policy/policy.ts';
import { isUpgrade } from '../select/select-tag.ts';
import type { Selection } from '../select/selection.ts';
import type { SiteScalar } from '../target/site.ts';
import { type CurrentVersion, findScalar, readCurrent, type Target } from '../target/target.ts';
import type { Update } from './plan.ts';

/** A new value for one scalar of a target. */
export interface ScalarChange {
  readonly target: Target;
  readonly scalar: SiteScalar;
  readonly value: string;
  readonly update: Update;
}

interface Wanted {
  readonly tag: string;
  /** Undefined where none is to be written. */
  readonly digest: string | undefined;
}

/**
 * The changes that bring each target to what its policy selected. Each target is compared on its own: one that is ahead
 * stays. All parts of a target change, or none does.
 */
export function planTargets(
  targets: readonly Target[],
  selections: readonly Selection[],
): { changes: readonly ScalarChange[]; problems: readonly Problem[] } {
  const byPolicy = new Map<string, Selection[]>();
  for (const selection of selections)
    byPolicy.set(selection.policy, [...(byPolicy.get(selection.policy) ?? []), selection]);
  const changes: ScalarChange[] = [];
  const problems: Problem[] = [];
  for (const target of targets) {
    const current = readCurrent(target);
    const selection = chooseSelection(byPolicy.get(target.policy.key) ?? [], current);
    const planned = selection === undefined ? [] : planTarget(target, selection, current);
    if ('code' in planned) problems.push(planned);
    else changes.push(...planned);
  }
  return { changes, problems };
}

/** The selection made for the target's own current tag, else the policy's first. */
function chooseSelection(selections: readonly Selection[], current: CurrentVersion): Selection | undefined {
  return selections.find((selection) => selection.current === current.tag) ?? selections[0];
}

function planTarget(target: Target, selection: Selection, current: CurrentVersion): readonly ScalarChange[] | Problem {
  const { policy } = target;
  const { kind, tag, digest } = selection;
  if (policy.suspend || tag === undefined || (kind !== 'update' && kind !== 'current')) return [];
  const higher = isUpgrade(policy, tag, current.tag);
  const unpinned = policy.pin === 'digest' && current.digest === undefined && current.tag === tag;
  if (!higher && !unpinned) return [];
  const needsDigest = wantsDigest(target, current);
  if (needsDigest && digest === undefined) return refuseWithoutDigest(target, tag);
  const wanted = { tag, digest: needsDigest ? digest : undefined };
  const to = formatVersion(wanted.tag, wanted.digest);
  const update = {
    policy: policy.key,
    image: policy.image,
    from: formatVersion(current.tag, current.digest),
    to: to ?? tag,
  };
  return target.site.scalars
    .map((scalar) => ({ target, scalar, value: formatPart(policy, scalar, wanted), update }))
    .filter((change) => change.value !== change.scalar.value);
}

/** A digest that stands beside a tag always moves with it; inside a reference the policy's pin decides. */
function wantsDigest({ policy, site }: Target, current: CurrentVersion): boolean {
  if (findScalar(site, 'digest') !== undefined) return true;
  const canHold =
    findScalar(site, 'reference') !== undefined || (findScalar(site, 'tag')?.value.includes('@') ?? false);
  return canHold && (policy.pin === 'digest' || (policy.pin === 'keep' && hasDigest(site.scalars, current)));
}

/** Also a digest of another image that stands there now, and one too short to be one. */
function hasDigest(scalars: readonly SiteScalar[], current: CurrentVersion): boolean {
  return current.digest !== undefined || scalars.some((scalar) => scalar.value.includes('@'));
}

function formatPart(policy: Policy, scalar: SiteScalar, wanted: Wanted): string {
  const atDigest = wanted.digest === undefined ? '' : `@${wanted.digest}`;
  switch (scalar.part) {
    case 'reference':
      return `${spellName(policy, scalar.value)}:${wanted.tag}${atDigest}`;
    case 'name':
      return spellName(policy, scalar.value);
    case 'tag':
      return scalar.value.includes('@') ? `${wanted.tag}${atDigest}` : wanted.tag;
    case 'digest':
      return wanted.digest ?? scalar.value;
  }
}

/** The name as the file spells it where that is the policy's image (`nginx`), else as the policy does. */
function spellName(policy: Policy, value: string): string {
  const reference = findImageReference(value);
  if (reference?.host !== policy.repository.host || reference.path !== policy.repository.path) return policy.image;
  const version = `${reference.tag === undefined ? '' : `:${reference.tag}`}${reference.digest === undefined ? '' : `@${reference.digest}`}`;
  return value.slice(0, value.length - version.length);
}

function formatVersion(tag: string | undefined, digest: string | undefined): string | undefined {
  if (tag === undefined) return digest;
  return digest === undefined ? tag : `${tag}@${digest}`;
}

function refuseWithoutDigest({ policy, file, site }: Target, tag: string): Problem {
  const [first] = site.scalars;
  const place = { file, ...(first && { line: first.line, column: first.column }) };
  const message = `Cannot write version "${tag}": the place has a digest and that of the new version is not known, both were wanted`;
  const remedy = 'Let the registry tell the digest, or set spec.pin to "tag" to write none.';
  return createProblem('EditRefused', message, { place, policy: policy.key, remedy });
}
