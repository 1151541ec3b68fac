import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TallymanError } from '../../src/error/tallyman-error.ts';
import type { WritePermit } from '../../src/pipeline/cluster-ports.ts';
import { fenceForge, fenceRepo } from '../../src/pipeline/fence-writes.ts';

interface Options {
  readonly signal: AbortSignal;
}

/** Every method of both ports, each of which says that it was called and with what signal. */
function open() {
  const calls: string[] = [];
  const given: { signal?: AbortSignal; comment?: unknown } = {};
  const note =
    (name: string) =>
    async (...args: readonly unknown[]) => {
      calls.push(name);
      Object.assign(
        given,
        args.find((arg) => typeof arg === 'object' && arg !== null && 'signal' in arg),
      );
      if ((given.signal as AbortSignal).aborted) throw given.signal?.reason;
      return name;
    };
  const methods = (names: readonly string[]) => Object.fromEntries(names.map((name) => [name, note(name)]));
  const over = new AbortController();
  const lost = () => new TallymanError('LeadershipLost', 'Cannot write: it is over, a Lease was wanted');
  const state = { mayWrite: true };
  const permit: WritePermit = {
    check() {
      if (!state.mayWrite) throw lost();
    },
    signal: () => over.signal,
  };
  const repo = fenceRepo(methods([...reads.repo, ...writes.repo]) as never, permit) as Methods;
  const forge = fenceForge(methods([...reads.forge, ...writes.forge]) as never, permit) as Methods;
  const end = () => {
    state.mayWrite = false;
    over.abort(lost());
  };
  return { calls, given, end, repo, forge };
}

type Methods = Record<string, (...args: readonly unknown[]) => Promise<unknown>>;

const writes = {
  repo: ['push', 'pushBranch', 'deleteBranch'],
  forge: ['openPullRequest', 'updatePullRequest', 'closePullRequest'],
};
const reads = {
  repo: ['fetch', 'readBlobs', 'listCommits', 'findFiles', 'findGoneFiles', 'listBranches', 'readCommit', 'close'],
  forge: ['listPullRequests', 'close'],
};
const argsOf = (name: string, options: Options): readonly unknown[] => {
  if (name === 'updatePullRequest') return [1, {}, options];
  if (name === 'closePullRequest') return [1, { ...options, comment: 'why' }];
  return ['fetch', 'close'].includes(name) ? [options] : [{}, options];
};

for (const place of ['repo', 'forge'] as const)
  describe(`the fenced ${place}`, () => {
    for (const name of writes[place])
      it(`${name} is done while there is leave, and cut off when it ends`, async () => {
        const { calls, given, end, ...ports } = open();
        const stop = new AbortController();
        const call = () => ports[place][name]?.(...argsOf(name, { signal: stop.signal }));
        assert.equal(await call(), name);
        if (name === 'closePullRequest') assert.equal(given.comment, 'why');
        assert.equal(given.signal?.aborted, false);
        end();
        assert.throws(() => given.signal?.throwIfAborted(), { code: 'LeadershipLost' });
        await assert.rejects(async () => await call(), { code: 'LeadershipLost' });
        assert.deepEqual(calls, [name]);
      });

    it('is still told to stop by who called', async () => {
      const { given, ...ports } = open();
      const stop = new AbortController();
      const [name = ''] = writes[place];
      await ports[place][name]?.(...argsOf(name, { signal: stop.signal }));
      stop.abort(new Error('stopped'));
      assert.throws(() => given.signal?.throwIfAborted(), /stopped/);
    });

    it('reads without leave', async () => {
      const { end, ...ports } = open();
      end();
      const { signal } = new AbortController();
      for (const name of reads[place]) assert.equal(await ports[place][name]?.(...argsOf(name, { signal })), name);
    });
  });
