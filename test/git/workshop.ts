/** What the tests of src/git share: a temporary folder, commits to push, and the signal nobody aborts. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NewCommit, Snapshot } from '../../src/pipeline/ports.ts';

export const signal = new AbortController().signal;
const author = { name: 'Tallyman', email: 'tallyman@example.com' };

/** Runs with a temporary folder that is removed afterwards. */
export async function withFolder<T>(run: (folder: string) => Promise<T> | T): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'tallyman-git-'));
  try {
    return await run(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A commit of these texts on `base`. */
export function newCommit(
  base: Snapshot,
  files: Readonly<Record<string, string>>,
  message = 'Update images',
): NewCommit {
  const changes = new Map(Object.entries(files).map(([path, text]) => [path, Buffer.from(text)]));
  return { base, changes, message, author, whenMs: 1_700_000_123_456 };
}

/** The id of the file's blob; empty where there is no such file. */
export function oidOf(snapshot: Snapshot, path: string): string {
  return snapshot.files.find((file) => file.path === path)?.oid ?? '';
}
