/** A Yaml repo in memory. */
import { createHash } from 'node:crypto';
import type { RepoFile, Snapshot, YamlRepo } from '../../src/pipeline/ports.ts';
import { createRepoMemory } from '../../src/pipeline/repo-memory.ts';
import type { PassContext } from '../../src/pipeline/run-pass.ts';
import { type FakeRegistry, type TestClock, testClock } from './fake-registry.ts';

export interface FakeYamlRepo extends YamlRepo {
  read(path: string): string;
}

/** With `races`, so many pushes find that the branch has moved. */
export function fakeYamlRepo(texts: Readonly<Record<string, string>>, { races = 0 } = {}): FakeYamlRepo {
  const files = new Map(Object.entries(texts).map(([path, text]) => [path, Buffer.from(text)]));
  const blobs = new Map<string, Uint8Array>();
  let lost = 0;
  let commits = 1;
  let snapshot: Snapshot;
  const take = () => {
    const listed = [...files].map(([path, bytes]): RepoFile => {
      const oid = createHash('sha1').update(bytes).digest('hex');
      blobs.set(oid, bytes);
      return { path, oid, mode: '100644' };
    });
    snapshot = { commit: `commit-${commits}`, files: listed };
  };
  take();
  return {
    read: (path) => files.get(path)?.toString() ?? '',
    fetch: async () => snapshot,
    readBlobs: async (oids) => new Map([...oids].map((oid) => [oid, blobs.get(oid) ?? new Uint8Array()])),
    async push({ changes }) {
      commits += 1;
      lost += 1;
      if (lost > races) for (const [path, bytes] of changes) files.set(path, Buffer.from(bytes));
      take();
      return lost > races ? { kind: 'pushed', commit: snapshot.commit } : { kind: 'moved' };
    },
  };
}

/** What a pass over such a repo works with. */
export function passOver(repo: YamlRepo, registry: FakeRegistry, clock: TestClock = testClock()): PassContext {
  return {
    repo,
    registry,
    clock,
    memory: createRepoMemory(['.']),
    author: { name: 'Bot', email: 'bot@example.com' },
    concurrency: 4,
    timeoutMs: 10_000,
    allowedRegistries: undefined,
  };
}

/** A policy shop/web in `policy.yaml`, and the places where its image stands, at these versions. */
export function repoFiles(spec: string, currents: readonly string[] = ['1.0.0'], image = 'ghcr.io/acme/web') {
  const policy = `apiVersion: tallyman.dev/v1alpha1\nkind: ImagePolicy\nmetadata: {name: web, namespace: shop}\nspec: {image: ${image}, ${spec}}\n`;
  const places = currents.map((current, index) => [`web-${index}.yaml`, `image: ${image}:${current}\n`] as const);
  return { 'policy.yaml': policy, ...Object.fromEntries(places) };
}
