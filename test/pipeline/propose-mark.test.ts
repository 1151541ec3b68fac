/** What people make of a commit on a branch of ours, with real git. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { createYamlRepo } from '../../src/git/yaml-repo.ts';
import { readOwnCommit, sealMessage } from '../../src/pipeline/propose-mark.ts';
import { makeBareRepo } from '../services/git-server.ts';
import { place } from './git-scene.ts';

const { signal } = new AbortController();
const folder = mkdtempSync(join(tmpdir(), 'tallyman-mark-'));
after(() => rmSync(folder, { recursive: true }));
const branch = 'tallyman/main/updates';
const whenMs = 1_750_000_000_000;
const files = '12'.repeat(20);
const message = 'Update\n\nTallyman-Update: shop/web ghcr.io/acme/web 1.4.2 -> 1.5.0\nTallyman-Plan: 12ab\n';

interface Work {
  /** On the branch, with the dates that our commit has. */
  git(...args: readonly string[]): void;
  write(file: string, text: string): void;
}

let scenes = 0;
/** Our commit on its branch, then what a person does there; whether it still passes for ours. */
async function passesForOurs(work: (work: Work) => void): Promise<boolean> {
  scenes += 1;
  const bare = makeBareRepo(join(folder, `${scenes}.git`), {
    'web.yaml': place('web', '1.4.2'),
    'other.yaml': 'a: 1\n',
  });
  const repo = createYamlRepo({ location: { kind: 'local', path: bare }, stateDir: folder });
  const base = await repo.fetch({ signal });
  const changes = new Map([['web.yaml', Buffer.from(place('web', '1.5.0'))]]);
  const author = { name: 'Bot', email: 'bot@example.com' };
  const seal = (tree: string) => sealMessage({ message, parent: base.commit, tree, whenMs }, files);
  const commit = { base, changes, message, seal, author, whenMs };
  await repo.pushBranch({ branch, expected: undefined, commit }, { signal });
  const tree = join(folder, `tree-${scenes}`);
  const date = `${whenMs / 1000} +0000`;
  const identity = { GIT_COMMITTER_NAME: 'Ann', GIT_COMMITTER_EMAIL: 'ann@example.com', GIT_COMMITTER_DATE: date };
  const env = {
    ...process.env,
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_AUTHOR_NAME: 'Ann',
    GIT_AUTHOR_EMAIL: 'a@b.c',
    ...identity,
  };
  const git = (...args: readonly string[]) => void execFileSync('git', args, { cwd: tree, env, stdio: 'pipe' });
  execFileSync('git', ['clone', '-q', '-b', branch, bare, tree], { env, stdio: 'pipe' });
  work({ git, write: (file, text) => writeFileSync(join(tree, file), text) });
  git('push', '-q', '--force', 'origin', `HEAD:${branch}`);
  const tip = (await repo.listBranches(branch, { signal })).get(branch) ?? '';
  const own = readOwnCommit(await repo.readCommit(tip, { signal }));
  await repo.close();
  return own !== undefined;
}

describe('a commit of ours', () => {
  const rows: Record<string, [boolean, (work: Work) => void]> = {
    'is known as it was made': [true, () => undefined],
    'is another with another file in it, though its dates are the same': [
      false,
      ({ git, write }) => {
        write('other.yaml', 'a: 2\n');
        git('commit', '-q', '-a', '--amend', '--no-edit');
      },
    ],
    'is another with its own file changed by a fixup that keeps the dates': [
      false,
      ({ git, write }) => {
        write('web.yaml', `# by hand\n${place('web', '1.5.0')}`);
        git('commit', '-q', '-a', '--fixup', 'HEAD');
        git('-c', 'sequence.editor=true', 'rebase', '-q', '-i', '--autosquash', '--committer-date-is-author-date', 'HEAD~2');
      },
    ],
    'is another with other words': [false, ({ git }) => git('commit', '-q', '--amend', '-m', `Mine\n\n${message}`)],
  }; // biome-ignore format: rows
  for (const [name, [ours, work]] of Object.entries(rows)) {
    it(name, async () => assert.equal(await passesForOurs(work), ours));
  }
});
