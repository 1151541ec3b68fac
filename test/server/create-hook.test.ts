import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { TallymanError } from '../../src/error/tallyman-error.ts';
import { openServer, push, secret, sign } from './open-server.ts';

async function open(t: TestContext) {
  const server = await openServer();
  t.after(() => server.close());
  return server;
}

describe('a hook', () => {
  it('refuses what is not genuine, and tells it once a minute, with nothing of it', async (t) => {
    const { post, hints, lines, now } = await open(t);
    const send = async (times: number) => {
      for (let time = 0; time < times; time += 1) {
        const body = JSON.stringify({ repository: 'https://git.example/body-text' });
        const answer = await post(`/webhooks/generic?secret=${secret}`, body, sign(body, 'guessed-key'));
        assert.deepEqual([answer.status, await answer.json()], [401, { error: 'signature or secret is wrong' }]);
      }
    };
    await send(5);
    assert.equal(lines.length, 1);
    now.ms += 61_000;
    await send(2);
    const [first = '', second = ''] = lines;
    assert.match(first, /^warn webhook "generic": delivery refused: signature or secret is wrong .*"count":1\}/);
    assert.match(second, /"count":5\}/);
    assert.equal((await post('/webhooks/gitlab', push)).status, 401);
    assert.equal(lines.length, 3, 'another hook has a minute of its own');
    assert.doesNotMatch(lines.join('\n'), new RegExp(`${secret}|body-text|guessed|[0-9a-f]{64}`));
    assert.deepEqual(hints, []);
  });

  it('is not kept from genuine deliveries by a flood of others', async (t) => {
    const { post } = await open(t);
    await Promise.all(Array.from({ length: 150 }, () => post('/webhooks/generic', push, sign(push, 'x'))));
    assert.equal((await post('/webhooks/generic', push, sign(push))).status, 202);
  });

  it('bounds genuine deliveries, each hook on its own', async (t) => {
    const { post, now, hints } = await open(t);
    const answers = await Promise.all(Array.from({ length: 103 }, () => post('/webhooks/generic', push, sign(push))));
    const refused = answers.filter(({ status }) => status === 429);
    assert.deepEqual([hints.length, refused.length, refused[0]?.headers.get('retry-after')], [100, 3, '1']);
    const other = await post('/webhooks/distribution', '{"events":[]}', { authorization: `Bearer ${secret}` });
    assert.equal(other.status, 200);
    now.ms += 1000;
    assert.equal((await post('/webhooks/generic', push, sign(push))).status, 202);
  });

  it('reads its secret at each delivery, and says where it cannot', async (t) => {
    const { post, now, lines } = await open(t);
    now.secret = () => 'another one';
    assert.equal((await post('/webhooks/generic', push, sign(push))).status, 401);
    assert.equal((await post('/webhooks/generic', push, sign(push, 'another one'))).status, 202);
    now.ms += 61_000;
    now.secret = () => {
      throw new TallymanError('ConfigInvalid', 'Cannot read secret file "/x": ENOENT, a readable file was wanted');
    };
    const answer = await post('/webhooks/generic', push, sign(push));
    assert.deepEqual(
      [answer.status, await answer.json()],
      [503, { error: 'the secret of this webhook cannot be read' }],
    );
    assert.match(lines.at(-1) ?? '', /^error Cannot read secret file/);
  });

  it('takes a delivery that comes again for another hint of the same', async (t) => {
    const { post, hints } = await open(t);
    for (let time = 0; time < 2; time += 1)
      assert.equal((await post('/webhooks/generic', push, sign(push))).status, 202);
    assert.deepEqual(hints[0], hints[1]);
  });
});
