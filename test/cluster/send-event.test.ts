import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ApiAnswer, ApiRequest, KubernetesApi } from '../../src/cluster/api.ts';
import { createEventBook, type Entry } from '../../src/cluster/event-book.ts';
import { createEventSender } from '../../src/cluster/send-event.ts';
import { type ObjectName, TallymanError } from '../../src/error/tallyman-error.ts';
import { testPolicy } from '../make-policy.ts';
import { testClock } from '../pipeline/fake-registry.ts';

const { signal } = new AbortController();
const denied = new TallymanError('ClusterDenied', 'Cannot POST: forbidden: cannot create resource "events"');
const unavailable = new TallymanError('ClusterUnavailable', 'Cannot POST: ECONNREFUSED');
const done: ApiAnswer<unknown> = { kind: 'done', body: { metadata: { resourceVersion: '1' } } };

const refusedBy = (status: number): ApiAnswer<unknown> => ({ kind: 'refused', status, reason: 'No', message: 'no' });
const home = { apiVersion: 'v1', kind: 'Pod', namespace: 'tallyman', name: 'tallyman-0' };

/** What no real API server does when a test wants it: it refuses while it starts. */
function open(...answers: (ApiAnswer<unknown> | Error)[]) {
  const clock = testClock();
  const asked: string[] = [];
  const api: Pick<KubernetesApi, 'request'> = {
    async request<Body>({ method, path }: ApiRequest) {
      asked.push(`${method} ${/namespaces\/([^/]+)/.exec(path)?.[1]}`);
      const answer = answers.shift() ?? done;
      if (answer instanceof Error) throw answer;
      return answer as ApiAnswer<Body>;
    },
  };
  const reporter = { object: home, instance: 'tallyman-0' };
  const sender = createEventSender({ api, clock, reporter, findObject: () => undefined });
  const book = createEventBook({ clock, forgetMs: 1, onDropped: () => {}, onNews: () => {} });
  const about = testPolicy().object;
  const words = { reason: 'ImageUpdated', type: 'Normal', action: 'UpdateImage', note: 'a', id: 'a' } as const;
  const take = (id = 'a', object: ObjectName | undefined = about): Entry => {
    book.record([{ ...words, id, about: object, repeats: false }]);
    return book.take() as Entry;
  };
  const first = take();
  const send = (entry = first) => sender.send(entry, { signal }).catch((error: TallymanError) => error.code);
  return { clock, asked, take, send, trouble: () => sender.findTrouble()?.code };
}

describe('createEventSender', () => {
  it('takes no refusal for one while the API server starts', async () => {
    const { clock, asked, send, trouble } = open(unavailable, denied, denied);
    const outcomes = [await send(), await send(), await send()];
    clock.time += 29_000;
    outcomes.push(await send());
    assert.deepEqual(outcomes, ['ClusterUnavailable', 'ClusterDenied', 'ClusterDenied', 'created']);
    assert.deepEqual([asked, trouble()], [Array(4).fill('POST shop'), undefined]);
  });

  it('takes it for one where it stays', async () => {
    const { clock, asked, send, trouble } = open(unavailable, denied);
    await send();
    clock.time += 31_000;
    assert.deepEqual([await send(), trouble()], ['created', 'ClusterDenied']);
    assert.deepEqual(asked, ['POST shop', 'POST shop', 'POST tallyman']);
  });

  it('keeps no namespace from itself where it may tell nowhere', async () => {
    const { asked, send } = open(denied, denied);
    assert.deepEqual([await send(), await send()], ['ClusterDenied', 'created']);
    assert.deepEqual(asked, ['POST shop', 'POST tallyman', 'POST shop']);
  });

  it('says no more of a refusal once another Event is there already', async () => {
    const { take, send, trouble } = open(refusedBy(422), refusedBy(409));
    assert.deepEqual([await send(), trouble()], ['refused', 'ClusterDenied']);
    assert.deepEqual([await send(take('b')), trouble()], ['repeated', undefined]);
  });

  it('says no more of a namespace that nobody asked for in an hour', async () => {
    const { clock, take, send, trouble } = open(denied);
    await send();
    clock.time += 69 * 60_000;
    await send(take('b', home));
    assert.equal(trouble(), 'ClusterDenied');
    clock.time += 2 * 60_000;
    await send(take('c', home));
    assert.equal(trouble(), undefined);
  });
});
