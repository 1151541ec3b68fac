/** Reads refs of a local repository, and moves one by git's own lock protocol. Sources: git's "gitrepository-layout", "git-update-ref". */
import { appendFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { repoInvalid } from './errors.ts';
import { type GitDir, readText } from './git-dir.ts';
import type { LockFile } from './lock-file.ts';

/** git follows symbolic refs five deep. */
const maxSymbolicDepth = 5;

/** The ref's commit, or undefined where the ref is not there: loose before packed. */
export function readRef(commonDir: string, ref: string): string | undefined {
  const loose = /^[0-9a-f]{40}(?=\s|$)/.exec(readText(join(commonDir, ref)) ?? '')?.[0];
  if (loose !== undefined) return loose;
  for (const line of (readText(join(commonDir, 'packed-refs')) ?? '').split('\n')) {
    if (line.slice(41).trimEnd() === ref && line[40] === ' ') return line.slice(0, 40);
  }
  return undefined;
}

/** The ref that a symbolic ref names in the end; itself where it is none. */
export function resolveSymbolic(dir: string, ref: string): string {
  let name = ref;
  for (let depth = 0; depth < maxSymbolicDepth; depth++) {
    const target = /^ref: (refs\/\S+)/.exec(readText(join(dir, name)) ?? '')?.[1];
    if (target === undefined) return name;
    name = target;
  }
  throw repoInvalid(`Cannot read ref "${ref}": it names itself, a branch was wanted`);
}

/** The ref that HEAD of this work tree names; throws `RepoInvalid` where HEAD is detached. */
export function findHeadBranch({ gitDir, path }: GitDir): string {
  const ref = resolveSymbolic(gitDir, 'HEAD');
  if (ref.startsWith('refs/heads/')) return ref;
  throw repoInvalid(
    `Cannot choose a branch of Yaml repo "${path}": its HEAD is detached, a branch was wanted`,
    'Name the branch under `repos`, or check one out.',
  );
}

export interface RefMove {
  readonly ref: string;
  readonly from: string;
  readonly to: string;
  /** `Name <email> seconds +0000` */
  readonly identity: string;
  readonly subject: string;
}

/** Lets a held ref lock take effect: log lines first, as git does, then the ref itself. */
export function commitRef(
  lock: LockFile,
  move: RefMove,
  logDirs: { commonDir: string; headDir: string | undefined },
): void {
  lock.write(`${move.to}\n`);
  const subject = move.subject.replace(/\s+/g, ' ').trim();
  const line = `${move.from} ${move.to} ${move.identity}\tcommit: ${subject}\n`;
  const logs = [join(logDirs.commonDir, 'logs', move.ref)];
  if (logDirs.headDir !== undefined) logs.push(join(logDirs.headDir, 'logs', 'HEAD'));
  for (const log of logs) if (existsSync(log)) appendFileSync(log, line);
  lock.commit();
}
