import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TokenRequest } from '../../src/registry/ask-token-server.ts';
import type { Credential } from '../../src/registry/credentials/credential.ts';
import { resolveRegistryHost } from '../../src/registry/host.ts';
import type { HttpRequest } from '../../src/registry/http.ts';
import { defaultLimits } from '../../src/registry/limits.ts';
import { createTokenSource, parseToken } from '../../src/registry/token.ts';

const nowMs = Date.parse('2026-01-01T12:00:00Z');

describe('parseToken', () => {
  const rows: [name: string, answer: object, text: string, lifeSeconds: number][] = [
    ['token', { token: 'a' }, 'a', 55],
    ['access_token', { access_token: 'b' }, 'b', 55],
    ['both', { token: 'a', access_token: 'b' }, 'a', 55],
    ['an empty token beside an access_token', { token: '', access_token: 'b' }, 'b', 55],
    ['a life', { token: 'a', expires_in: 300 }, 'a', 295],
    ['a life below a minute, which is raised', { token: 'a', expires_in: 5 }, 'a', 55],
    ['a negative life', { token: 'a', expires_in: -1 }, 'a', 55],
    ['a life that is no number', { token: 'a', expires_in: '300' }, 'a', 55],
    ['an endless life, which is cut to a day', { token: 'a', expires_in: 1e12 }, 'a', 86_395],
    ['when it was issued', { token: 'a', expires_in: 300, issued_at: '2026-01-01T11:59:00Z' }, 'a', 235],
    ['an issue in the future', { token: 'a', expires_in: 300, issued_at: '2026-01-01T13:00:00Z' }, 'a', 295],
    [
      'an issue so long ago that it has ended',
      { token: 'a', expires_in: 300, issued_at: '2025-01-01T00:00:00Z' },
      'a',
      295,
    ],
    ['an issue that is no date', { token: 'a', expires_in: 300, issued_at: 'today' }, 'a', 295],
  ];
  for (const [name, answer, text, lifeSeconds] of rows) {
    it(`reads ${name}`, () => {
      const token = parseToken(Buffer.from(JSON.stringify(answer)), nowMs);
      assert.deepEqual(token, { text, endsAtMs: nowMs + lifeSeconds * 1000 });
    });
  }

  for (const body of ['', '{"token":', '[]', '"a"', '{}', '{"token":5}', '{"token":"a\\r\\nX: y"}', '{"token":"ä"}']) {
    it(`finds none in ${body}`, () => assert.equal(parseToken(Buffer.from(body), nowMs), undefined));
  }
});

const signal = new AbortController().signal;
const wanted: TokenRequest = {
  host: resolveRegistryHost('registry.corp', {}, { username: 'u', password: 'p' }),
  path: 'acme/web',
  realm: 'https://auth.corp/token?keep=1',
  service: 'The Service',
  askedUrl: new URL('https://registry.corp/v2/acme/web/tags/list'),
};

function prepare(answers: { status?: number; body?: object }[] = []) {
  const clock = { nowMs };
  const requests: HttpRequest[] = [];
  const source = createTokenSource({
    limits: defaultLimits,
    now: () => clock.nowMs,
    send: async (request) => {
      await new Promise(setImmediate);
      const { status = 200, body = { token: `t${requests.length + 1}`, expires_in: 60 } } =
        answers[requests.length] ?? {};
      requests.push(request);
      return {
        status,
        headers: {},
        body: Buffer.from(JSON.stringify(body)),
        url: request.url,
        complaint: { codes: [], text: '' },
        warning: undefined,
      };
    },
  });
  const obtain = async (...call: Parameters<typeof source.obtain>) => (await source.obtain(...call)).text;
  return { source: { obtain }, requests, clock };
}

describe('createTokenSource', () => {
  it('asks by GET with service and scope, signed in', async () => {
    const { source, requests } = prepare();
    await source.obtain(['key'], wanted, { rejected: undefined, signal });
    const { url, authorization, maxBodyBytes } = requests[0] ?? assert.fail('nothing was asked');
    assert.equal(
      url.href,
      'https://auth.corp/token?keep=1&service=The+Service&scope=repository%3Aacme%2Fweb%3Apull&client_id=tallyman&account=u',
    );
    assert.equal(authorization, `Basic ${Buffer.from('u:p').toString('base64')}`);
    assert.equal(maxBodyBytes, 65_536);
  });

  it('resolves a relative realm, leaves out a missing service, and asks without a user where there is none', async () => {
    const { source, requests } = prepare();
    const anonymous = {
      ...wanted,
      realm: '/v2/token',
      service: undefined,
      host: resolveRegistryHost('registry.corp', {}),
    };
    await source.obtain(['key'], anonymous, { rejected: undefined, signal });
    assert.equal(requests[0]?.url.origin, 'https://registry.corp');
    assert.equal(requests[0]?.url.pathname, '/v2/token');
    assert.equal(requests[0]?.url.searchParams.has('service'), false);
    assert.equal(requests[0]?.authorization, undefined);
  });

  it('keeps a token until 5 s before its end', async () => {
    const { source, requests, clock } = prepare();
    const obtain = () => source.obtain(['key'], wanted, { rejected: undefined, signal });
    assert.equal(await obtain(), 't1');
    clock.nowMs += 54_999;
    assert.equal(await obtain(), 't1');
    clock.nowMs += 1;
    assert.equal(await obtain(), 't2');
    assert.equal(requests.length, 2);
  });

  it('asks anew for a rejected token, once for all who hold it', async () => {
    const { source, requests } = prepare();
    await source.obtain(['key'], wanted, { rejected: undefined, signal });
    assert.equal(await source.obtain(['key'], wanted, { rejected: 't1', signal }), 't2');
    assert.equal(await source.obtain(['key'], wanted, { rejected: 't1', signal }), 't2');
    assert.equal(requests.length, 2);
  });

  it('shares one request among callers, one for each key', async () => {
    const { source, requests } = prepare();
    const keys = ['a', 'a', 'b', 'a'];
    const tokens = await Promise.all(keys.map((key) => source.obtain([key], wanted, { rejected: undefined, signal })));
    assert.deepEqual(tokens, ['t1', 't1', 't2', 't1']);
    assert.equal(requests.length, 2);
  });

  it('lets one caller leave without taking the token from the other', async () => {
    const { source } = prepare();
    const controller = new AbortController();
    const leaving = source.obtain(['key'], wanted, { rejected: undefined, signal: controller.signal });
    const staying = source.obtain(['key'], wanted, { rejected: undefined, signal });
    controller.abort(new Error('enough'));
    await assert.rejects(leaving, /enough/);
    assert.equal(await staying, 't1');
  });

  it('takes one that is held under a later key, unless it was rejected, and holds what it fetches under all', async () => {
    const { source, requests } = prepare();
    const options = { rejected: undefined, signal };
    assert.equal(await source.obtain(['a', 'shared'], wanted, options), 't1');
    assert.equal(await source.obtain(['b', 'shared'], wanted, options), 't1');
    assert.equal(await source.obtain(['b', 'shared'], wanted, { rejected: 't1', signal }), 't2');
    assert.equal(await source.obtain(['a', 'shared'], wanted, options), 't1');
    assert.equal(await source.obtain(['c', 'shared'], wanted, options), 't2');
    assert.equal(requests.length, 2);
  });

  it('tells a token that was fetched from one that was kept', async () => {
    const source = createTokenSource({
      limits: defaultLimits,
      now: () => nowMs,
      send: async ({ url }) => ({
        status: 200,
        headers: {},
        body: Buffer.from('{"token":"t"}'),
        url,
        complaint: { codes: [], text: '' },
        warning: undefined,
      }),
    });
    const obtain = () => source.obtain(['key'], wanted, { rejected: undefined, signal });
    assert.deepEqual(
      [await obtain(), await obtain()],
      [
        { text: 't', isNew: true },
        { text: 't', isNew: false },
      ],
    );
  });

  it('asks again after a failure', async () => {
    const { source } = prepare([{ status: 503 }]);
    const obtain = () => source.obtain(['key'], wanted, { rejected: undefined, signal });
    await assert.rejects(obtain, { code: 'RegistryUnavailable' });
    assert.equal(await obtain(), 't2');
  });

  const failures: [answer: { status?: number; body?: object }, code: string][] = [
    [{ status: 401, body: {} }, 'RegistryDenied'],
    [{ status: 403, body: {} }, 'RegistryDenied'],
    [{ status: 429, body: {} }, 'RegistryUnavailable'],
    [{ status: 500, body: {} }, 'RegistryUnavailable'],
    [{ status: 400, body: {} }, 'RegistryInvalid'],
    [{ status: 200, body: {} }, 'RegistryInvalid'],
  ];
  for (const [answer, code] of failures) {
    it(`throws ${code} on ${JSON.stringify(answer)}`, async () => {
      const { source } = prepare([answer]);
      await assert.rejects(source.obtain(['key'], wanted, { rejected: undefined, signal }), {
        code,
        message: /^Cannot get a pull token for "registry\.corp\/acme\/web": .*"auth\.corp"/,
      });
    });
  }

  it('keeps one scope, the one that is wanted', async () => {
    const { source, requests } = prepare();
    const realm = 'https://auth.corp/token?scope=registry%3Acatalog%3A*';
    await source.obtain(['key'], { ...wanted, realm }, { rejected: undefined, signal });
    assert.deepEqual(requests[0]?.url.searchParams.getAll('scope'), ['repository:acme/web:pull']);
  });

  const post = (grant: string) =>
    `POST ${grant}&service=The+Service&client_id=tallyman&scope=repository%3Aacme%2Fweb%3Apull`;
  const flows: [name: string, credential: Credential, statuses: number[], asked: string[]][] = [
    ['a password by GET', { username: 'u', password: 'p' }, [200], ['GET Basic dTpw']],
    [
      'a password by POST where GET is not known',
      { username: 'u', password: 'p' },
      [405, 200],
      ['GET Basic dTpw', post('grant_type=password&username=u&password=p')],
    ],
    [
      'an identity token by POST',
      { username: 'u', identityToken: 'i/d' },
      [200],
      [post('grant_type=refresh_token&refresh_token=i%2Fd')],
    ],
    [
      'an identity token as a password where POST is not known',
      { username: 'u', identityToken: 'id' },
      [404, 200],
      [post('grant_type=refresh_token&refresh_token=id'), 'GET Basic dTppZA=='],
    ],
  ];
  for (const [name, credential, statuses, asked] of flows) {
    it(`sends ${name}`, async () => {
      const { source, requests } = prepare([...statuses.map((status) => (status === 200 ? {} : { status, body: {} }))]);
      const host = resolveRegistryHost('registry.corp', {}, credential);
      await source.obtain(['key'], { ...wanted, host }, { rejected: undefined, signal });
      const seen = requests.map(({ method = 'GET', body, authorization }) => `${method} ${body ?? authorization}`);
      assert.deepEqual(seen, asked);
    });
  }

  for (const realm of [
    'http://auth.corp/',
    'https://127.0.0.1/',
    'https://169.254.169.254/',
    'file:///etc',
    'http://[',
  ]) {
    it(`refuses the realm ${realm}`, async () => {
      const { source, requests } = prepare();
      await assert.rejects(source.obtain(['key'], { ...wanted, realm }, { rejected: undefined, signal }), {
        code: 'RegistryInvalid',
      });
      assert.equal(requests.length, 0);
    });
  }
});
