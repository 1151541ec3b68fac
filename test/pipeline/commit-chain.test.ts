import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type CommitChain, extendChain, maxCommitsRead, openChain } from '../../src/pipeline/commit-chain.ts';
import type { CommitInfo, RepoHistory } from '../../src/pipeline/ports.ts';

const { signal } = new AbortController();

interface FakeHistory extends Pick<RepoHistory, 'listCommits'> {
  /** Newest first. */
  commits: CommitInfo[];
  readonly asked: number[];
}

/** Each line is `id parents… | message`, newest first. */
function history(...lines: readonly string[]): FakeHistory {
  const fake: FakeHistory = {
    commits: lines.map(toCommit),
    asked: [],
    async listCommits(from, { count }) {
      fake.asked.push(count);
      const start = fake.commits.findIndex(({ id }) => id === from);
      const commits = fake.commits.slice(start, start + count);
      return { commits, complete: start + count >= fake.commits.length, cut: undefined };
    },
  };
  return fake;
}

function toCommit(line: string): CommitInfo {
  const [ids = '', message = 'a person'] = line.split(' | ');
  const [id = '', ...parents] = ids.split(' ');
  return { id, parents, tree: '', message, author: { name: 'Ann', email: 'ann@example.com' }, whenMs: 0 };
}

const line = (count: number, from = 0): string[] =>
  Array.from({ length: count }, (_, index) => `c${from + count - index} c${from + count - index - 1}`);
const resume = 'Tallyman-Resume: shop/web';
const open = (repo: FakeHistory, tip: string, known?: CommitChain) => openChain(repo, { tip, known }, { signal });
const marked = ({ marked: commits }: CommitChain) => commits.map(({ id }) => id);

describe('openChain', () => {
  it('begins with the newest commits, and takes more where they are wanted', async () => {
    const repo = history(...line(200), `c0 | ${resume}`);
    const chain = await open(repo, 'c200');
    assert.deepEqual([chain.ids.length, chain.complete, marked(chain)], [64, false, []]);
    const longer = await extendChain(repo, chain, { signal });
    assert.deepEqual([longer.ids.length, longer.complete, marked(longer)], [201, true, ['c0']]);
    assert.equal(await open(repo, 'c200', longer), longer);
    assert.deepEqual(repo.asked, [64, 256]);
  });

  interface Row {
    readonly before: readonly string[];
    readonly tip: string;
    readonly after: readonly string[];
    readonly asked: readonly number[];
    readonly ids: readonly string[];
    readonly marked?: readonly string[];
  }
  const rows: Record<string, Row> = {
    'joins what is new': {
      before: ['b a', `a | ${resume}`],
      tip: 'd',
      after: [`d c | ${resume}`, 'c b', 'b a', `a | ${resume}`],
      asked: [16],
      ids: ['d', 'c', 'b', 'a'],
      marked: ['d', 'a'],
    },
    'joins a merge of what people did': {
      before: ['b a', 'a'],
      tip: 'm',
      after: ['m b x', 'b a', 'x a', 'a'],
      asked: [16],
      ids: ['m', 'x', 'b', 'a'],
    },
    'reads anew where a merge brought commits of ours': {
      before: ['b a', 'a'],
      tip: 'm',
      after: ['m b x', 'b a', `x a | ${resume}`, 'a'],
      asked: [16, 64],
      ids: ['m', 'b', 'x', 'a'],
      marked: ['x'],
    },
    'reads anew where the branch was rewritten': {
      before: [`b a | ${resume}`, 'a'],
      tip: 'c',
      after: ['c a', 'a'],
      asked: [16, 64],
      ids: ['c', 'a'],
    },
    'reads anew where nothing is left of what was known': {
      before: [`b a | ${resume}`, 'a'],
      tip: 'y',
      after: ['y x', 'x'],
      asked: [16, 64],
      ids: ['y', 'x'],
    },
    'looks further for where it joins': {
      before: ['c0'],
      tip: 'c40',
      after: [...line(40), 'c0'],
      asked: [16, 64],
      ids: [...line(40).map((commit) => commit.split(' ')[0] ?? ''), 'c0'],
    },
  };
  for (const [name, row] of Object.entries(rows)) {
    it(name, async () => {
      const repo = history(...row.before);
      const known = await open(repo, repo.commits[0]?.id ?? '');
      repo.commits = row.after.map(toCommit);
      repo.asked.length = 0;
      const chain = await open(repo, row.tip, known);
      assert.deepEqual([chain.ids, marked(chain), repo.asked], [row.ids, row.marked ?? [], row.asked]);
    });
  }

  it('ends where a shallow repository has no more, though that is not the beginning', async () => {
    const repo = history(...line(6, 4), `c4 c3 | ${resume}`, `c3 | ${resume}`);
    const shallow: FakeHistory = {
      ...repo,
      listCommits: async (from, options) => ({
        ...(await repo.listCommits(from, options)),
        complete: false,
        cut: 'c5',
      }),
    };
    const chain = await open(shallow, 'c10');
    assert.deepEqual([chain.ids.length, chain.complete, chain.cut, marked(chain)], [8, true, 'c5', []]);
    assert.notEqual(await open(shallow, 'c10', chain), chain);
    repo.commits = history('other | rewritten').commits;
    assert.deepEqual((await open(shallow, 'other', chain)).ids, ['other']);
  });

  it('reads anew where too much is new, and no more commits than its limit', async () => {
    const repo = history('c0');
    const known = await open(repo, 'c0');
    repo.commits = [...line(maxCommitsRead + 100), 'c0'].map(toCommit);
    let chain = await open(repo, repo.commits[0]?.id ?? '', known);
    while (!chain.complete) chain = await extendChain(repo, chain, { signal });
    assert.deepEqual([chain.ids.length, repo.asked.at(-1)], [maxCommitsRead, maxCommitsRead]);
  });
});
