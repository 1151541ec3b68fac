/** A Yaml repo in memory, with its past. */
import { createHash } from 'node:crypto';
import { createHoldMemory } from '../../src/pipeline/find-holds.ts';
import type { CommitInfo, RepoFile, RepoHistory, Snapshot, YamlRepo } from '../../src/pipeline/ports.ts';
import { createRepoMemory } from '../../src/pipeline/repo-memory.ts';
import type { PassContext } from '../../src/pipeline/run-pass.ts';
import { memoryLedger } from '../ledger/memory-ledger.ts';
import { type FakeRegistry, type TestClock, testClock } from './fake-registry.ts';

export interface FakeYamlRepo extends YamlRepo, RepoHistory {
  read(path: string): string;
  /** Messages, newest first. */
  readonly messages: readonly string[];
  /** What of the past was asked: `list 64`, `files commit-2`. */
  readonly asked: string[];
  /** A person's commit: these files get these texts, those that are undefined go. */
  commit(texts: Readonly<Record<string, string | undefined>>, message?: string): void;
}

/** With `races`, so many pushes find that the branch has moved; with `lost`, so many that land say so. */
export function fakeYamlRepo(
  texts: Readonly<Record<string, string>>,
  { races = 0, lost = 0 }: { races?: number; lost?: number } = {},
): FakeYamlRepo {
  const blobs = new Map<string, Uint8Array>();
  const past: { readonly info: CommitInfo; readonly snapshot: Snapshot }[] = [];
  const asked: string[] = [];
  let files = new Map(Object.entries(texts).map(([path, text]) => [path, Buffer.from(text)]));
  let pushes = 0;
  const take = (message: string): Snapshot => {
    const id = `commit-${past.length + 1}`;
    const listed = [...files].map(([path, bytes]): RepoFile => {
      const oid = createHash('sha1').update(bytes).digest('hex');
      blobs.set(oid, bytes);
      return { path, oid, mode: '100644' };
    });
    const parents = past[0] === undefined ? [] : [past[0].info.id];
    const author = { name: 'Ann', email: 'ann@example.com' };
    const snapshot = { commit: id, branch: 'main', files: listed };
    past.unshift({
      info: { id, parents, tree: '', message, author, whenMs: 1_700_000_000_000 + past.length },
      snapshot,
    });
    return snapshot;
  };
  const newest = (): Snapshot => past[0]?.snapshot ?? take('first');
  take('first');
  return {
    asked,
    read: (path) => files.get(path)?.toString() ?? '',
    get messages() {
      return past.map(({ info }) => info.message);
    },
    commit(changes, message = 'a person') {
      files = new Map(files);
      for (const [path, text] of Object.entries(changes)) {
        if (text === undefined) files.delete(path);
        else files.set(path, Buffer.from(text));
      }
      take(message);
    },
    fetch: async () => newest(),
    readBlobs: async (oids) => new Map([...oids].map((oid) => [oid, blobs.get(oid) ?? new Uint8Array()])),
    async push({ changes, message }) {
      pushes += 1;
      if (pushes <= races) {
        take('meanwhile');
        return { kind: 'moved' };
      }
      files = new Map(files);
      for (const [path, bytes] of changes) files.set(path, Buffer.from(bytes));
      const { commit } = take(message);
      return pushes <= lost ? { kind: 'moved' } : { kind: 'pushed', commit };
    },
    async listCommits(from, { count }) {
      asked.push(`list ${count}`);
      const start = past.findIndex(({ info }) => info.id === from);
      const commits = past.slice(start, start + count).map(({ info }) => info);
      return { commits, complete: start + count >= past.length, cut: undefined };
    },
    async findGoneFiles({ from, to, orChanged = false }) {
      asked.push(`gone ${from} ${to}`);
      const listed = (id: string) => past.find(({ info }) => info.id === id)?.snapshot.files ?? [];
      const there = new Map(listed(to).map(({ path, oid }) => [path, oid]));
      const isThere = ({ path, oid }: RepoFile) => there.has(path) && !(orChanged && there.get(path) !== oid);
      return new Map(listed(from).flatMap((file) => (isThere(file) ? [] : [[file.path, file.oid] as const])));
    },
    async findFiles(commit, paths) {
      asked.push(`files ${commit}`);
      const found = past.find(({ info }) => info.id === commit)?.snapshot.files ?? [];
      const wanted = new Set(paths);
      return new Map(found.flatMap(({ path, oid }) => (wanted.has(path) ? [[path, oid] as const] : [])));
    },
  };
}

/** What a pass over such a repo works with. */
export function passOver(
  repo: YamlRepo & RepoHistory,
  registry: FakeRegistry,
  clock: TestClock = testClock(),
): PassContext {
  return {
    repo,
    registry,
    ledger: memoryLedger(),
    clock,
    memory: createRepoMemory(['.']),
    holds: createHoldMemory(),
    author: { name: 'Bot', email: 'bot@example.com' },
    concurrency: 4,
    allowedRegistries: undefined,
  };
}

/** A policy shop/web in `policy.yaml`, and the places where its image stands, at these versions. */
export function repoFiles(spec: string, currents: readonly string[] = ['1.0.0'], image = 'ghcr.io/acme/web') {
  const policy = `apiVersion: tallyman.dev/v1alpha1\nkind: ImagePolicy\nmetadata: {name: web, namespace: shop}\nspec: {image: ${image}, ${spec}}\n`;
  const places = currents.map((current, index) => [`web-${index}.yaml`, `image: ${image}:${current}\n`] as const);
  return { 'policy.yaml': policy, ...Object.fromEntries(places) };
}
