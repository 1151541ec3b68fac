/** From targets and selections to edits: which scalar gets which text. */
import { groupBy } from '../collection/group-by.ts';
import { createProblem, type Problem } from '../error/problem.ts';
import { findImageReference } from '../image/reference.ts';
import type { Policy } from '../policy/policy.ts';
import { isUpgrade } from '../select/select-tag.ts';
import type { Selection } from '../select/selection.ts';
import type { SiteScalar } from '../target/site.ts';
import {
  type CurrentVersion,
  findScalar,
  formatVersion,
  isPlaceholder,
  readCurrent,
  type Target,
} from '../target/target.ts';
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
  const byPolicy = groupBy(selections, ({ policy }) => policy);
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

/** The selection made for the very version that the target has, or for none where it has none, else the policy's first. */
function chooseSelection(selections: readonly Selection[], current: CurrentVersion): Selection | undefined {
  const version = formatVersion(current);
  return selections.find((selection) => selection.current === version) ?? selections[0];
}

function isAbout(selection: Selection, current: CurrentVersion): boolean {
  return selection.current !== undefined && selection.current === formatVersion(current);
}

/** A selection is trusted about the version it was made for; about another, the policy's order is asked again. */
function mayReplace(policy: Policy, selection: Selection, current: CurrentVersion): boolean {
  const { kind, tag, digest } = selection;
  if (tag === undefined) return false;
  if (isAbout(selection, current)) return kind === 'update';
  if (policy.select.kind === 'digest')
    return digest !== undefined && (digest !== current.digest || tag !== (current.tag ?? tag));
  return isUpgrade(policy, tag, current.tag);
}

function planTarget(target: Target, selection: Selection, current: CurrentVersion): readonly ScalarChange[] | Problem {
  const { policy } = target;
  const { tag, digest } = selection;
  if (policy.suspend || tag === undefined || selection.kind === 'none') return [];
  const unpinned = policy.pin === 'digest' && current.digest === undefined && current.tag === tag;
  if (!mayReplace(policy, selection, current) && !unpinned) return [];
  const needsDigest = wantsDigest(target, current);
  if (needsDigest && digest === undefined) return refuseWithoutDigest(target, tag);
  const wanted = { tag, digest: needsDigest ? digest : undefined };
  const update = {
    policy: policy.key,
    image: policy.image,
    from: formatVersion(current),
    to: formatVersion(wanted) ?? tag,
  };
  return target.site.scalars
    .map((scalar) => ({ target, scalar, value: formatPart(target, scalar, wanted), update }))
    .filter((change) => change.value !== change.scalar.value);
}

/**
 * A digest that stands beside a tag always moves with it; an empty one only where a person named the place or the policy
 * pins digests. Inside a reference the policy's pin decides.
 */
function wantsDigest(target: Target, current: CurrentVersion): boolean {
  const { policy, site } = target;
  if (policy.select.kind === 'digest') return true;
  const own = findScalar(site, 'digest');
  if (own !== undefined && fillsDigest(target, own)) return true;
  const canHold =
    findScalar(site, 'reference') !== undefined || (findScalar(site, 'tag')?.value.includes('@') ?? false);
  return canHold && (policy.pin === 'digest' || (policy.pin === 'keep' && hasDigest(site.scalars, current)));
}

/** Whether a digest is written there: not into an empty value that only structure found, unless the policy says so. */
function fillsDigest({ policy, site }: Target, own: SiteScalar): boolean {
  const named = site.kind === 'marker' || site.kind === 'explicit';
  return named || !isPlaceholder(own.value) || policy.pin === 'digest' || policy.select.kind === 'digest';
}

/** Also a digest of another image that stands there now, and one too short to be one. */
function hasDigest(scalars: readonly SiteScalar[], current: CurrentVersion): boolean {
  return current.digest !== undefined || scalars.some((scalar) => scalar.value.includes('@'));
}

function formatPart(target: Target, scalar: SiteScalar, wanted: Wanted): string {
  const { policy, site } = target;
  const atDigest = wanted.digest === undefined ? '' : `@${wanted.digest}`;
  switch (scalar.part) {
    case 'reference':
      return `${spellName(policy, scalar.value)}:${wanted.tag}${atDigest}`;
    case 'name':
      return spellName(policy, scalar.value);
    case 'tag': {
      const holdsDigest =
        scalar.value.includes('@') || (policy.select.kind === 'digest' && findScalar(site, 'digest') === undefined);
      return holdsDigest ? `${wanted.tag}${atDigest}` : wanted.tag;
    }
    case 'digest':
      return fillsDigest(target, scalar) ? (wanted.digest ?? scalar.value) : scalar.value;
  }
}

/** The name as the file spells it where that is the policy's image (`nginx`), else as the policy does. */
function spellName(policy: Policy, value: string): string {
  const reference = findImageReference(value);
  if (reference?.host !== policy.repository.host || reference.path !== policy.repository.path) return policy.image;
  const version = `${reference.tag === undefined ? '' : `:${reference.tag}`}${reference.digest === undefined ? '' : `@${reference.digest}`}`;
  return value.slice(0, value.length - version.length);
}

function refuseWithoutDigest({ policy, file, site }: Target, tag: string): Problem {
  const [first] = site.scalars;
  const place = { file, ...(first && { line: first.line, column: first.column }) };
  const message = `Cannot write version "${tag}": the place has a digest and that of the new version is not known, both were wanted`;
  const remedy = 'Let the registry tell the digest, or set spec.pin to "tag" to write none.';
  return createProblem('EditRefused', message, { place, policy: policy.key, remedy });
}
