/** A folder's files as they are on disk, committed or not: what a Yaml repo's CI or a person wants checked. */
import { createHash } from 'node:crypto';
import { readdir, readFile, readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { TallymanError } from '../error/tallyman-error.ts';
import type { RepoFile, YamlRepo } from '../pipeline/ports.ts';

const maxFileBytes = 4 * 1024 * 1024;

/** The folder as a snapshot without a commit (`commit` is empty); `.git` and files above 4 MiB are left out, symbolic links are not followed. */
export function createWorkFiles(folder: string): Pick<YamlRepo, 'fetch' | 'readBlobs'> {
  const contents = new Map<string, Uint8Array>();
  const visit = async (path: string): Promise<RepoFile[]> => {
    const entries = await readdir(join(folder, path), { withFileTypes: true });
    const found = await Promise.all(
      entries.map(async (entry): Promise<RepoFile[]> => {
        const name = path === '' ? entry.name : `${path}/${entry.name}`;
        if (entry.name === '.git') return [];
        if (entry.isDirectory()) return visit(name);
        if (entry.isSymbolicLink()) return [remember(name, Buffer.from(await readlink(join(folder, name))), '120000')];
        if (!entry.isFile() || (await stat(join(folder, name))).size > maxFileBytes) return [];
        return [remember(name, await readFile(join(folder, name)), '100644')];
      }),
    );
    return found.flat();
  };
  const remember = (path: string, bytes: Uint8Array, mode: string): RepoFile => {
    const oid = createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');
    contents.set(oid, bytes);
    return { path, oid, mode };
  };
  return {
    async fetch({ signal }) {
      signal.throwIfAborted();
      try {
        const files = await visit('');
        return { commit: '', files: files.sort((a, b) => (a.path < b.path ? -1 : 1)) };
      } catch (cause) {
        const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown fault';
        throw new TallymanError(
          'RepoInvalid',
          `Cannot read folder "${folder}": ${code}, a readable folder was wanted`,
          { cause },
        );
      }
    },
    async readBlobs(oids) {
      return new Map(
        [...oids].flatMap((oid) => {
          const bytes = contents.get(oid);
          return bytes === undefined ? [] : [[oid, bytes] as const];
        }),
      );
    },
  };
}
