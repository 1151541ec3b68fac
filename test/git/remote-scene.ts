/** A served repository and clients of it, for the tests of the remote Yaml repo. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { TallymanError } from '../../src/error/tallyman-error.ts';
import { type ClosableYamlRepo, createYamlRepo, type YamlRepoOptions } from '../../src/git/yaml-repo.ts';
import { type GitServer, type GitUser, makeBareRepo, runGit, startGitServer } from '../services/git-server.ts';
import { withFolder } from './workshop.ts';

const users: GitUser[] = [
  { name: 'bot', password: 's3cret:with:colons', canPush: true },
  { name: 'reader', password: 'r', canPush: false },
];
const files = {
  'apps/web.yaml': 'image: web:1\n',
  'apps/run.sh': { mode: '100755', text: 'echo 1\n' },
  'apps.yaml': 'a',
  'apps-x/y.yaml': 'b',
  'mit Leerzeichen/größe.yaml': 'c',
  link: { mode: '120000', text: 'apps/web.yaml' },
  module: { mode: '160000', text: '1'.repeat(40) },
};

export interface Scene {
  readonly bare: string;
  readonly server: GitServer;
  readonly state: string;
  /** Another client of the same repository and the same kept clone. */
  open(options?: Partial<YamlRepoOptions>): ClosableYamlRepo;
}

/** A served repository `site.git` with `files`, and clients of it that are closed afterwards. */
export async function withScene(
  run: (scene: Scene) => Promise<void>,
  content = files as Parameters<typeof makeBareRepo>[1],
): Promise<void> {
  await withFolder(async (folder) => {
    const bare = makeBareRepo(join(folder, 'site.git'), content);
    const server = await startGitServer({ root: folder, users });
    const state = join(folder, 'state');
    const opened: ClosableYamlRepo[] = [];
    const open = (options: Partial<YamlRepoOptions> = {}): ClosableYamlRepo => {
      const repo = createYamlRepo({
        location: { kind: 'remote', url: server.url('site.git') },
        stateDir: state,
        credential: async () => ({ username: 'bot', password: 's3cret:with:colons' }),
        timeoutMs: 20_000,
        ...options,
      });
      opened.push(repo);
      return repo;
    };
    try {
      await run({ bare, server, state, open });
    } finally {
      for (const repo of opened) await repo.close();
      await server.close();
    }
  });
}

export function fsck(scene: Scene): void {
  runGit(scene.bare, ['fsck', '--strict']);
  const [clone = ''] = readdirSync(scene.state);
  runGit(join(scene.state, clone), ['fsck', '--strict']);
}

/** The failure, with no credential in any of its words. */
export async function failureOf(promise: Promise<unknown>): Promise<TallymanError> {
  const failure = await promise.then(
    () => assert.fail('a failure was wanted'),
    (error: TallymanError) => error,
  );
  assert.equal(failure.name, 'TallymanError', String(failure.stack));
  const words = `${failure.message} ${failure.remedy} ${JSON.stringify(failure.cause)} ${String(failure.cause)}`;
  for (const secret of ['s3cret', Buffer.from('bot:s3cret:with:colons').toString('base64')])
    assert.ok(!words.includes(secret), words);
  assert.ok(!/force/i.test(`${failure.message} ${failure.remedy}`));
  return failure;
}
