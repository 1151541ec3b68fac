import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createEventBook, type Entry, maxWaiting } from '../../src/cluster/event-book.ts';
import type { StatusEvent } from '../../src/pipeline/cluster-ports.ts';
import { testPolicy } from '../make-policy.ts';
import { testClock } from '../pipeline/fake-registry.ts';

const minute = 60_000;
const eventOf = (id: string, repeats = true): StatusEvent => ({
  reason: 'RegistryUnavailable',
  type: 'Warning',
  about: testPolicy().object,
  action: 'UpdateImage',
  note: id,
  id,
  repeats,
});

function open() {
  const clock = testClock();
  clock.chance = 1;
  const dropped: number[] = [];
  const book = createEventBook({
    clock,
    forgetMs: 33 * minute,
    onDropped: (count) => dropped.push(count),
    onNews: () => {},
  });
  /** Takes and tells all that is due: `web ×3`. */
  const tellAll = (): string[] => {
    const told: string[] = [];
    for (let next = book.take(); typeof next === 'object'; next = book.take()) {
      told.push(`${next.event.id} ×${next.seen}`);
      tell(next);
      book.settle(next);
    }
    return told;
  };
  const tell = (entry: Entry) =>
    Object.assign(entry, { known: { count: entry.seen, resourceVersion: '1' }, told: entry.seen });
  /** A pass each minute, which finds these; what was told at which minute. */
  const passes = (minutes: number, events: () => readonly StatusEvent[]): string[] => {
    const told: string[] = [];
    for (let at = 0; at < minutes; at += 1) {
      book.keep('deploy', events());
      told.push(...tellAll().map((text) => `${at} min: ${text}`));
      clock.time += minute;
    }
    return told;
  };
  return { clock, book, dropped, tellAll, tell, passes };
}

describe('createEventBook', () => {
  it('tells what happened once, in its order', () => {
    const { book, tellAll } = open();
    book.record([eventOf('a', false), eventOf('b', false)]);
    assert.deepEqual([tellAll(), tellAll()], [['a ×1', 'b ×1'], []]);
  });

  it('tells what stays at once, and then at a pace that slows down to less than half an hour', () => {
    const { passes } = open();
    assert.deepEqual(
      passes(100, () => [eventOf('web')]),
      ['0 min: web ×1', '5 min: web ×6', '15 min: web ×16', '35 min: web ×36', '63 min: web ×64', '91 min: web ×92'],
    );
  });

  it('tells what does not repeat when it begins, and again only where it began again', () => {
    const { passes, clock } = open();
    const waiting = () => [eventOf('waiting', false)];
    assert.deepEqual(passes(200, waiting), ['0 min: waiting ×1']);
    assert.deepEqual(
      passes(1, () => []),
      [],
    );
    clock.time += 61 * minute;
    passes(1, () => []);
    assert.deepEqual(passes(3, waiting), ['0 min: waiting ×1']);
  });

  it('ends a series where the problem is over, after what was not told of it', () => {
    const { passes } = open();
    passes(3, () => [eventOf('web')]);
    assert.deepEqual(
      passes(60, () => []),
      ['2 min: web ×3'],
    );
  });

  it('goes on with a series at its pace where a problem comes and goes', () => {
    const { passes } = open();
    let pass = 0;
    const told = passes(40, () => {
      pass += 1;
      return pass % 2 === 0 ? [] : [eventOf('web')];
    });
    assert.deepEqual(told, ['0 min: web ×1', '5 min: web ×3', '15 min: web ×8', '35 min: web ×18']);
  });

  it('goes on where passes are rare, or fail, but not for long after the last word', () => {
    const { book, clock, tellAll, passes } = open();
    passes(1, () => [eventOf('web')]);
    const told: number[] = [];
    for (let at = 1; at < 200; at += 1, clock.time += minute) if (tellAll().length > 0) told.push(at);
    assert.deepEqual(told, [28]);
    book.keep('deploy', [eventOf('web')]);
    assert.deepEqual(tellAll(), ['web ×1'], 'that long ago is another time');
  });

  it('says when there is something to tell', () => {
    const { book, clock, tellAll } = open();
    assert.equal(book.take(), undefined);
    book.keep('deploy', [eventOf('web')]);
    tellAll();
    assert.equal(book.take(), clock.time + 28 * minute);
    book.keep('deploy', [eventOf('web')]);
    assert.equal(book.take(), clock.time + 5 * minute);
  });

  it('tells what is over before it could be told, too', () => {
    const { book, tellAll } = open();
    book.keep('deploy', [eventOf('web')]);
    book.keep('deploy', []);
    assert.deepEqual(tellAll(), ['web ×1']);
  });

  it('keeps sources apart', () => {
    const { book, tellAll } = open();
    book.keep('deploy', [eventOf('web')]);
    book.keep('other', []);
    assert.deepEqual(tellAll(), ['web ×1']);
    book.keep('other', [eventOf('web')]);
    assert.deepEqual(tellAll(), ['web ×1']);
  });

  it('goes on with others after what could not be told', () => {
    const { book, tell } = open();
    book.record([eventOf('a', false), eventOf('b', false)]);
    book.keep('deploy', [eventOf('web'), eventOf('api')]);
    const tried: string[] = [];
    for (let next = book.take(); typeof next === 'object' && tried.length < 8; next = book.take()) {
      tried.push(next.event.id);
      if (['a', 'web'].includes(next.event.id)) book.giveBack(next);
      else {
        tell(next);
        book.settle(next);
      }
    }
    assert.deepEqual(tried, ['a', 'web', 'b', 'a', 'api', 'a', 'web', 'a']);
    assert.equal(book.countUntold(), 2);
  });

  it('drops the oldest of too many, and says how many', () => {
    const { book, dropped, tellAll } = open();
    book.record(Array.from({ length: maxWaiting + 3 }, (_, index) => eventOf(`${index}`, false)));
    assert.deepEqual([dropped, book.countUntold(), tellAll()[0]], [[3], maxWaiting, '3 ×1']);
  });

  it('leaves out what is too many at a time, and says that once', () => {
    const { book, dropped } = open();
    const many = Array.from({ length: maxWaiting + 3 }, (_, index) => eventOf(`${index}`));
    book.keep('deploy', many);
    book.keep('deploy', many);
    assert.deepEqual([dropped, book.countUntold()], [[3], maxWaiting]);
  });

  it('forgets what was never told, and nothing else', () => {
    const { book, tellAll } = open();
    book.keep('deploy', [eventOf('web')]);
    tellAll();
    book.keep('deploy', [eventOf('web'), eventOf('api')]);
    book.record([eventOf('a', false)]);
    assert.deepEqual([book.forget(), book.countUntold(), tellAll()], [2, 0, []]);
  });
});
