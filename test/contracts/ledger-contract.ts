/** What every ledger must do; run against each adapter, and the one in memory. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TallymanError } from '../../src/error/tallyman-error.ts';
import type { Ledger } from '../../src/pipeline/job-ports.ts';
import type { LedgerEntry, RepositoryLook } from '../../src/sighting/sighting.ts';

export interface LedgerScene {
  readonly ledger: Ledger;
  /** Another one that keeps its entries at the same place, as another process has it. */
  readonly other: Ledger;
  /** Writes something into the place of the repository's entries that is none. */
  damage(repository: string): Promise<void>;
}

const { signal } = new AbortController();
const digestOf = (byte: string): string => `sha256:${byte.repeat(32)}`;
const [first, second] = [digestOf('aa'), digestOf('bb')];
const look = (nowMs: number, tags: Readonly<Record<string, string | undefined>>): RepositoryLook => ({
  sightings: Object.entries(tags).map(([tag, digest]) => ({ tag, digest })),
  nowMs,
});
const entry = (seenMs: number, parts: Partial<LedgerEntry> = {}): LedgerEntry => ({
  seenMs,
  digest: undefined,
  digestSeenMs: undefined,
  movedFrom: undefined,
  ...parts,
});

/** Declares the tests; each takes a repository of its own. */
export function testLedger(name: string, sceneOf: () => LedgerScene): void {
  let count = 0;
  const nextRepository = (): string => {
    count += 1;
    return `ghcr.io/acme/web-${count}`;
  };

  describe(`ledger contract: ${name}`, () => {
    it('knows nothing at first', async () => {
      assert.deepEqual(await sceneOf().ledger.read(nextRepository(), { signal }), new Map());
    });

    it('has one time for all who share it, or leaves it to each', async () => {
      const { ledger, other } = sceneOf();
      const times = [];
      for (const one of [ledger, other, ledger]) times.push(await one.nowMs({ signal }));
      if (times.includes(undefined)) assert.deepEqual(times, [undefined, undefined, undefined]);
      else assert.deepEqual(times, times.toSorted());
    });

    it('keeps what was seen first, and gives it back', async () => {
      const { ledger, other } = sceneOf();
      const repository = nextRepository();
      await ledger.record(repository, look(100, { '1.0.0': undefined, '1.1.0': first }), { signal });
      const after = await ledger.record(repository, look(200, { '1.0.0': undefined, '1.2.0': undefined }), { signal });
      const wanted = new Map([
        ['1.0.0', entry(100)],
        ['1.1.0', entry(100, { digest: first, digestSeenMs: 100 })],
        ['1.2.0', entry(200)],
      ]);
      assert.deepEqual(after, wanted);
      assert.deepEqual(await ledger.read(repository, { signal }), wanted);
      assert.deepEqual(await other.read(repository, { signal }), wanted);
    });

    it('begins anew where another digest is behind the tag', async () => {
      const { ledger, other } = sceneOf();
      const repository = nextRepository();
      await ledger.record(repository, look(100, { main: first }), { signal });
      const moved = new Map([['main', entry(300, { digest: second, digestSeenMs: 300, movedFrom: first })]]);
      assert.deepEqual(await other.record(repository, look(300, { main: second }), { signal }), moved);
      assert.deepEqual(await ledger.record(repository, look(400, { main: second }), { signal }), moved);
    });

    it('keeps repositories apart, also those of names that are long or begin alike', async () => {
      const { ledger } = sceneOf();
      const repository = nextRepository();
      const names = [
        repository,
        `${repository}/a`,
        `${repository}${'/b'.repeat(1500)}`,
        `${repository}${'/b'.repeat(1501)}`,
      ];
      for (const [index, one] of names.entries())
        await ledger.record(one, look(index, { [`t${index}`]: undefined }), { signal });
      for (const [index, one] of names.entries())
        assert.deepEqual(await ledger.read(one, { signal }), new Map([[`t${index}`, entry(index)]]));
    });

    it('loses nothing where two record the same repository at once', async () => {
      const { ledger, other } = sceneOf();
      const repository = nextRepository();
      const recording = Array.from({ length: 40 }, (_, index) =>
        (index % 2 === 0 ? ledger : other).record(
          repository,
          look(index, { [`t${index}`]: undefined, all: undefined }),
          { signal },
        ),
      );
      const told = await Promise.all(recording);
      const known = await ledger.read(repository, { signal });
      assert.equal(known.size, 41);
      for (let index = 0; index < 40; index += 1) assert.ok((known.get(`t${index}`)?.seenMs ?? -1) <= index);
      // Whoever was first: nobody is told another time.
      assert.deepEqual(new Set(told.map((entries) => entries.get('all')?.seenMs)), new Set([known.get('all')?.seenMs]));
    });

    it('takes a repository of 20,000 tags', async () => {
      const { ledger } = sceneOf();
      const repository = nextRepository();
      const tags = Object.fromEntries(Array.from({ length: 20_000 }, (_, index) => [`sha-${index}`, undefined]));
      await ledger.record(repository, { ...look(100, tags), whole: true }, { signal });
      assert.equal((await ledger.read(repository, { signal })).size, 20_000);
    });

    it('forgets tags that vanished only where they are too many', async () => {
      const { ledger } = sceneOf();
      const repository = nextRepository();
      await ledger.record(repository, look(100, { old: first }), { signal });
      const after = await ledger.record(repository, { ...look(200, { new: undefined }), whole: true }, { signal });
      assert.deepEqual([...after.keys()].sort(), ['new', 'old']);
    });

    it('takes no damaged entries for true, and leaves those of others alone', async () => {
      const { ledger, other, damage } = sceneOf();
      const [bad, good] = [nextRepository(), nextRepository()];
      await ledger.record(bad, look(100, { a: undefined }), { signal });
      await damage(bad);
      const isTold = (error: unknown): boolean =>
        error instanceof TallymanError && error.code === 'LedgerUnavailable' && error.message.includes(bad);
      await assert.rejects(other.read(bad, { signal }), isTold);
      const [failed, recorded] = await Promise.allSettled([
        ledger.record(bad, look(200, { b: undefined }), { signal }),
        ledger.record(good, look(200, { b: undefined }), { signal }),
      ]);
      assert.ok(failed.status === 'rejected' && isTold(failed.reason));
      assert.equal(recorded.status, 'fulfilled');
    });

    it('throws the reason of a signal that aborted', async () => {
      const { ledger } = sceneOf();
      const aborted = AbortSignal.abort(new Error('stopped'));
      await assert.rejects(ledger.read('ghcr.io/acme/web', { signal: aborted }), /^Error: stopped$/);
      await assert.rejects(
        ledger.record('ghcr.io/acme/web', look(1, { a: undefined }), { signal: aborted }),
        /^Error: stopped$/,
      );
    });
  });
}
