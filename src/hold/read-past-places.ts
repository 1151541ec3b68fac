/** What the places of a file had when it held other bytes. */
import type { Policy } from '../policy/policy.ts';
import { findExplicitSites } from '../target/find-explicit.ts';
import { type FileSites, mergeSites } from '../target/find-sites.ts';
import { matchTargets } from '../target/match-targets.ts';
import { readCurrent, type Target } from '../target/target.ts';
import type { PastPlace } from './find-lost.ts';

/** A file as it was. */
export interface PastFile {
  readonly file: string;
  readonly bytes: Uint8Array;
  /** What `findSites` finds in the bytes. */
  readonly sites: FileSites;
}

/**
 * The policy's places in a file's earlier bytes; `present` are its targets now. Only places of their kinds count, for
 * markers elsewhere may have turned structure off; where none is of their kinds, the file was written another way: all count.
 */
export function readPastPlaces(
  { file, bytes, sites }: PastFile,
  { policy, present }: { policy: Policy; present: readonly Target[] },
): readonly PastPlace[] {
  const named = findExplicitSites(new Map([[file, bytes]]), [policy]);
  const { targets } = matchTargets(mergeSites(named.sites, new Map([[file, sites]])), [policy]);
  const past = targets.filter((target) => target.file === file);
  const kinds = new Set(present.map(({ site }) => site.kind));
  const alike = past.filter(({ site }) => kinds.has(site.kind));
  return (alike.length === 0 ? past : alike).map((target) => {
    const path = target.site.scalars[0]?.path ?? '';
    return { file, path, version: readCurrent(target) };
  });
}

/** The policy as it would be for a file that is not where it was: what it names itself, it named there. */
export function moveTo(policy: Policy, file: string): Policy {
  return {
    ...policy,
    paths: { globs: [''], explicit: false },
    targets: policy.targets.map((target) => ({ ...target, file })),
  };
}
