/** A Yaml repo behind its ports, by git's own program: for tests of what is above the ports. */
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type {
  CommitInfo,
  NewCommit,
  RepoBranches,
  RepoFile,
  RepoHistory,
  Snapshot,
  YamlRepo,
} from '../../src/pipeline/ports.ts';
import { runGit } from '../services/git-server.ts';

export type GitYamlRepo = YamlRepo & RepoHistory & RepoBranches;

/** `url` may hold user and password; `folder` gets a clone. All calls block: not for servers of this process. */
export function openGitYamlRepo(url: string, folder: string, watched = 'main'): GitYamlRepo {
  mkdirSync(folder, { recursive: true });
  const git = (args: readonly string[], input?: string | Buffer): string => runGit(folder, args, input);
  git(['init', '-q', '--bare', '.']);
  const update = (): void =>
    void git([
      'fetch',
      '-q',
      '--prune',
      url,
      '+refs/heads/*:refs/remotes/origin/*',
      '+refs/pull/*:refs/remotes/pull/*',
    ]);
  let last: Snapshot | undefined;
  const commitOf = (ref: string): string => git(['rev-parse', ref]);
  const make = ({ base, changes, message, author, whenMs }: NewCommit): string => {
    const tree = editTree(folder, base.commit, changes);
    const when = `${Math.floor(whenMs / 1000)} +0000`;
    const name = `${author.name} <${author.email}> ${when}`;
    const text = `tree ${tree}\nparent ${base.commit}\nauthor ${name}\ncommitter ${name}\n\n${message}`;
    return git(['hash-object', '-t', 'commit', '-w', '--stdin'], text);
  };
  /** Whether the remote took it: only if its branch is still where it was expected. */
  const send = (branch: string, to: string, expected: string): boolean => {
    try {
      git(['push', '-q', `--force-with-lease=refs/heads/${branch}:${expected}`, url, `${to}:refs/heads/${branch}`]);
      return true;
    } catch (error) {
      if (/stale info|rejected|cannot lock ref/.test(String(error))) return false;
      throw error;
    }
  };
  return {
    async fetch() {
      update();
      const commit = commitOf(`refs/remotes/origin/${watched}`);
      last = last?.commit === commit ? last : { commit, files: listFiles(git(['ls-tree', '-r', '-z', commit])) };
      return last;
    },
    readBlobs: async (oids) => new Map([...oids].map((oid) => [oid, readBytes(folder, oid)])),
    async push(commit) {
      const made = make(commit);
      return send(watched, made, commit.base.commit) ? { kind: 'pushed', commit: made } : { kind: 'moved' };
    },
    async listCommits(from, { count }) {
      const ids = git(['rev-list', '--topo-order', `--max-count=${count + 1}`, from]).split('\n');
      return { commits: ids.slice(0, count).map((id) => readCommit(git, id)), complete: ids.length <= count };
    },
    async findFiles(commit, paths) {
      const wanted = new Set(paths);
      const files = listFiles(git(['ls-tree', '-r', '-z', commit])).filter(({ path }) => wanted.has(path));
      return new Map(files.map(({ path, oid }) => [path, oid]));
    },
    async listBranches(prefix) {
      const lines = git(['ls-remote', '--heads', url]).split('\n');
      const branches = lines.map((line) => line.split('\trefs/heads/') as [string, string]);
      return new Map(branches.flatMap(([id, name]) => (name?.startsWith(prefix) ? [[name, id] as const] : [])));
    },
    async readCommit(id) {
      if (!has(folder, id)) update();
      return readCommit(git, id);
    },
    async pushBranch({ branch, expected = '', commit }) {
      const made = make(commit);
      return send(branch, made, expected) ? { kind: 'pushed', commit: made } : { kind: 'moved' };
    },
    deleteBranch: async ({ branch, expected }) => send(branch, '', expected),
  };
}

function listFiles(listing: string): RepoFile[] {
  return listing
    .split('\0')
    .filter((line) => line !== '')
    .map((line) => {
      const [, mode = '', oid = '', path = ''] = /^(\d+) \w+ ([0-9a-f]+)\t(.*)$/s.exec(line) ?? [];
      return { path, oid, mode };
    });
}

function readCommit(git: (args: readonly string[]) => string, id: string): CommitInfo {
  const [parents = '', name = '', email = '', seconds = '', ...message] = git([
    'show',
    '-s',
    '--format=%P%n%an%n%ae%n%ct%n%B',
    id,
  ]).split('\n');
  const text = `${message.join('\n').trimEnd()}\n`;
  return {
    id,
    parents: parents.split(' ').filter((parent) => parent !== ''),
    message: text,
    author: { name, email },
    whenMs: Number(seconds) * 1000,
  };
}

/** The id of the commit's tree with these files changed. */
function editTree(folder: string, commit: string, changes: ReadonlyMap<string, Uint8Array>): string {
  const env = { PATH: process.env.PATH, GIT_DIR: folder, GIT_INDEX_FILE: join(folder, 'edit-index') };
  const run = (args: readonly string[]): string => execFileSync('git', args, { env }).toString().trim();
  run(['read-tree', commit]);
  for (const [path, bytes] of changes) {
    const oid = runGit(folder, ['hash-object', '-w', '--stdin'], Buffer.from(bytes));
    run(['update-index', '--add', '--cacheinfo', `100644,${oid},${path}`]);
  }
  return run(['write-tree']);
}

function has(folder: string, id: string): boolean {
  try {
    runGit(folder, ['cat-file', '-e', `${id}^{commit}`]);
    return true;
  } catch {
    return false;
  }
}

function readBytes(folder: string, oid: string): Buffer {
  return execFileSync('git', ['cat-file', 'blob', oid], { cwd: folder });
}
