/** What the places of a file had when it held other bytes. */
import type { Policy } from '../policy/policy.ts';
import { findExplicitSites } from '../target/find-explicit.ts';
import { findSites, mergeSites } from '../target/find-sites.ts';
import { matchTargets } from '../target/match-targets.ts';
import { type CurrentVersion, readCurrent, type Target } from '../target/target.ts';

/**
 * The versions at the policy's places in a file's earlier bytes; `present` are its targets in that file now: only places of
 * their kinds count, for markers elsewhere may have turned structure off.
 */
export function readPastVersions(
  bytes: Uint8Array,
  { policy, file, present }: { policy: Policy; file: string; present: readonly Target[] },
): readonly CurrentVersion[] {
  const kinds = new Set(present.map(({ site }) => site.kind));
  const named = findExplicitSites(new Map([[file, bytes]]), [policy]);
  const found = new Map([[file, findSites(bytes, file)]]);
  const { targets } = matchTargets(mergeSites(named.sites, found), [policy]);
  return targets.filter((target) => target.file === file && kinds.has(target.site.kind)).map(readCurrent);
}
