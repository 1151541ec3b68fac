/** How long it takes to find every policy and every place in a large Yaml repo, its bytes in memory. */
import type { RepoFile, Snapshot } from '../../src/pipeline/ports.ts';
import { createRepoMemory } from '../../src/pipeline/repo-memory.ts';
import { type BenchResult, measureMs, type Row } from './figures.ts';
import { makeFiles } from './manifests.ts';

const { signal } = new AbortController();
const iterations = 5;

/** Cold, and again after one file changed. */
export async function benchFind(): Promise<BenchResult> {
  const rows: Row[] = [];
  for (const { fileCount, barMs } of [
    { fileCount: 5000, barMs: 500 },
    { fileCount: 20_000, barMs: 2000 },
  ]) {
    const { snapshot, repo } = openInMemory(makeFiles('ghcr.io/acme', { fileCount, policyCount: 500 }));
    const samples = { cold: [] as number[], again: [] as number[] };
    for (let index = 0; index < iterations; index += 1) {
      const memory = createRepoMemory(['.']);
      samples.cold.push(await measureMs(() => expectTargets(memory.read(repo, snapshot, { signal }))));
      const moved = {
        ...snapshot,
        files: snapshot.files.map((file, at) => (at === 7 ? { ...file, path: 'moved.yaml' } : file)),
      };
      samples.again.push(await measureMs(() => expectTargets(memory.read(repo, moved, { signal }))));
    }
    rows.push({ name: `500 policies in ${fileCount} files, cold`, samplesMs: samples.cold, barMs });
    rows.push({ name: `500 policies in ${fileCount} files, one file changed`, samplesMs: samples.again });
  }
  return {
    title: 'find all policies and places',
    notes: ['Reading the bytes out of Git is not counted: see `pass`.'],
    rows,
  };
}

async function expectTargets(reading: ReturnType<ReturnType<typeof createRepoMemory>['read']>): Promise<void> {
  const { policies, targets } = await reading;
  if (policies.length !== 500 || targets.length < 499)
    throw new Error(`${policies.length} policies and ${targets.length} places were found`);
}

function openInMemory(texts: Record<string, string>): {
  snapshot: Snapshot;
  repo: Parameters<ReturnType<typeof createRepoMemory>['read']>[0];
} {
  const entries = Object.entries(texts).map(([path, text], index) => ({
    path,
    oid: `${index}`.padStart(40, '0'),
    bytes: Buffer.from(text),
  }));
  const blobs = new Map(entries.map(({ oid, bytes }) => [oid, bytes]));
  const files: RepoFile[] = entries.map(({ path, oid }) => ({ path, oid, mode: '100644' }));
  return { snapshot: { commit: 'c', branch: 'main', files }, repo: { readBlobs: async () => blobs } };
}
