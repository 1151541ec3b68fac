/** Finds a local repository's own files, and refuses the kinds that cannot be used. Source: git's "gitrepository-layout". */
import { existsSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { findCode } from '../error/find-code.ts';
import { repoInvalid } from './errors.ts';

export interface GitDir {
  /** As given, for messages. */
  readonly path: string;
  /** Has HEAD and the index of this work tree. */
  readonly gitDir: string;
  /** Has objects, refs, packed-refs and config; the same folder but for a linked work tree. */
  readonly commonDir: string;
}

/** A work tree that has a branch checked out. */
export interface Checkout {
  readonly gitDir: string;
  readonly workTree: string;
}

/** The repository at a bare repository's path, a work tree's, or a `.git` folder's; throws `RepoInvalid`. */
export function openGitDir(path: string): GitDir {
  const gitDir = findGitDir(path);
  if (gitDir === undefined)
    throw repoInvalid(
      `Cannot use Yaml repo "${path}": it is no Git repository, a bare repository or the root of a work tree was wanted`,
      'Point `repos` at the root folder of a Git repository.',
    );
  const common = readText(join(gitDir, 'commondir'))?.trim();
  const commonDir = common === undefined ? gitDir : resolve(gitDir, common);
  const config = readConfig(commonDir);
  const format = config.get('extensions.objectformat') ?? 'sha1';
  const storage = config.get('extensions.refstorage') ?? 'files';
  if (format !== 'sha1') throw unusable(path, `its object format is ${format}, sha1 was wanted`);
  if (storage !== 'files') throw unusable(path, `its refs are stored as ${storage}, files were wanted`);
  return { path, gitDir, commonDir };
}

function unusable(path: string, found: string): Error {
  return repoInvalid(
    `Cannot use Yaml repo "${path}": ${found}`,
    'Make the repository anew with `git clone` from one with object format sha1 and ref storage files.',
  );
}

/** The folder with the objects: `.git` in the path or what it points to, or the path itself; undefined where there is none. */
export function findGitDir(path: string): string | undefined {
  const inner = join(path, '.git');
  const candidates = [inner, path];
  const pointer = existsSync(inner) && statSync(inner).isFile() ? readText(inner) : undefined;
  const target = /^gitdir: (.+?)\s*$/.exec(pointer ?? '')?.[1];
  if (target !== undefined) candidates.unshift(resolve(path, target));
  return candidates.find((folder) => existsSync(join(folder, 'HEAD')) && hasObjects(folder));
}

function hasObjects(folder: string): boolean {
  return existsSync(join(folder, 'objects')) || existsSync(join(folder, 'commondir'));
}

/**
 * The work tree, main or linked, whose HEAD names the branch; undefined where there is none.
 * Source: git's "git-worktree".
 */
export function findCheckout({ commonDir }: GitDir, ref: string): Checkout | undefined {
  const linked = listFolder(join(commonDir, 'worktrees')).map((name) => join(commonDir, 'worktrees', name));
  for (const gitDir of [commonDir, ...linked]) {
    if (readText(join(gitDir, 'HEAD'))?.trim() !== `ref: ${ref}`) continue;
    const workTree = gitDir === commonDir ? findMainWorkTree(commonDir) : findLinkedWorkTree(gitDir);
    if (workTree !== undefined && existsSync(workTree)) return { gitDir, workTree };
  }
  return undefined;
}

function findMainWorkTree(commonDir: string): string | undefined {
  const config = readConfig(commonDir);
  const named = config.get('core.worktree');
  if (named !== undefined) return resolve(commonDir, named);
  if (/^(?:true|yes|on|1|)$/i.test(config.get('core.bare') ?? 'false')) return undefined;
  const real = realpathSync(commonDir);
  return basename(real) === '.git' ? dirname(real) : undefined;
}

function findLinkedWorkTree(gitDir: string): string | undefined {
  const file = readText(join(gitDir, 'gitdir'))?.trim();
  return file === undefined ? undefined : dirname(resolve(gitDir, file));
}

function readConfig(commonDir: string): Map<string, string> {
  const own = readText(join(commonDir, 'config')) ?? '';
  const perWorkTree = readText(join(commonDir, 'config.worktree')) ?? '';
  return parseConfig(`${own}\n${perWorkTree}`);
}

/**
 * `section.key` in lower case to its last value. Sections with a subsection, includes and continued lines are passed
 * over: what is asked for here is never written so. Source: git's "git-config".
 *
 * @example
 * parseConfig('[core]\n\tbare = false\n').get('core.bare') // 'false'
 */
export function parseConfig(text: string): Map<string, string> {
  const values = new Map<string, string>();
  let section: string | undefined;
  for (const line of text.split('\n')) {
    const header = /^\s*\[\s*([A-Za-z0-9.-]+)\s*(".*")?\s*\]/.exec(line);
    if (header) section = header[2] === undefined ? header[1]?.toLowerCase() : undefined;
    const pair = /^\s*([A-Za-z][A-Za-z0-9-]*)\s*(?:=\s*(.*?))?\s*$/.exec(header ? line.slice(header[0].length) : line);
    if (section === undefined || pair?.[1] === undefined) continue;
    const value = (pair[2] ?? '').startsWith('"') ? (pair[2] ?? '').replace(/^"((?:[^"\\]|\\.)*)".*$/, '$1') : pair[2];
    values.set(`${section}.${pair[1].toLowerCase()}`, (value ?? '').replace(/\s+[#;].*$/, '').replace(/\\(.)/g, '$1'));
  }
  return values;
}

/** The file's text, or undefined where it is not there. */
export function readText(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const code = findCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EISDIR') return undefined;
    throw error;
  }
}

function listFolder(path: string): string[] {
  return existsSync(path) ? readdirSync(path) : [];
}
