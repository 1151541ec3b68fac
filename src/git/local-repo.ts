/** The Yaml repo in a folder: read straight from its objects, written by git's own lock protocol. */
import { join } from 'node:path';
import type { CommitInfo, NewCommit, PushOutcome, Snapshot } from '../pipeline/ports.ts';
import { formatBranchRef, showBranch } from './branch.ts';
import { readShallow } from './clone-dir.ts';
import { type BuiltCommit, buildCommit, formatIdentity, readBody } from './commit.ts';
import { parseCommitInfo } from './commit-info.ts';
import { walkCommits } from './commit-walk.ts';
import { missingObject, repoInvalid } from './errors.ts';
import { findFiles } from './find-files.ts';
import { findGoneFiles } from './find-gone-files.ts';
import { type Checkout, findCheckout, type GitDir, openGitDir } from './git-dir.ts';
import { createLocalBranches, type Local } from './local-branches.ts';
import { commitRef, findHeadBranch, type RefMove, readRef, resolveSymbolic } from './local-refs.ts';
import { acquireLock, type LockFile } from './lock-file.ts';
import { maxMetadataBytes } from './object.ts';
import { createObjectStore } from './object-store.ts';
import { writeObjects } from './object-write.ts';
import type { SignCommit } from './sign-commit.ts';
import { createSnapshotReader } from './snapshot.ts';
import { changeWorkTree, type FileChange, lockIndex, needsRecovery, recoverWorkTree } from './work-tree.ts';
import type { ClosableYamlRepo } from './yaml-repo.ts';

interface LocalRepoOptions {
  readonly path: string;
  readonly branch: string | undefined;
  readonly maxBlobBytes: number;
  readonly sign?: SignCommit | undefined;
}

/** One branch of a local repository. The repository is opened at the first call. */
export function createLocalRepo({ path, branch, maxBlobBytes, sign }: LocalRepoOptions): ClosableYamlRepo {
  const snapshots = createSnapshotReader();
  let local: Local | undefined;
  const open = (): Local => {
    if (local === undefined) {
      const git = openGitDir(path);
      local = { git, store: createObjectStore(join(git.commonDir, 'objects')) };
    }
    return local;
  };
  const findRef = (git: GitDir): string =>
    branch === undefined ? findHeadBranch(git) : resolveSymbolic(git.commonDir, formatBranchRef(branch));
  return {
    async fetch(): Promise<Snapshot> {
      const { git, store } = open();
      const ref = findRef(git);
      const tip = readTip(git, ref);
      const checkout = findCheckout(git, ref);
      if (checkout) needsRecovery(checkout, tip);
      return snapshots.read({ ref, commit: tip }, store.find);
    },
    readBlobs: async (oids, { signal }) => open().store.readBlobs(oids, { maxBytes: maxBlobBytes, signal }),
    async listCommits(from, { count, signal }) {
      const { git, store } = open();
      const read = (oid: string): CommitInfo => parseCommitInfo(oid, readBody(store.find, oid, 'commit'));
      const walk = await walkCommits({ from, count, read, shallow: readShallow(git.commonDir), signal });
      return { commits: walk.commits, complete: walk.ended, cut: walk.cut?.id };
    },
    findFiles: async (commit, paths) => findFiles(commit, paths, open().store.find),
    findGoneFiles: async (commits) => findGoneFiles(commits, open().store.find),
    push: async (commit, { signal }) => {
      const opened = open();
      return pushCommit(opened, { commit, ref: findRef(opened.git), sign, signal });
    },
    ...createLocalBranches({ open, findRef, sign }),
    async close() {
      local?.store.close();
      local = undefined;
    },
  };
}

function readTip({ commonDir, path }: GitDir, ref: string): string {
  const tip = readRef(commonDir, ref);
  if (tip !== undefined) return tip;
  throw repoInvalid(
    `Cannot read Yaml repo "${path}": it has no branch "${showBranch(ref)}" with a commit, an existing branch was wanted`,
    'Make a first commit, or name an existing branch under `repos`.',
  );
}

interface Pushing {
  readonly commit: NewCommit;
  readonly ref: string;
  readonly sign: SignCommit | undefined;
  readonly signal: AbortSignal;
}

async function pushCommit({ git, store }: Local, { commit, ref, sign, signal }: Pushing): Promise<PushOutcome> {
  const checkout = findCheckout(git, ref);
  const readBlob = (oid: string): Buffer => {
    const found = store.find(oid, maxMetadataBytes);
    if (found === undefined || !('body' in found)) throw missingObject(oid);
    return found.body;
  };
  const tip = readTip(git, ref);
  if (checkout && needsRecovery(checkout, tip))
    await withLocks(git, { checkout, ref, signal }, ({ index }) =>
      recoverWorkTree({ checkout, readBlob }, readTip(git, ref), index),
    );
  if (tip !== commit.base.commit) return { kind: 'moved' };
  const built = await buildCommit(commit, store.find, sign);
  writeObjects(join(git.commonDir, 'objects'), built.objects);
  const move = formatMove({ commit, ref, built });
  if (checkout === undefined) return moveRef(git, { move, headDir: findHeadDir(git, ref), signal });
  const changes = listChanges(commit, built);
  return moveWithWorkTree(git, { checkout, move, changes, readBlob, signal });
}

function formatMove({ commit, ref, built }: { commit: NewCommit; ref: string; built: BuiltCommit }): RefMove {
  return {
    ref,
    from: built.base,
    to: built.oid,
    identity: formatIdentity(commit.author, commit.whenMs),
    subject: commit.message.split('\n')[0] ?? '',
  };
}

function listChanges(commit: NewCommit, { blobs }: BuiltCommit): FileChange[] {
  const find = indexFiles(commit.base);
  return [...blobs].map(([path, to]) => ({ path, from: find(path) ?? to, to }));
}

function indexFiles(snapshot: Snapshot): (path: string) => string | undefined {
  const oids = new Map(snapshot.files.map((file) => [file.path, file.oid]));
  return (path) => oids.get(path);
}

/** A bare repository's own HEAD has a log too. */
function findHeadDir({ commonDir }: GitDir, ref: string): string | undefined {
  return resolveSymbolic(commonDir, 'HEAD') === ref ? commonDir : undefined;
}

interface Moving {
  readonly move: RefMove;
  readonly headDir: string | undefined;
  readonly signal: AbortSignal;
}

/** Compare-and-swap: the ref is read again under its lock. */
async function moveRef(git: GitDir, { move, headDir, signal }: Moving): Promise<PushOutcome> {
  const lock = await acquireLock({ file: join(git.commonDir, move.ref), notesDir: git.commonDir, signal });
  try {
    if (readRef(git.commonDir, move.ref) !== move.from) return { kind: 'moved' };
    commitRef(lock, move, { commonDir: git.commonDir, headDir });
    return { kind: 'pushed', commit: move.to };
  } finally {
    lock.release();
  }
}

/** The same, with the work files and the index; where HEAD went elsewhere meanwhile, the caller looks again. */
function moveWithWorkTree(git: GitDir, moving: MovingWithWorkTree): Promise<PushOutcome> {
  const { checkout, move, changes, readBlob, signal } = moving;
  const { commonDir } = git;
  return withLocks(git, { checkout, ref: move.ref, signal }, async (locks): Promise<PushOutcome> => {
    if (readRef(commonDir, move.ref) !== move.from) return { kind: 'moved' };
    if (findCheckout(git, move.ref)?.workTree !== checkout.workTree) return { kind: 'moved' };
    await changeWorkTree({ checkout, changes, move, readBlob, signal, lock: locks.index }, () =>
      commitRef(locks.ref, move, { commonDir, headDir: checkout.gitDir }),
    );
    return { kind: 'pushed', commit: move.to };
  });
}

interface Locking {
  readonly checkout: Checkout;
  readonly ref: string;
  readonly signal: AbortSignal;
}

/** Runs while nobody else changes the index or the branch. */
async function withLocks<T>(
  { commonDir }: GitDir,
  { checkout, ref, signal }: Locking,
  run: (locks: { index: LockFile; ref: LockFile }) => T | Promise<T>,
): Promise<T> {
  const index = await lockIndex(checkout, signal);
  try {
    const refLock = await acquireLock({ file: join(commonDir, ref), notesDir: commonDir, signal });
    try {
      return await run({ index, ref: refLock });
    } finally {
      refLock.release();
    }
  } finally {
    index.release();
  }
}

interface MovingWithWorkTree extends Omit<Moving, 'headDir'> {
  readonly checkout: Checkout;
  readonly changes: readonly FileChange[];
  readonly readBlob: (oid: string) => Buffer;
}
