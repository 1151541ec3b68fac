import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { inspect } from 'node:util';
import { createGithubApp, type GithubAppIdentity, type GithubAppOptions } from '../../src/git/github-app.ts';
import { startForwardProxy } from '../services/forward-proxy.ts';
import { type GithubAppServer, startGithubAppServer } from '../services/github-app-server.ts';
import { withScene } from './remote-scene.ts';
import { signal } from './workshop.ts';

const ids = { appId: '12345', installationId: '678' };

type Change = Partial<GithubAppOptions> & Partial<GithubAppIdentity>;

async function open(t: TestContext, change: Change = {}) {
  const clock = { nowMs: 1_800_000_000_000 };
  const server = await startGithubAppServer({ ...ids, nowMs: () => clock.nowMs });
  t.after(() => server.close());
  const app = createGithubApp({
    apiUrl: server.apiUrl,
    readApp: () => ({ ...ids, isPublic: true, keyName: 'app.pem', privateKey: server.privateKey, ...change }),
    timeoutMs: 5000,
    nowMs: () => clock.nowMs,
    ...change,
  });
  return { server, app, clock };
}

describe('a GitHub App', () => {
  it('gets a token, which callers share until its last minutes', async (t) => {
    const { server, app, clock } = await open(t);
    const all = await Promise.all([1, 2, 3].map(() => app.read({ signal })));
    assert.deepEqual(all, Array(3).fill({ username: 'x-access-token', password: 'ghs_0' }));
    assert.deepEqual(server.requests, [{ line: 'POST /api/v3/app/installations/678/access_tokens', status: 201 }]);
    clock.nowMs += 54 * 60_000;
    assert.equal((await app.read({ signal })).password, 'ghs_0');
    clock.nowMs += 2 * 60_000;
    assert.equal((await app.read({ signal })).password, 'ghs_1');
    assert.equal(server.requests.length, 2);
  });

  it('forgets a token that is refused, unless it is brand-new', async (t) => {
    const { server, app, clock } = await open(t);
    const first = await app.read({ signal });
    assert.equal(app.refuse(first), false);
    const second = await app.read({ signal });
    clock.nowMs += 11_000;
    assert.equal(app.refuse(second), true);
    assert.equal(app.refuse(first), true);
    assert.equal((await app.read({ signal })).password, 'ghs_2');
    assert.equal(server.tokens.length, 3);
  });

  it('waits no longer than its caller, and goes on for the others', async (t) => {
    const { app } = await open(t);
    const controller = new AbortController();
    const [one, other] = [app.read({ signal: controller.signal }), app.read({ signal })];
    controller.abort(new Error('shutting down'));
    await assert.rejects(one, /shutting down/);
    assert.equal((await other).password, 'ghs_0');
  });

  const refusals: [name: string, change: Change, code: string, words: RegExp][] = [
    ['another App', { appId: '1' }, 'RepoDenied', /HTTP 401, GitHub said "'Issuer'/],
    ['another installation', { installationId: '9' }, 'RepoDenied', /HTTP 404/],
    ['a key that is none', { privateKey: 's3cret' }, 'ConfigInvalid', /"app\.pem": it holds no RSA key/],
    ['a clock that is wrong', { nowMs: () => 1_800_003_600_000 }, 'RepoDenied', /Issued at/],
    ['no server', { apiUrl: 'http://127.0.0.1:1/' }, 'RepoUnavailable', /ECONNREFUSED/],
  ];
  it('tells no ID that a Secret holds', async (t) => {
    const { app } = await open(t, { appId: 'hunter2', keyName: 'Secret shop/app', isPublic: false });
    const error = await app.read({ signal }).catch((reason) => reason);
    assert.match(error.message, /^Cannot get a token of the GitHub App in "Secret shop\/app": the answer was HTTP 401/);
    assert.doesNotMatch(inspect(error, { depth: 9 }), /hunter2/);
  });

  for (const [name, change, code, words] of refusals)
    it(`tells ${name}`, async (t) => {
      const { app } = await open(t, change);
      const error = await app.read({ signal }).catch((reason) => reason);
      assert.equal(error.code, code, error.message);
      assert.match(error.message, words);
      assert.doesNotMatch(inspect(error, { depth: 9 }), /s3cret|Bearer|PRIVATE KEY/);
    });

  const answers: [answer: NonNullable<GithubAppServer['answer']>, code: string][] = [
    [{ status: 500, body: '' }, 'RepoUnavailable'],
    [{ status: 429, body: '{}' }, 'RepoUnavailable'],
    [{ status: 403, body: '{"message":"API rate limit exceeded"}' }, 'RepoUnavailable'],
    [{ status: 403, body: '{"message":"This installation has been suspended"}' }, 'RepoDenied'],
    [{ status: 201, body: '<html>' }, 'RepoUnavailable'],
    [{ status: 201, body: '{"token":"a\\nb","expires_at":"2099-01-01T00:00:00Z"}' }, 'RepoUnavailable'],
    [{ status: 201, body: '{"token":"ghs_1"}' }, 'RepoUnavailable'],
    [{ status: 302, body: '' }, 'RepoDenied'],
  ];
  it('tells what no token is', async (t) => {
    const { server, app } = await open(t);
    for (const [answer, code] of answers) {
      server.answer = answer;
      await assert.rejects(app.read({ signal }), { code }, JSON.stringify(answer));
    }
    server.answer = undefined;
    assert.equal((await app.read({ signal })).username, 'x-access-token');
  });

  it('asks through the proxy, whose refusal it tells', async (t) => {
    const proxy = await startForwardProxy();
    const refusing = await startForwardProxy({ refuse: 403 });
    t.after(() => Promise.all([proxy.close(), refusing.close()]));
    const { server, app } = await open(t, { proxy: () => proxy.url });
    await app.read({ signal });
    assert.deepEqual(proxy.requests, [`POST ${server.apiUrl}/app/installations/678/access_tokens`]);
    const { app: other } = await open(t, { apiUrl: 'https://api.github.com', proxy: () => refusing.url });
    await assert.rejects(other.read({ signal }), { code: 'RepoUnavailable', message: /gives no way there \(403\)/ });
  });

  it('signs in to Git, and once more where its token was revoked', (t) =>
    withScene(async ({ server: git, open: openRepo }) => {
      const { app, server, clock } = await open(t);
      let valid = 'ghs_0';
      git.intercept = (request, response) => {
        const wanted = `Basic ${Buffer.from(`x-access-token:${valid}`).toString('base64')}`;
        if (request.headers.authorization !== wanted) return Boolean(response.writeHead(401).end());
        request.headers.authorization = `Basic ${Buffer.from('bot:s3cret:with:colons').toString('base64')}`;
        return false;
      };
      const repo = openRepo({ credential: app.read, refuseCredential: app.refuse });
      await repo.fetch({ signal });
      valid = 'ghs_1';
      clock.nowMs += 20_000;
      await repo.fetch({ signal });
      assert.deepEqual(server.tokens, ['ghs_0', 'ghs_1']);
      valid = 'none';
      clock.nowMs += 20_000;
      await assert.rejects(repo.fetch({ signal }), { code: 'RepoDenied' });
      assert.equal(server.tokens.length, 3, 'asked once more, not for ever');
    }));
});
