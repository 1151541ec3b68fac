/** What the commits of a branch say of one policy. */
import { findImageReference, type ImageRepository } from '../image/reference.ts';
import type { Policy } from '../policy/policy.ts';
import type { CommitMarks, UpdateMark } from './marks.ts';

/** One commit of ours writes no more versions for one policy; of a message that says more, the last count. */
const maxWritten = 100;

/** A commit that says something of policies. */
export interface MarkedCommit {
  readonly id: string;
  /** Milliseconds since 1970, UTC. */
  readonly whenMs: number;
  readonly marks: CommitMarks;
}

/** A person asked to leave the policy alone. */
export interface AskedHold {
  readonly commit: string;
  readonly sinceMs: number;
  /** Empty where none was given. */
  readonly reason: string;
}

/** The memory about one policy. */
export interface PolicyRecord {
  /** Undefined where nobody asked for a hold, or it was ended. */
  readonly asked: AskedHold | undefined;
  /** What our newest commit for the policy wrote, behind what earlier ones wrote and it left standing. */
  readonly written: readonly UpdateMark[];
  /** Those of the second kind. */
  readonly kept: readonly UpdateMark[];
  /** Versions that were taken away before that commit, and not resumed since. */
  readonly carried: readonly string[];
  /** A place that had a written version in this commit or later, and has not now, lost it; undefined where nothing was written. */
  readonly since: string | undefined;
  /** Whether older commits could say nothing more. */
  readonly settled: boolean;
}

/**
 * What the commits, newest first, say of the policy. Our newest commit for it is as far as one has to look: it carries what
 * was held before, and what older ones wrote where it wrote nothing. A hold that a person asked for needs no further look
 * either. The first `resume` after a hold ends that alone; after any other, what was lost earlier counts no more. Versions of
 * another image, which the policy had before, say nothing. Where `settled` is false, older commits may say more.
 */
export function readPolicyRecord(
  { key: policy, repository }: Pick<Policy, 'key' | 'repository'>,
  commits: Iterable<MarkedCommit>,
): PolicyRecord {
  const end = { isSeen: false, open: undefined as string | undefined, freeing: undefined as string | undefined };
  for (const { id, whenMs, marks } of commits) {
    if (marks.resumes.includes(policy)) {
      end.isSeen = true;
      end.freeing ??= end.open;
      end.open = id;
    }
    const asked = marks.holds.findLast((mark) => mark.policy === policy);
    if (asked !== undefined && !end.isSeen) {
      const { reason } = asked;
      return { ...unknown, asked: { commit: id, sinceMs: whenMs, reason }, settled: true };
    }
    if (asked !== undefined) end.open = undefined;
    const isOwn = (update: UpdateMark): boolean => update.policy === policy && isImage(update.image, repository);
    const updates = marks.updates.filter(isOwn).slice(-maxWritten);
    if (updates.length === 0) continue;
    const freed = end.freeing ?? end.open;
    const kept = marks.kept.filter(isOwn).slice(-maxWritten);
    const held = marks.held.filter((mark) => mark.policy === policy).map(({ version }) => version);
    const carried = freed === undefined ? held : [];
    return { asked: undefined, written: [...kept, ...updates], kept, carried, since: freed ?? id, settled: true };
  }
  return unknown;
}

/** However the image was spelled then: `nginx` is `docker.io/library/nginx`. */
function isImage(text: string, { host, path }: ImageRepository): boolean {
  const read = findImageReference(text);
  return read?.host === host && read.path === path;
}

const unknown: PolicyRecord = {
  asked: undefined,
  written: [],
  kept: [],
  carried: [],
  since: undefined,
  settled: false,
};
