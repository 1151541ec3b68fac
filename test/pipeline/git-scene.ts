/** Passes over a real repository: on a server's side (bare), read by our own reader, while people use real git. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { createYamlRepo } from '../../src/git/yaml-repo.ts';
import { type PassContext, runPass } from '../../src/pipeline/run-pass.ts';
import { commitFiles, makeBareRepo, runGit } from '../services/git-server.ts';
import { fakeRegistry, listingOf, testClock } from './fake-registry.ts';
import { passOver } from './fake-yaml-repo.ts';

const { signal } = new AbortController();
const folder = mkdtempSync(join(tmpdir(), 'tallyman-git-scene-'));
after(() => rmSync(folder, { recursive: true }));

/** A policy of that app. */
export const policy = (app: string, { range = '*', more = '' } = {}) =>
  `apiVersion: tallyman.dev/v1alpha1\nkind: ImagePolicy\nmetadata: {name: ${app}, namespace: shop}\nspec:\n  image: ghcr.io/acme/${app}\n  select: {semver: "${range}"}\n${more}`;
/** A file of that app. */
export const place = (app: string, version: string) =>
  `kind: Deployment\nimage: ghcr.io/acme/${app}:${version}\nreplicas: 1\n`;

export interface GitScene {
  readonly bare: string;
  readonly context: PassContext;
  /** Of the registry, for every app. */
  readonly tags: string[];
  /** A person's git commands, on the newest state, and pushed. */
  person(...commands: readonly (readonly string[])[]): void;
  /** Commits these files. */
  write(files: Readonly<Record<string, string>>): void;
  /** A pass that leaves these versions, by path; the codes of its problems. `restart`: by a process that remembers nothing. */
  pass(versions: Readonly<Record<string, string>>, options?: { restart?: boolean }): Promise<string[]>;
}

let scenes = 0;
/** `oursMs`: when our commits are made; those of people here have one fixed date. */
export function openGitScene(apps: readonly string[] = ['web'], { oursMs = 1_800_000_000_000 } = {}): GitScene {
  scenes += 1;
  const files = Object.fromEntries(
    apps.flatMap((app) => [
      [`${app}/policy.yaml`, policy(app)],
      [`${app}/deploy.yaml`, place(app, '1.4.2')],
    ]),
  );
  const bare = makeBareRepo(join(folder, `${scenes}.git`), files);
  const clone = join(folder, `clone-${scenes}`);
  runGit(folder, ['clone', '-q', bare, clone]);
  const tags = ['1.4.2', '1.5.0'];
  const clock = testClock(oursMs);
  const start = () => {
    const repo = createYamlRepo({ location: { kind: 'local', path: bare }, stateDir: folder });
    return passOver(repo, fakeRegistry({ listTags: async () => listingOf(...tags) }), clock);
  };
  let context = start();
  return {
    bare,
    get context() {
      return context;
    },
    tags,
    write: (changes) => void commitFiles(bare, changes),
    person(...commands) {
      runGit(clone, ['pull', '-q', '--ff-only']);
      for (const command of commands) runGit(clone, command);
      runGit(clone, ['push', '-q', 'origin', 'HEAD:main']);
    },
    async pass(versions, { restart = false } = {}) {
      if (restart) context = start();
      clock.time += 60_000;
      const { problems } = await runPass(context, { signal });
      const found = Object.keys(versions).map((path) => [path, readVersion(bare, path)]);
      assert.deepEqual(Object.fromEntries(found), versions);
      return problems.map(({ code, place: where }) => `${code} ${where?.file}`);
    },
  };
}

function readVersion(bare: string, path: string): string {
  return /image: [^:]+:(\S+)/.exec(runGit(bare, ['show', `main:${path}`]))?.[1] ?? '';
}
