/** The other branches of a local repository. Sources: git's "gitrepository-layout", "git-update-ref". */
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { BranchPush, PushOutcome, RepoBranches } from '../pipeline/ports.ts';
import { formatBranchRef, showBranch } from './branch.ts';
import { buildCommit, formatIdentity, readBody } from './commit.ts';
import { parseCommitInfo } from './commit-info.ts';
import { internal, pushRejected } from './errors.ts';
import { findCheckout, type GitDir, readText } from './git-dir.ts';
import { commitRef, readRef } from './local-refs.ts';
import { acquireLock } from './lock-file.ts';
import type { ObjectStore } from './object-store.ts';
import { writeObjects } from './object-write.ts';
import type { SignCommit } from './sign-commit.ts';

/** An opened repository. */
export interface Local {
  readonly git: GitDir;
  readonly store: ObjectStore;
}

interface LocalBranchesOptions {
  readonly open: () => Local;
  /** The watched branch's ref. */
  readonly findRef: (git: GitDir) => string;
  readonly sign: SignCommit | undefined;
}

const noCommit = '0'.repeat(40);

/** Branches are compared and moved under git's own locks; one that is checked out is left alone. */
export function createLocalBranches({ open, findRef, sign }: LocalBranchesOptions): RepoBranches {
  const checkOther = (git: GitDir, branch: string): string => {
    const ref = formatBranchRef(branch);
    if (ref === findRef(git)) throw internal(`Cannot replace branch "${branch}": it is the watched one`);
    const checkout = findCheckout(git, ref);
    if (checkout)
      throw pushRejected(branch, `it is checked out in "${checkout.workTree}"`, 'Check out another branch there.');
    return ref;
  };
  return {
    listBranches: async (prefix) => listRefs(open().git, `refs/heads/${prefix}`),
    readCommit: async (id) => parseCommitInfo(id, readBody(open().store.find, id, 'commit')),
    async pushBranch(push, { signal }) {
      const local = open();
      return pushRef(local, push, { ref: checkOther(local.git, push.branch), sign, signal });
    },
    async deleteBranch({ branch, expected }, { signal }) {
      const { git } = open();
      return deleteRef(git, { ref: checkOther(git, branch), expected, signal });
    },
  };
}

/** Short names to commits, packed and loose. */
function listRefs({ commonDir }: GitDir, prefix: string): Map<string, string> {
  const folder = join(commonDir, 'refs', 'heads');
  const loose = existsSync(folder) ? readdirSync(folder, { recursive: true, encoding: 'utf8' }) : [];
  const packed = (readText(join(commonDir, 'packed-refs')) ?? '').split('\n').map((line) => line.slice(41).trimEnd());
  const found = new Map<string, string>();
  for (const ref of new Set([...loose.map((name) => `refs/heads/${name}`), ...packed])) {
    if (!ref.startsWith(prefix) || ref.endsWith('.lock')) continue;
    const commit = readRef(commonDir, ref);
    if (commit !== undefined) found.set(showBranch(ref), commit);
  }
  return found;
}

interface RefPushing {
  readonly ref: string;
  readonly sign: SignCommit | undefined;
  readonly signal: AbortSignal;
}

async function pushRef(
  { git, store }: Local,
  { branch, expected, commit }: BranchPush,
  { ref, sign, signal }: RefPushing,
): Promise<PushOutcome> {
  const { commonDir } = git;
  const taken = [...listRefs(git, 'refs/heads/').keys()].find(
    (other) => other.startsWith(`${branch}/`) || branch.startsWith(`${other}/`),
  );
  if (taken !== undefined) throw pushRejected(branch, `there is a branch "${taken}", git allows no other below it`);
  const built = await buildCommit(commit, store.find, sign);
  writeObjects(join(commonDir, 'objects'), built.objects);
  const lock = await acquireLock({ file: join(commonDir, ref), notesDir: commonDir, signal });
  try {
    const found = readRef(commonDir, ref);
    if (found !== expected && found !== built.oid) return { kind: 'moved' };
    const identity = formatIdentity(commit.author, commit.whenMs);
    const subject = commit.message.split('\n')[0] ?? '';
    const move = { ref, from: found ?? noCommit, to: built.oid, identity, subject };
    commitRef(lock, move, { commonDir, headDir: undefined });
    return { kind: 'pushed', commit: built.oid };
  } finally {
    lock.release();
  }
}

interface RefDeleting {
  readonly ref: string;
  readonly expected: string;
  readonly signal: AbortSignal;
}

/** Out of the packed refs first, as git does: the loose one hides it until then. */
async function deleteRef({ commonDir }: GitDir, { ref, expected, signal }: RefDeleting): Promise<boolean> {
  const lock = await acquireLock({ file: join(commonDir, ref), notesDir: commonDir, signal });
  try {
    const found = readRef(commonDir, ref);
    if (found !== expected) return found === undefined;
    await unpackRef(commonDir, ref, signal);
    rmSync(join(commonDir, ref), { force: true });
    rmSync(join(commonDir, 'logs', ref), { force: true });
    return true;
  } finally {
    lock.release();
  }
}

async function unpackRef(commonDir: string, ref: string, signal: AbortSignal): Promise<void> {
  const file = join(commonDir, 'packed-refs');
  const isRef = (line: string): boolean => line.slice(41).trimEnd() === ref && line[40] === ' ';
  if (!(readText(file) ?? '').split('\n').some(isRef)) return;
  const lock = await acquireLock({ file, notesDir: commonDir, signal });
  try {
    const lines = (readText(file) ?? '').split('\n');
    // A line `^<id>` belongs to the one above it.
    const kept = lines.filter((line, at) => !isRef(line) && !(line.startsWith('^') && isRef(lines[at - 1] ?? '')));
    lock.write(kept.join('\n'));
    lock.commit();
  } finally {
    lock.release();
  }
}
