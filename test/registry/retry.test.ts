import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TallymanError } from '../../src/error/tallyman-error.ts';
import type { Exchange, HttpRequest } from '../../src/registry/http.ts';
import { defaultLimits } from '../../src/registry/limits.ts';
import { createRetryingSend, parseRetryAfter } from '../../src/registry/retry.ts';

const nowMs = Date.parse('2026-01-01T00:00:00Z');

describe('parseRetryAfter', () => {
  const rows: [header: string | undefined, waitMs: number | undefined][] = [
    ['2', 2000],
    ['0', 0],
    ['0.5', 500],
    [' 7 ', 7000],
    ['Thu, 01 Jan 2026 00:00:05 GMT', 5000],
    ['Wed, 31 Dec 2025 23:59:00 GMT', 0],
    ['soon', undefined],
    ['-1', undefined],
    ['645.3µs', undefined],
    ['', undefined],
    [undefined, undefined],
  ];
  for (const [header, waitMs] of rows) {
    it(`reads ${JSON.stringify(header)}`, () => assert.equal(parseRetryAfter(header, nowMs), waitMs));
  }
});

const url = new URL('https://ghcr.io/v2/acme/web/tags/list');
const request: HttpRequest = {
  host: { name: 'ghcr.io', origin: url.origin, settings: {}, credential: undefined },
  url,
  accept: '*/*',
  maxBodyBytes: 1,
  task: 'list the tags of "ghcr.io/acme/web"',
  signal: new AbortController().signal,
};

function answered(status: number, headers: Record<string, string> = {}): Exchange {
  return {
    kind: 'answered',
    answer: { status, headers, body: Buffer.alloc(0), url, complaint: { codes: [], text: '' }, warning: undefined },
  };
}

function failed(transient: boolean): Exchange {
  return {
    kind: 'failed',
    origin: url.origin,
    transient,
    error: new TallymanError('RegistryUnavailable', 'Cannot go: it is cut'),
  };
}

function prepare(outcomes: Exchange[], random = 0) {
  const waits: number[] = [];
  let tries = 0;
  const send = createRetryingSend({
    exchange: async () => outcomes[tries++] ?? assert.fail('one try too many'),
    limits: defaultLimits,
    now: () => nowMs,
    random: () => random,
    sleep: async (waitMs) => {
      waits.push(waitMs);
    },
    onRetry: () => {},
  });
  return { send, waits, tries: () => tries };
}

describe('createRetryingSend', () => {
  for (const status of [408, 429, 500, 502, 503, 504]) {
    it(`tries again after ${status}`, async () => {
      const { send, waits } = prepare([answered(status), answered(status), answered(200)]);
      assert.equal((await send(request)).status, 200);
      assert.deepEqual(waits, [1000, 2000]);
    });
  }

  for (const status of [200, 400, 401, 403, 404, 405, 501]) {
    it(`takes ${status} as it is`, async () => {
      const { send, tries } = prepare([answered(status)]);
      assert.equal((await send(request)).status, status);
      assert.equal(tries(), 1);
    });
  }

  it('gives back the last answer after three tries', async () => {
    const { send, tries } = prepare([answered(503), answered(502), answered(500)]);
    assert.equal((await send(request)).status, 500);
    assert.equal(tries(), 3);
  });

  it('tries a cut connection again, an unknown host not', async () => {
    assert.equal((await prepare([failed(true), answered(200)]).send(request)).status, 200);
    await assert.rejects(prepare([failed(false)]).send(request), { code: 'RegistryUnavailable' });
    await assert.rejects(prepare([failed(true), failed(true), failed(true)]).send(request), { message: /it is cut/ });
  });

  it('waits as long as asked, at least a second, with some chance on top', async () => {
    const outcomes = [answered(429, { 'retry-after': '4' }), answered(429, { 'retry-after': '0' }), answered(200)];
    const { send, waits } = prepare(outcomes, 0.5);
    await send(request);
    assert.deepEqual(waits, [5000, 1250]);
  });

  it('gives up where it is asked to wait too long, and says how long', async () => {
    const { send, waits } = prepare([answered(429, { 'retry-after': '3600' })]);
    await assert.rejects(send(request), {
      code: 'RegistryUnavailable',
      message: 'Cannot list the tags of "ghcr.io/acme/web": "ghcr.io" asks to wait 3600 s, at most 10 s were wanted',
    });
    assert.deepEqual(waits, []);
  });
});
