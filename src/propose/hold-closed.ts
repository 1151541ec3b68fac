/** A person wins: a pull request that was closed without a merge holds its versions. */
import { parseVersionText } from '../hold/find-lost.ts';
import { toHeld } from '../hold/hold.ts';
import type { Policy } from '../policy/policy.ts';
import type { Selection } from '../select/selection.ts';
import { createTagReader } from '../select/tag-reader.ts';

/** A version that a person did not want. */
export interface ClosedVersion {
  readonly policy: string;
  /** `1.5.0`, `1.5.0@sha256:…` or a digest alone. */
  readonly version: string;
  /** Of the pull request. */
  readonly url: string;
}

/**
 * The closed version, if any, that holds the selection's: the same one, or one that is above it by the policy's order. A digest
 * has no order: only that very digest is held.
 */
export function findHolding(
  policy: Policy,
  selection: Selection,
  closed: readonly ClosedVersion[],
): ClosedVersion | undefined {
  return closed.find((version) => version.policy === policy.key && isHeld(policy, selection, version.version));
}

/** The selection as that closed pull request leaves it. */
export function holdClosed(selection: Selection, by: ClosedVersion): Selection {
  return toHeld(selection, `${selection.tag}: ${by.version} was closed by a person without a merge, ${by.url}`);
}

function isHeld(policy: Policy, { kind, tag, digest }: Selection, version: string): boolean {
  if (tag === undefined) return false;
  const held = parseVersionText(version);
  const isSameDigest = digest !== undefined && digest === held.digest;
  // What is current may still get its digest written beside it.
  if (kind !== 'update') return isSameDigest && tag === held.tag;
  if (isSameDigest) return true;
  if (policy.select.kind === 'digest' || held.tag === undefined) return false;
  if (tag === held.tag) return digest === undefined || held.digest === undefined;
  const { order, read } = createTagReader(policy);
  const [next, floor] = [read(tag, undefined), read(held.tag, undefined)];
  return next !== undefined && floor !== undefined && order.compare(next, floor) < 0;
}
