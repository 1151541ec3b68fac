/** Local repositories with a few files, for the tests of the local Yaml repo. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { TallymanError } from '../../src/error/tallyman-error.ts';
import { type ClosableYamlRepo, createYamlRepo } from '../../src/git/yaml-repo.ts';
import { makeBareRepo, runGit } from '../services/git-server.ts';

export const files = {
  'apps/web.yaml': 'image: web:1\n',
  'apps/run.sh': { mode: '100755', text: 'echo 1\n' },
  'apps.b': 'a',
  'mit Leerzeichen/größe.yaml': 'c',
  link: { mode: '120000', text: 'apps/web.yaml' },
};

export function open(path: string, branch?: string): ClosableYamlRepo {
  return createYamlRepo({ location: { kind: 'local', path }, branch, stateDir: '/nonexistent' });
}

/** A work tree with `files` checked out on main. */
export function makeWorkTree(folder: string, content: Parameters<typeof makeBareRepo>[1] = files): string {
  makeBareRepo(join(folder, 'origin.git'), content);
  runGit(folder, ['clone', '-q', 'origin.git', 'work']);
  return join(folder, 'work');
}

export async function failureOf(promise: Promise<unknown>): Promise<TallymanError> {
  return promise.then(
    () => assert.fail('a failure was wanted'),
    (error: TallymanError) => error,
  );
}

export const status = (work: string): string => runGit(work, ['status', '--porcelain']);
