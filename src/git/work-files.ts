/** A folder's YAML files as they are on disk, committed or not: what a Yaml repo's CI or a person wants checked. */
import { createHash, randomUUID } from 'node:crypto';
import { constants, existsSync, readFileSync } from 'node:fs';
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { findCode } from '../error/find-code.ts';
import { TallymanError } from '../error/tallyman-error.ts';
import type { RepoFile, YamlRepo } from '../pipeline/ports.ts';
import { findGitDir, openGitDir, readText } from './git-dir.ts';
import { parseIndex } from './git-index.ts';
import { type IgnoreRules, parseIgnoreRules } from './ignore-rules.ts';
import { decodeName } from './tree.ts';

const maxFileBytes = 4 * 1024 * 1024;
/** Files open at a time. */
const maxOpenFiles = 32;
/** As deep as a commit's folders are read. */
const maxDepth = 128;

/** Whether the folder is checked as it is on disk: a work tree, or a folder that is no repository at all. */
export function hasWorkFiles(folder: string): boolean {
  return existsSync(join(folder, '.git')) || findGitDir(folder) === undefined;
}

/**
 * The folder as a snapshot without a commit (`commit` is empty; `oid` stands for one reading of one file and is no blob
 * id). The files are those that git would list: tracked ones, and untracked ones that no `.gitignore` or
 * `.git/info/exclude` ignores (a user's own `core.excludesFile` is not asked); nothing of submodules and repositories
 * inside. Of these the regular files `*.yaml` and `*.yml`, up to 4 MiB. What cannot be read is left out.
 */
export function createWorkFiles(folder: string): Pick<YamlRepo, 'fetch' | 'readBlobs'> {
  let paths = new Map<string, string>();
  return {
    async fetch({ signal }) {
      const files = await listWorkFiles(folder, signal);
      // New ids at each look: the bytes may be others.
      const look = randomUUID();
      const named = files.map((path): RepoFile => {
        const oid = createHash('sha1').update(`${look}\0${path}`).digest('hex');
        return { path, oid, mode: '100644' };
      });
      paths = new Map(named.map(({ oid, path }) => [oid, path]));
      return { commit: '', branch: '', files: named };
    },
    async readBlobs(oids, { signal }) {
      const wanted = [...new Set(oids)].values();
      const blobs = new Map<string, Uint8Array>();
      const work = async (): Promise<void> => {
        for (const oid of wanted) {
          signal.throwIfAborted();
          const path = paths.get(oid);
          const bytes = path === undefined ? undefined : await readWorkFile(join(folder, path));
          if (bytes !== undefined) blobs.set(oid, bytes);
        }
      };
      await Promise.all(Array.from({ length: maxOpenFiles }, work));
      return blobs;
    },
  };
}

/** The bytes; undefined where the file is gone, not a regular one, too large or may not be read. */
async function readWorkFile(file: string): Promise<Buffer | undefined> {
  try {
    // Nothing that took the file's place is followed or waited for.
    const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const stats = await handle.stat();
      return stats.isFile() && stats.size <= maxFileBytes ? await handle.readFile() : undefined;
    } finally {
      await handle.close();
    }
  } catch {
    return undefined;
  }
}

interface Walk {
  readonly folder: string;
  readonly tracked: Tracked;
  readonly files: string[];
  readonly signal: AbortSignal;
}

/** A folder to be looked into; paths from the root, with `/` at the end where they are not empty. */
interface Place {
  readonly prefix: string;
  /** Only tracked files count in it. */
  readonly ignored: boolean;
  /** From the root's to the nearest: the nearest that decides wins. */
  readonly rules: readonly ScopedRules[];
}

interface ScopedRules {
  readonly prefix: string;
  readonly rules: IgnoreRules;
}

async function listWorkFiles(folder: string, signal: AbortSignal): Promise<string[]> {
  const { tracked, excludes } = readGit(folder);
  const walk: Walk = { folder, tracked, files: [], signal };
  const rules = excludes === undefined ? [] : [{ prefix: '', rules: parseIgnoreRules(excludes) }];
  const places: Place[] = [{ prefix: '', ignored: false, rules }];
  // One folder at a time, the deepest first: an own stack, as nothing bounds what people nest.
  for (let place = places.pop(); place !== undefined; place = places.pop()) {
    signal.throwIfAborted();
    places.push(...(await visit(walk, place)));
  }
  return walk.files.sort((a, b) => (a < b ? -1 : 1));
}

/** Notes the folder's files; gives the folders in it that are to be looked into. */
async function visit({ folder, tracked, files }: Walk, place: Place): Promise<Place[]> {
  const entries = await listFolder(join(folder, place.prefix), place.prefix === '');
  // A submodule, or a repository of its own.
  if (place.prefix !== '' && entries.some(({ name }) => name === '.git')) return [];
  const rules = entries.some(({ name, kind }) => name === '.gitignore' && kind === 'file')
    ? addRules(folder, place)
    : place.rules;
  const inside: Place[] = [];
  for (const { name, kind } of entries) {
    const path = place.prefix + name;
    if (name === '.git' || (kind === 'file' && !/\.ya?ml$/i.test(name))) continue;
    const ignored = place.ignored || isIgnored(rules, path, kind === 'folder');
    if (kind === 'file' && (!ignored || tracked.files.has(path))) files.push(path);
    if (kind === 'folder' && (!ignored || tracked.folders.has(path)) && path.split('/').length < maxDepth)
      inside.push({ prefix: `${path}/`, ignored, rules });
  }
  return inside;
}

function addRules(folder: string, { prefix, rules }: Place): readonly ScopedRules[] {
  try {
    const text = readFileSync(join(folder, prefix, '.gitignore'), 'utf8');
    return [...rules, { prefix, rules: parseIgnoreRules(text) }];
  } catch {
    return rules;
  }
}

function isIgnored(rules: readonly ScopedRules[], path: string, isFolder: boolean): boolean {
  for (const scoped of rules.toReversed()) {
    const decided = scoped.rules.decide(path.slice(scoped.prefix.length), isFolder);
    if (decided !== undefined) return decided;
  }
  return false;
}

interface Entry {
  readonly name: string;
  readonly kind: 'file' | 'folder' | 'other';
}

/** The folder's entries whose name is UTF-8; none where it may not be read, unless it is the root. */
async function listFolder(path: string, isRoot: boolean): Promise<Entry[]> {
  try {
    const entries = await readdir(path, { withFileTypes: true, encoding: 'buffer' });
    return entries.flatMap((entry): Entry[] => {
      const name = decodeName(entry.name.toString('latin1'));
      const kind = entry.isDirectory() ? 'folder' : entry.isFile() ? 'file' : 'other';
      return name === undefined ? [] : [{ name, kind }];
    });
  } catch (cause) {
    if (!isRoot) return [];
    const found = findCode(cause) ?? 'unknown fault';
    throw new TallymanError('RepoInvalid', `Cannot read folder "${path}": ${found}, a readable folder was wanted`, {
      cause,
    });
  }
}

interface Tracked {
  readonly files: ReadonlySet<string>;
  /** Every folder on the way to a tracked file. */
  readonly folders: ReadonlySet<string>;
}

/** What git knows of the folder: nothing where it is no work tree. */
function readGit(folder: string): { tracked: Tracked; excludes: string | undefined } {
  const files = new Set<string>();
  const folders = new Set<string>();
  if (!existsSync(join(folder, '.git'))) return { tracked: { files, folders }, excludes: undefined };
  const { gitDir, commonDir } = openGitDir(folder);
  const index = join(gitDir, 'index');
  for (const name of existsSync(index) ? parseIndex(readFileSync(index)).entries.keys() : []) {
    const path = decodeName(name);
    if (path === undefined) continue;
    files.add(path);
    for (
      let end = path.lastIndexOf('/');
      end > 0 && !folders.has(path.slice(0, end));
      end = path.lastIndexOf('/', end - 1)
    )
      folders.add(path.slice(0, end));
  }
  return { tracked: { files, folders }, excludes: readText(join(commonDir, 'info', 'exclude')) };
}
