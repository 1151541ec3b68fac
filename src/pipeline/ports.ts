/** What the pipeline needs from the outside world: interfaces of plain data that the adapters implement. */
import type { ImageRepository } from '../image/reference.ts';

interface CallOptions {
  readonly signal: AbortSignal;
}

/** A repository's tags. */
export interface TagListing {
  /** Each valid by the tag grammar, once; order means nothing. Never a part of the list. */
  readonly tags: readonly string[];
  /** When each tag was pushed by the registry's own clock, in milliseconds since 1970; undefined where it tells none. */
  readonly pushedMs: ReadonlyMap<string, number> | undefined;
  /** What kept the registry from telling all times now: `pushedMs` has those known before. */
  readonly pushTimesFault?: unknown;
}

/** What a manifest says of itself. */
export interface ManifestInfo {
  /** Digest of record: of the index for a multi-platform image. `sha256:<64 hex>` */
  readonly digest: string;
  /** OCI annotations of that manifest or index, and what the image's labels add to them. Written by the publisher: untrusted. */
  readonly annotations: Readonly<Record<string, string>>;
  /** What the image runs on: `linux/amd64`, `linux/arm/v7`; undefined where it was not asked for and takes a request more. */
  readonly platforms: readonly string[] | undefined;
}

/** An image registry. Failures are TallymanErrors: RegistryUnavailable, RegistryDenied, RegistryInvalid, ImageNotFound, ListingTruncated, ReferenceInvalid. An aborted call throws the signal's reason; each ends by itself, within minutes. */
export interface Registry {
  /** Every tag of the repository. With `pushTimes`, their times too where the registry has an API for them (Docker Hub). */
  listTags(repository: ImageRepository, options: CallOptions & { pushTimes?: boolean }): Promise<TagListing>;
  /** The manifest behind a tag; ImageNotFound where the tag is not there. With `platforms`, they are never undefined. */
  fetchManifest(
    repository: ImageRepository,
    tag: string,
    options: CallOptions & { platforms?: boolean },
  ): Promise<ManifestInfo>;
}

/** One file of a snapshot. `{ path: 'apps/web.yaml', oid: '3b18…', mode: '100644' }` */
export interface RepoFile {
  /** Path from the repository's root, `/` between folders. */
  readonly path: string;
  /** Git blob id, 40 hexadecimal digits. */
  readonly oid: string;
  /** Git's mode in octal: `100644`, `100755`; `120000` is a symbolic link, `160000` a submodule. */
  readonly mode: string;
}

/** The Yaml repo at one commit. An unchanged tip gives the same object again. */
export interface Snapshot {
  readonly commit: string;
  /** Short name of the branch that is at it: `main`. */
  readonly branch: string;
  readonly files: readonly RepoFile[];
}

/** Who a commit names; `when` is the moment it is made. */
export interface CommitAuthor {
  readonly name: string;
  readonly email: string;
}

/** A commit to be made on `base`: these files get these bytes, everything else stays. Without changes, a commit that only says something. */
export interface NewCommit {
  readonly base: Snapshot;
  readonly changes: ReadonlyMap<string, Uint8Array>;
  readonly message: string;
  /** What the message is once the id of the tree is known, which stands for all files of the commit; else `message` as it is. */
  readonly seal?: ((tree: string) => string) | undefined;
  readonly author: CommitAuthor;
  /** Milliseconds since 1970, UTC. */
  readonly whenMs: number;
}

/** `moved`: the branch was no longer at `base`, nothing was written; fetch and plan again. */
export type PushOutcome = { readonly kind: 'pushed'; readonly commit: string } | { readonly kind: 'moved' };

/** One branch of a Yaml repo. Failures are TallymanErrors: RepoUnavailable, RepoDenied, RepoInvalid, PushRejected, WorkTreeDirty. */
export interface YamlRepo {
  /** The branch as it is now on the remote. */
  fetch(options: CallOptions): Promise<Snapshot>;
  /** The bytes of each blob asked for, by id. */
  readBlobs(oids: Iterable<string>, options: CallOptions): Promise<ReadonlyMap<string, Uint8Array>>;
  /** Commits and pushes, only if the branch is still at `commit.base`. Never forces. */
  push(commit: NewCommit, options: CallOptions): Promise<PushOutcome>;
}

/** One commit, as its object says. */
export interface CommitInfo {
  /** 40 hexadecimal digits. */
  readonly id: string;
  readonly parents: readonly string[];
  /** Id of its tree, which stands for all its files; empty where it names none. */
  readonly tree: string;
  /** With its trailers; what is not UTF-8 is replaced. */
  readonly message: string;
  readonly author: CommitAuthor;
  /** Of the committer, in milliseconds since 1970, UTC. */
  readonly whenMs: number;
}

/** Commits of a branch. */
export interface ListedCommits {
  readonly commits: readonly CommitInfo[];
  readonly complete: boolean;
  readonly cut: string | undefined;
}

/** Two commits. */
export interface ComparedCommits {
  readonly from: string;
  readonly to: string;
  /** Files that are there with other bytes count as gone, too. */
  readonly orChanged?: boolean;
}

/** The past of a Yaml repo's branch. Failures as those of YamlRepo. */
export interface RepoHistory {
  /**
   * The commit and what it descends from, newest first by the committers' clocks, a parent never before its child: at least
   * `count` of them, or all there are (`complete`). What is not here yet is downloaded, no further back than that. Where
   * the repository itself is shallow there may be fewer: `cut` is the first of them whose parents nobody there has.
   */
  listCommits(from: string, options: CallOptions & { count: number }): Promise<ListedCommits>;
  /** The blob ids of these paths in a listed commit; a path that is no regular file there is absent. `readBlobs` reads them. */
  findFiles(commit: string, paths: Iterable<string>, options: CallOptions): Promise<ReadonlyMap<string, string>>;
  /** The blob ids, in the listed commit `from`, of the regular files that the listed commit `to` has not, by path. */
  findGoneFiles(commits: ComparedCommits, options: CallOptions): Promise<ReadonlyMap<string, string>>;
}

/** A commit to be put on a branch that is Tallyman's own. */
export interface BranchPush {
  /** Short name: `tallyman/shop`. Never the watched branch. */
  readonly branch: string;
  /** The commit that the branch is at; undefined where it is not there and is to be made. */
  readonly expected: string | undefined;
  /** Its parent is `commit.base`, not `expected`: what was on the branch is replaced. */
  readonly commit: NewCommit;
}

/** The branches of a Yaml repo besides the watched one, for pull requests. Failures as those of YamlRepo. */
export interface RepoBranches {
  /** Short names that begin with the prefix, with their commits, as they are now on the remote. */
  listBranches(prefix: string, options: CallOptions): Promise<ReadonlyMap<string, string>>;
  /** The commit of that id, downloaded alone where it is not here yet; RepoInvalid where the remote does not give it. */
  readCommit(id: string, options: CallOptions): Promise<CommitInfo>;
  /** Makes the branch or replaces its commit, only if it is still at `expected`; `moved` where it is not. */
  pushBranch(push: BranchPush, options: CallOptions): Promise<PushOutcome>;
  /** Removes the branch, only if it is still at `expected`; true where it is gone afterwards, false where it moved. */
  deleteBranch(branch: { readonly branch: string; readonly expected: string }, options: CallOptions): Promise<boolean>;
}

/** A pull request (GitLab: merge request) between two branches of the Yaml repo itself, never of a fork. */
export interface PullRequest {
  /** As people name it: GitHub's and Gitea's number, GitLab's iid. */
  readonly number: number;
  /** Where people read it. */
  readonly url: string;
  readonly headBranch: string;
  /** Tip of the head branch as the forge knows it, of one that is over as it was then: 40 hexadecimal digits; empty where it does not know. */
  readonly headCommit: string;
  readonly baseBranch: string;
  /** `closed`: without a merge. */
  readonly state: 'open' | 'closed' | 'merged';
  /** What a merge put on the base branch; of a squash that one commit. Undefined where there was none, or it is not told. */
  readonly mergeCommit: string | undefined;
  readonly title: string;
  /** Markdown as it was written, line ends as the forge keeps them; may have been changed by a person. */
  readonly body: string;
}

/** What a pull request says. */
export interface PullRequestText {
  readonly title: string;
  /** Markdown. */
  readonly body: string;
}

/** Which pull requests are wanted: into `baseBranch`, of head branches that begin with `prefix`: all open ones, and where `closedOf` names some, the newest that are over, merged or not. */
export interface PullRequestQuestion {
  readonly baseBranch: string;
  readonly prefix: string;
  /** Head branches by their whole names: of those, the forge looks further back. Groups may have had other names. */
  readonly closedOf: readonly string[];
}

/** `exists`: there is one open already for these branches, nothing was made; list again. */
export type OpenOutcome = { readonly kind: 'opened'; readonly pullRequest: PullRequest } | { readonly kind: 'exists' };

/** Where people review changes of a Yaml repo: GitHub, GitLab, Gitea. Failures are TallymanErrors: ForgeUnavailable, ForgeDenied, ForgeInvalid. An aborted call throws the signal's reason. */
export interface Forge {
  /** Newest first. Those of forks are left out, whatever their branches are called. */
  listPullRequests(question: PullRequestQuestion, options: CallOptions): Promise<readonly PullRequest[]>;
  /** Opens one from a branch that was pushed before. */
  openPullRequest(
    request: PullRequestText & { readonly headBranch: string; readonly baseBranch: string },
    options: CallOptions,
  ): Promise<OpenOutcome>;
  /** Replaces title and body; the same again changes nothing. */
  updatePullRequest(number: number, text: PullRequestText, options: CallOptions): Promise<void>;
  /** Says why in a comment, and closes it without a merge. The branch stays. */
  closePullRequest(number: number, options: CallOptions & { readonly comment: string }): Promise<void>;
}

/** Where the pipeline tells what it does; fields are plain data without secrets. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Time and chance, so that tests own them. */
export interface Clock {
  /** Milliseconds since 1970, UTC, which pass as time does: never back, and no faster where the machine's clock is set. What ages and waits is counted by it. */
  nowMs(): number;
  /** What the machine's clock shows, in milliseconds since 1970, UTC: for dates that people read. */
  wallMs(): number;
  /** Resolves after the time, or at once when the signal aborts. */
  sleep(ms: number, options: CallOptions): Promise<void>;
  /** At least 0, below 1. */
  random(): number;
}
