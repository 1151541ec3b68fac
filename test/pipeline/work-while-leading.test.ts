import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Leader, Leadership } from '../../src/pipeline/cluster-ports.ts';
import type { JobRequest } from '../../src/pipeline/job-ports.ts';
import { findOwnAddress, workWhileLeading } from '../../src/pipeline/work-while-leading.ts';
import { recordingMetrics } from './recording-metrics.ts';

describe('workWhileLeading', () => {
  it('begins each term with a pass over every Yaml repo, tells of it, and ends with it', async () => {
    let leader: Leader = { kind: 'nobody' };
    const metrics = recordingMetrics();
    const told: string[] = [];
    const leadership: Leadership = {
      async run(lead, { address }) {
        told.push(`at ${address}`, ...(await metrics.scrape()));
        for (const name of ['first', 'second']) {
          const term = new AbortController();
          leader = { kind: 'self' };
          const done = lead({ signal: term.signal });
          await new Promise(setImmediate);
          told.push(name, ...(await metrics.scrape()));
          term.abort(new Error('over'));
          await done;
        }
      },
      findLeader: () => leader,
      check: () => undefined,
      signal: () => undefined,
    };
    const work = async ({ signal }: { signal: AbortSignal }) => {
      told.push('works');
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      told.push('rests');
    };
    const observers = [{}, { leave: () => void told.push('leaves it to others') }];
    const passes = {
      async add(jobs: readonly JobRequest[]) {
        told.push(...jobs.map(({ subject, delayMs, ifAbsent }) => `${subject} in ${delayMs} ${ifAbsent ?? 'always'}`));
        throw new Error('the queue is away: the worker adds it later');
      },
    };
    const { signal } = new AbortController();
    const subjects = ['deploy'];
    await workWhileLeading(leadership, {
      ...{ work, observers, subjects, metrics, signal },
      queues: { passes: passes as never },
      address: '10.1.2.3:8080',
    });
    const term = ['deploy in 0 always', 'works'];
    assert.deepEqual(told, [
      ...['at 10.1.2.3:8080', 'tallyman_leader = 0'],
      ...[...term, 'first', 'tallyman_leader = 1', 'rests', 'leaves it to others'],
      ...[...term, 'second', 'tallyman_leader = 1', 'rests', 'leaves it to others'],
    ]);
    assert.deepEqual(metrics.told, ['tallyman_leader_terms_total', 'tallyman_leader_terms_total']);
  });
});

describe('findOwnAddress', () => {
  const rows: readonly (readonly [string | undefined, string | undefined, string | undefined])[] = [
    ['http://[::]:8080', '10.1.2.3', '10.1.2.3:8080'],
    ['http://0.0.0.0:8080', '10.1.2.3', '10.1.2.3:8080'],
    ['http://10.1.2.3:80', '10.1.2.3', '10.1.2.3:80'],
    ['http://[::]:8080', 'fd00::12', '[fd00::12]:8080'],
    ['http://[fd00::12]:8080', 'fd00::12', '[fd00::12]:8080'],
    ['http://127.0.0.1:8080', '10.1.2.3', undefined],
    ['http://[::]:8080', undefined, undefined],
    ['http://[::]:8080', '', undefined],
    [undefined, '10.1.2.3', undefined],
  ];
  for (const [url, podIp, address] of rows)
    it(`is ${address} for ${url} in a pod at ${JSON.stringify(podIp)}`, () =>
      assert.equal(findOwnAddress(url, podIp), address));
});
