import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TallymanError } from '../../../src/error/tallyman-error.ts';
import {
  createCredentialHelper,
  type HelperQuestion,
  type RunHelper,
} from '../../../src/registry/credentials/credential-helper.ts';

const { signal } = new AbortController();
const origin = 'credentials file "/home/ann/.docker/config.json"';
const question: HelperQuestion = { name: 'keys', server: 'a.io', origin };
const answer = (username: unknown, secret: unknown) => ({
  code: 0,
  stdout: JSON.stringify({ ServerURL: 'a.io', Username: username, Secret: secret }),
});
const none = { code: 1, stdout: 'credentials not found in native keychain\n' };
const errno = (code: string): Error => Object.assign(new Error(`spawn hunter2 ${code}`), { code });

/** A helper that answers one after the other, the last one ever after. */
function prepare(...answers: (Awaited<ReturnType<RunHelper>> | Error)[]) {
  const clock = { nowMs: 0 };
  const runs: string[] = [];
  const helper = createCredentialHelper({
    now: () => clock.nowMs,
    run: async (program, input) => {
      const next = answers[Math.min(runs.push(`${program} < ${input}`), answers.length) - 1];
      await new Promise(setImmediate);
      if (next === undefined || next instanceof Error) throw next ?? new Error('not prepared');
      return next;
    },
  });
  return { helper, runs, clock, find: (changed = {}) => helper.find({ ...question, ...changed }, { signal }) };
}

describe('what a helper answers', () => {
  const rows: [name: string, answer: Awaited<ReturnType<RunHelper>>, credential: object | undefined][] = [
    ['a user', answer('u', 'p'), { username: 'u', password: 'p' }],
    ['an identity token', answer('<token>', 'idt'), { identityToken: 'idt' }],
    ['no credential', none, undefined],
    ['an empty secret', answer('', ''), undefined],
    ['no user', answer('', 'p'), { username: '', password: 'p' }],
  ];
  for (const [name, said, credential] of rows)
    it(name, async () => {
      const { find, runs } = prepare(said);
      assert.deepEqual(await find(), credential);
      assert.deepEqual(runs, ['docker-credential-keys < a.io']);
    });

  const faults: [name: string, answer: Awaited<ReturnType<RunHelper>> | Error, found: RegExp][] = [
    ['an exit code', { code: 1, stdout: 'hunter2' }, /ended with exit code 1,/],
    ['the end by a signal', { code: null, stdout: 'hunter2' }, /ended by a signal/],
    ['no JSON', { code: 0, stdout: '{"Secret":"hunter2' }, /no JSON object with "Username" and "Secret"/],
    ['a list', { code: 0, stdout: '["hunter2"]' }, /no JSON object/],
    ['nothing', { code: 0, stdout: '' }, /no JSON object/],
    ['a secret that is no text', answer('u', ['hunter2']), /no JSON object/],
    ['a user that is no text', answer(undefined, 'hunter2'), /no JSON object/],
    ['half a character', answer('u', 'hunter2\ud800'), /half a character/],
    ['deep JSON', { code: 0, stdout: '['.repeat(60_000) }, /no JSON object/],
    ['prototypes', { code: 0, stdout: '{"__proto__":{"Username":"u","Secret":"hunter2"}}' }, /no JSON object/],
    ['too much', errno('ERR_CHILD_PROCESS_STDIO_MAXBUFFER'), /printed too much/],
    ['too many processes', errno('EAGAIN'), /cannot be started \(EAGAIN\)/],
  ];
  for (const [name, said, found] of faults)
    it(`fails, after a second try, with ${name}`, async () => {
      const { find, runs } = prepare(said);
      await assert.rejects(find(), (error) => isFault(error, 'RegistryUnavailable', found));
      assert.equal(runs.length, 2);
    });

  for (const code of ['ENOENT', 'EACCES'])
    it(`a program that is missing (${code}) is told with the file that names it, and not tried again`, async () => {
      const { find, runs } = prepare(errno(code));
      await assert.rejects(find(), {
        code: 'ConfigInvalid',
        message: `Cannot ask "docker-credential-keys" for "a.io": it cannot be started (${code}), but ${origin} names it; a program on PATH was wanted`,
      });
      assert.equal(runs.length, 1);
    });

  const names = ['', '../keys', 'a/b', 'a b', 'a;b', 'a\n', 'é', 'a\0', 5, null, ['keys'], { keys: 1 }, '$(x)'];
  for (const name of names)
    it(`the name ${JSON.stringify(name)} is never run`, async () => {
      const { find, runs } = prepare(answer('u', 'p'));
      await assert.rejects(find({ name }), (error) => isFault(error, 'ConfigInvalid', /^Cannot use credentials file/));
      assert.deepEqual(runs, []);
    });

  it('a second try that goes well is all that is seen', async () => {
    const { find, runs } = prepare({ code: 1, stdout: 'locked' }, answer('u', 'p'));
    assert.deepEqual(await find(), { username: 'u', password: 'p' });
    assert.equal(runs.length, 2);
  });

  it('a bug is no failure of the helper', async () => {
    await assert.rejects(prepare(new TypeError('bug')).find(), TypeError);
  });
});

describe('how long an answer is kept', () => {
  const rows: [name: string, answer: Awaited<ReturnType<RunHelper>>, keptMs: number, tries: number][] = [
    ['a credential', answer('u', 'p'), 3_600_000, 1],
    ['that there is none', none, 60_000, 1],
    ['a failure', { code: 1, stdout: '' }, 60_000, 2],
  ];
  for (const [name, said, keptMs, tries] of rows)
    it(`${name}: ${keptMs / 1000} s`, async () => {
      const { find, runs, clock } = prepare(said);
      const outcome = () => find().catch((error: unknown) => error);
      const first = await outcome();
      clock.nowMs = keptMs - 1;
      assert.deepEqual(await outcome(), first);
      assert.equal(runs.length, tries);
      clock.nowMs = keptMs;
      await outcome();
      assert.equal(runs.length, tries * 2);
    });

  it('until it is forgotten, for that server alone', async () => {
    const { find, helper, runs } = prepare(answer('u', 'p'));
    await find();
    await find({ server: 'b.io' });
    helper.forget('a.io');
    await find();
    await find({ server: 'b.io' });
    assert.deepEqual(runs, [
      'docker-credential-keys < a.io',
      'docker-credential-keys < b.io',
      'docker-credential-keys < a.io',
    ]);
  });

  it('each program has its own', async () => {
    const { find, runs } = prepare(answer('u', 'p'));
    await find();
    await find({ name: 'other' });
    assert.equal(runs.length, 2);
  });
});

describe('a helper that takes its time', () => {
  it('runs once for all who ask at the same time', async () => {
    const { find, runs } = prepare(answer('u', 'p'));
    await Promise.all([find(), find(), find({ server: 'b.io' }), find()]);
    assert.deepEqual(runs, ['docker-credential-keys < a.io', 'docker-credential-keys < b.io']);
  });

  it('is not forgotten while it runs', async () => {
    const { find, helper, runs } = prepare(answer('u', 'p'));
    const found = find();
    helper.forget('a.io');
    await Promise.all([found, find()]);
    assert.equal(runs.length, 1);
  });

  it('is given up after 5 s, twice', async (context) => {
    context.mock.timers.enable({ apis: ['setTimeout'] });
    const signals: AbortSignal[] = [];
    const helper = createCredentialHelper({
      now: () => 0,
      run: (_program, _input, options) => {
        signals.push(options.signal);
        return new Promise(() => {});
      },
    });
    const failure = assert.rejects(helper.find(question, { signal }), (error) =>
      isFault(error, 'RegistryUnavailable', /did not end within 5 s/),
    );
    for (const runs of [1, 2]) {
      assert.equal(signals.length, runs);
      context.mock.timers.tick(5000);
      await new Promise(setImmediate);
      assert.equal(signals[runs - 1]?.aborted, true);
    }
    await failure;
  });

  it('is ended by the last of those who wait, and runs anew for the next', async () => {
    const signals: AbortSignal[] = [];
    const helper = createCredentialHelper({
      now: () => 0,
      run: (_program, _input, options) => {
        signals.push(options.signal);
        return new Promise((_resolve, reject) => {
          options.signal.addEventListener('abort', () => reject(options.signal.reason));
        });
      },
    });
    const [one, two, three] = [new AbortController(), new AbortController(), new AbortController()];
    const waiting = [one, two].map((controller) => helper.find(question, { signal: controller.signal }));
    one.abort(new Error('enough'));
    await assert.rejects(waiting[0] ?? Promise.resolve(), /enough/);
    assert.equal(signals[0]?.aborted, false);
    two.abort(new Error('enough too'));
    await assert.rejects(waiting[1] ?? Promise.resolve(), /enough too/);
    assert.equal(signals[0]?.aborted, true);
    const next = helper.find(question, { signal: three.signal });
    assert.equal(signals.length, 2);
    three.abort(new Error('done'));
    await assert.rejects(next, /done/);
    assert.equal(signals.length, 2);
  });

  it('does not run for one who has left already', async () => {
    const { helper, runs } = prepare(answer('u', 'p'));
    await assert.rejects(helper.find(question, { signal: AbortSignal.abort(new Error('gone')) }), /gone/);
    assert.deepEqual(runs, []);
  });
});

function isFault(error: unknown, code: string, found: RegExp): boolean {
  assert.ok(error instanceof TallymanError, String(error));
  assert.equal(error.code, code);
  assert.match(error.message, found);
  assert.match(error.message, / wanted$/);
  assert.doesNotMatch([error.message, error.remedy, String(error.cause)].join(' '), /hunter2/);
  return true;
}
