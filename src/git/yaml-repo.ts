/** The Yaml repo: one branch of a Git repository, read by blob id and written by compare-and-swap. */
import type { RepoBranches, RepoHistory, YamlRepo } from '../pipeline/ports.ts';
import { formatBranchRef } from './branch.ts';
import { createTransport, type TransportSettings } from './create-transport.ts';
import { fromFileSystem } from './errors.ts';
import { createLocalRepo } from './local-repo.ts';
import { createRemoteRepo } from './remote-repo.ts';
import type { SignCommit } from './sign-commit.ts';

/** Something worth a log line; `fields` holds no secret. */
export type Log = (message: string, fields: Readonly<Record<string, string | number>>) => void;

export type ClosableYamlRepo = YamlRepo &
  RepoHistory &
  RepoBranches & {
    /** Ends connections and closes files; the repo is not used after it. */
    close(): Promise<void>;
  };

/** Where the repository is: on a server, or a folder (a bare repository, or a work tree). */
export type RepoLocation =
  | { readonly kind: 'remote'; readonly url: string }
  | { readonly kind: 'local'; readonly path: string };

export interface YamlRepoOptions extends TransportSettings {
  readonly location: RepoLocation;
  /** Short name of the branch; absent: the one that the repository's HEAD names. */
  readonly branch?: string | undefined;
  /** Folder for the kept clone of a remote; several processes may share it. */
  readonly stateDir: string;
  /** Signs each commit; what it throws, `push` throws. */
  readonly sign?: SignCommit | undefined;
  /** Push options that a server gets with each commit, as `git push -o` sends them; a server that takes none is `PushRejected`. */
  readonly pushOptions?: readonly string[] | undefined;
  readonly log?: Log | undefined;
  /** Longest silence of the server, in milliseconds; default 30,000. */
  readonly timeoutMs?: number | undefined;
  /** Longest time for one request with its whole answer, in milliseconds; default 600,000. */
  readonly maxExchangeMs?: number | undefined;
  /** Larger blobs are absent from `readBlobs`' answer; default 4 MiB. */
  readonly maxBlobBytes?: number | undefined;
  /** Largest download, in bytes; default 1 GiB. */
  readonly maxAnswerBytes?: number | undefined;
}

/**
 * The repository behind the ports. All calls but `readBlobs` run one after the other.
 *
 * - `fetch` gives the same Snapshot object while the branch has not moved; a rewritten branch is followed. Files whose
 *   name is not UTF-8 are left out of the snapshot, and kept in every commit.
 * - `readBlobs` leaves out blobs larger than `maxBlobBytes`; an id that the repository does not have is `RepoInvalid`.
 * - `push` changes existing files only, keeps their modes, and never forces. In a work tree that has the branch checked
 *   out, the files change too.
 * - `listCommits`, `findFiles` and `findGoneFiles` download more of the past as they need it; of a shallow local repository, and of a
 *   server whose repository is shallow, there is no more than what it has.
 * - `pushBranch` and `deleteBranch` are for branches other than that one; locally, for those that are not checked out.
 *
 * An aborted `signal` throws its reason; every other failure is a TallymanError: RepoUnavailable, RepoDenied,
 * RepoInvalid, PushRejected, WorkTreeDirty, or Internal where a changed path is no file of the base.
 */
export function createYamlRepo(options: YamlRepoOptions): ClosableYamlRepo {
  const { location, branch, stateDir, sign, pushOptions = [] } = options;
  const maxBlobBytes = options.maxBlobBytes ?? 4 * 1024 * 1024;
  if (branch !== undefined) formatBranchRef(branch);
  if (location.kind === 'local') return inTurn(createLocalRepo({ path: location.path, branch, maxBlobBytes, sign }));
  const transport = createTransport(location.url, options, {
    timeoutMs: options.timeoutMs ?? 30_000,
    maxExchangeMs: options.maxExchangeMs ?? 600_000,
    maxAnswerBytes: options.maxAnswerBytes ?? 1024 ** 3,
  });
  const log = options.log ?? (() => undefined);
  return inTurn(createRemoteRepo({ transport, branch, stateDir, maxBlobBytes, sign, pushOptions, log }));
}

/** Nearly all of them change what the repo knows or has, so one waits for the other. Foreign failures end here. */
function inTurn(repo: ClosableYamlRepo): ClosableYamlRepo {
  let last: Promise<unknown> = Promise.resolve();
  const next = <T>(signal: AbortSignal, run: () => Promise<T>): Promise<T> => {
    const turn = last.then(() => translated(signal, run));
    last = turn.catch(() => undefined);
    return turn;
  };
  return {
    fetch: (options) => next(options.signal, () => repo.fetch(options)),
    push: (commit, options) => next(options.signal, () => repo.push(commit, options)),
    readBlobs: (oids, options) => translated(options.signal, () => repo.readBlobs(oids, options)),
    listCommits: (from, options) => next(options.signal, () => repo.listCommits(from, options)),
    findFiles: (commit, paths, options) => next(options.signal, () => repo.findFiles(commit, paths, options)),
    findGoneFiles: (commits, options) => next(options.signal, () => repo.findGoneFiles(commits, options)),
    listBranches: (prefix, options) => next(options.signal, () => repo.listBranches(prefix, options)),
    readCommit: (id, options) => next(options.signal, () => repo.readCommit(id, options)),
    pushBranch: (push, options) => next(options.signal, () => repo.pushBranch(push, options)),
    deleteBranch: (branch, options) => next(options.signal, () => repo.deleteBranch(branch, options)),
    close: () => repo.close(),
  };
}

async function translated<T>(signal: AbortSignal, run: () => Promise<T>): Promise<T> {
  signal.throwIfAborted();
  try {
    return await run();
  } catch (error) {
    signal.throwIfAborted();
    throw fromFileSystem(error, 'the repository');
  }
}
