/** What every forge adapter must do; run against real forges and fakes alike. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TallymanError } from '../../src/error/tallyman-error.ts';
import type { Forge, PullRequest } from '../../src/pipeline/ports.ts';

/** One repository with a branch `main`, and what people do there. */
export interface ForgeScene {
  readonly forge: Forge;
  /** Makes the branch with a commit of its own, or gives it another; the commit's id. */
  push(branch: string): Promise<string>;
  /** Squashes it; the commit that this put on `main`. */
  merge(number: number): Promise<string>;
  /** What a person does: closes it without a merge. */
  close(number: number): Promise<void>;
  /** Texts of its comments. */
  comments(number: number): Promise<readonly string[]>;
  /** Opens one from a fork's branch of that name; its number. */
  openFromFork(branch: string): Promise<number>;
  /** The same forge, asked with a token that is none. */
  readonly stranger: Forge;
  readonly secrets: readonly string[];
}

const signal = new AbortController().signal;
const text = {
  title: 'shop/web: 1.4.2 → 1.5.0',
  body: '- `shop/web`: `1.4.2` → `1.5.0`\n\n```text\nTallyman-Plan: 3b18\n```',
};

/** Declares the tests; each takes branches of its own. */
export function testForge(name: string, sceneOf: () => ForgeScene): void {
  let count = 0;
  const nextPrefix = (): string => {
    count += 1;
    return `tallyman/main${count}/`;
  };
  const list = (prefix: string, closedOf: readonly string[] = []): Promise<readonly PullRequest[]> =>
    sceneOf().forge.listPullRequests({ baseBranch: 'main', prefix, closedOf }, { signal });
  const open = async (branch: string): Promise<PullRequest> => {
    const request = { ...text, headBranch: branch, baseBranch: 'main' };
    const outcome = await sceneOf().forge.openPullRequest(request, { signal });
    assert.equal(outcome.kind, 'opened');
    return outcome.kind === 'opened' ? outcome.pullRequest : assert.fail();
  };
  const numbersOf = (found: readonly PullRequest[]): number[] => found.map(({ number }) => number);

  describe(`forge contract: ${name}`, () => {
    it('opens one, and lists it as it was opened', async () => {
      const prefix = nextPrefix();
      const commit = await sceneOf().push(`${prefix}shop`);
      const opened = await open(`${prefix}shop`);
      assert.deepEqual(await list(prefix), [opened]);
      const { number, url, ...facts } = opened;
      assert.ok(number > 0);
      assert.match(url, new RegExp(`^https?://.*/${number}$`));
      const branches = { headBranch: `${prefix}shop`, headCommit: commit, baseBranch: 'main' };
      assert.deepEqual(facts, { ...text, ...branches, state: 'open', mergeCommit: undefined });
    });

    it('lists what begins with the prefix and goes into the base, newest first', async () => {
      const [prefix, other] = [nextPrefix(), nextPrefix()];
      const numbers = [];
      for (const branch of [`${prefix}a`, `${other}b`, `${prefix}c`]) {
        await sceneOf().push(branch);
        numbers.push((await open(branch)).number);
      }
      assert.deepEqual(numbersOf(await list(prefix)), [numbers[2], numbers[0]]);
      const elsewhere = { baseBranch: 'release', prefix, closedOf: [] };
      assert.deepEqual(await sceneOf().forge.listPullRequests(elsewhere, { signal }), []);
    });

    it('opens no second one from the same branch', async () => {
      const branch = `${nextPrefix()}shop`;
      await sceneOf().push(branch);
      await open(branch);
      const again = { ...text, headBranch: branch, baseBranch: 'main' };
      assert.deepEqual(await sceneOf().forge.openPullRequest(again, { signal }), { kind: 'exists' });
    });

    it('follows the branch, and replaces title and body', async () => {
      const prefix = nextPrefix();
      await sceneOf().push(`${prefix}shop`);
      const { number } = await open(`${prefix}shop`);
      const commit = await sceneOf().push(`${prefix}shop`);
      const next = { title: 'shop/web: 1.4.2 → 1.6.0', body: 'Another\n\n- text' };
      await sceneOf().forge.updatePullRequest(number, next, { signal });
      await sceneOf().forge.updatePullRequest(number, next, { signal });
      await untilHead(() => list(prefix), commit);
      const [found] = await list(prefix);
      assert.deepEqual({ title: found?.title, body: found?.body }, next);
    });

    it('closes one with a comment; it is listed as closed where those are asked for, of whatever branch', async () => {
      const prefix = nextPrefix();
      await sceneOf().push(`${prefix}shop`);
      const { number } = await open(`${prefix}shop`);
      await sceneOf().forge.closePullRequest(number, { comment: 'Nothing to change any more', signal });
      assert.deepEqual(await sceneOf().comments(number), ['Nothing to change any more']);
      assert.deepEqual(await list(prefix), []);
      const found = await list(prefix, [`${prefix}other`]);
      assert.deepEqual(await list(prefix, [`${prefix}shop`]), found);
      assert.deepEqual(await list(`${prefix}other`, [`${prefix}other`]), []);
      assert.deepEqual(
        found.map(({ number, state, body }) => ({ number, state, body })),
        [{ number, state: 'closed', body: text.body }],
      );
    });

    it('lists those that a person closed and the commits of those that were merged, beside an open one of the same branch', async () => {
      const prefix = nextPrefix();
      const branch = `${prefix}shop`;
      await sceneOf().push(branch);
      const merged = await open(branch);
      const commit = await sceneOf().merge(merged.number);
      await sceneOf().push(branch);
      const closed = await open(branch);
      await sceneOf().close(closed.number);
      const opened = await open(branch);
      const found = await list(prefix, [branch]);
      assert.deepEqual(
        found.map(({ number, state, mergeCommit }) => [number, state, mergeCommit]),
        [
          [opened.number, 'open', undefined],
          [closed.number, 'closed', undefined],
          [merged.number, 'merged', commit],
        ],
      );
    });

    it('takes no notice of forks, whatever their branches are called', async () => {
      const prefix = nextPrefix();
      const number = await sceneOf().openFromFork(`${prefix}shop`);
      assert.deepEqual(await list(prefix, [`${prefix}shop`]), []);
      await sceneOf().close(number);
      assert.deepEqual(await list(prefix, [`${prefix}shop`]), []);
    });

    it('opens none from a branch that is not there', async () => {
      const request = { ...text, headBranch: `${nextPrefix()}gone`, baseBranch: 'main' };
      await assert.rejects(sceneOf().forge.openPullRequest(request, { signal }), isFailure(/^Forge(Invalid|Denied)$/));
    });

    it('tells a token that is none, without telling it', async () => {
      const question = { baseBranch: 'main', prefix: 'tallyman/main/', closedOf: [] };
      const failure: unknown = await sceneOf()
        .stranger.listPullRequests(question, { signal })
        .catch((error) => error);
      assert.ok(failure instanceof TallymanError && failure.code === 'ForgeDenied', String(failure));
      for (const secret of sceneOf().secrets) assert.ok(!String(failure.stack).includes(secret));
    });

    it('throws the reason of a signal that aborted', async () => {
      const question = { baseBranch: 'main', prefix: 'tallyman/main/', closedOf: [] };
      const aborted = AbortSignal.abort(new Error('stopped'));
      await assert.rejects(sceneOf().forge.listPullRequests(question, { signal: aborted }), /^Error: stopped$/);
    });
  });
}

function isFailure(code: RegExp): (error: unknown) => boolean {
  return (error) => error instanceof TallymanError && code.test(error.code);
}

/** Forges look at a push a moment after it was taken. */
async function untilHead(look: () => Promise<readonly PullRequest[]>, commit: string): Promise<void> {
  const deadline = Date.now() + 10_000;
  while ((await look())[0]?.headCommit !== commit) {
    if (Date.now() > deadline) assert.fail(`no pull request has commit ${commit}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
