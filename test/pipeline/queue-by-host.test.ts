import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createQueueByHost } from '../../src/pipeline/queue-by-host.ts';

/** Tasks that tests end. */
function open(limit: number) {
  const queue = createQueueByHost(limit);
  const begun: string[] = [];
  const ends = new Map<string, { resolve(value: string): void; reject(error: unknown): void }>();
  const run = (host: string, name: string) =>
    queue(host, () => {
      begun.push(name);
      return new Promise<string>((resolve, reject) => ends.set(name, { resolve, reject }));
    });
  const end = async (name: string) => {
    ends.get(name)?.resolve(`done ${name}`);
    await new Promise(setImmediate);
  };
  return { begun, ends, run, end };
}

describe('createQueueByHost', () => {
  it('begins so many at a time, the next as one ends, in order', async () => {
    const { begun, run, end } = open(2);
    const results = ['a', 'b', 'c', 'd'].map((name) => run('one.example', name));
    assert.deepEqual(begun, ['a', 'b']);
    await end('b');
    assert.deepEqual(begun, ['a', 'b', 'c']);
    await end('a');
    await end('c');
    await end('d');
    assert.deepEqual(await Promise.all(results), ['done a', 'done b', 'done c', 'done d']);
  });

  it('lets no host wait for another', () => {
    const { begun, run } = open(1);
    for (const [host, name] of [
      ['one.example', 'a'],
      ['one.example', 'b'],
      ['two.example', 'c'],
    ] as const)
      void run(host, name);
    assert.deepEqual(begun, ['a', 'c']);
  });

  it('hands the turn on where a task fails, and begins anew when all are done', async () => {
    const { begun, ends, run, end } = open(1);
    const [first, second] = [run('one.example', 'a'), run('one.example', 'b')];
    ends.get('a')?.reject(new Error('no'));
    await assert.rejects(Promise.resolve(first), /no/);
    await end('b');
    assert.equal(await second, 'done b');
    void run('one.example', 'c');
    assert.deepEqual(begun, ['a', 'b', 'c']);
  });
});
