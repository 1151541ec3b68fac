import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, afterEach, before, describe, it } from 'node:test';
import { TallymanError } from '../../src/error/tallyman-error.ts';
import type { ForgeTls } from '../../src/forge/http.ts';
import { startFrontProxy } from '../services/front-proxy.ts';
import { type GithubApi, startGithubApi } from '../services/github-api.ts';
import type { JsonResponse } from '../services/json-server.ts';
import { openTestForge, type TestForge } from './forge-tools.ts';

const signal = new AbortController().signal;
const question = { baseBranch: 'main', prefix: 'tallyman/main/', closedOf: [] };
const nowSeconds = 1_700_000_000;

describe('forge over HTTP', () => {
  let api: GithubApi;
  let forge: TestForge;
  const opened: TestForge[] = [];
  before(async () => {
    api = await startGithubApi();
  });
  after(async () => {
    await api.close();
  });
  afterEach(async () => {
    for (const one of opened.splice(0)) await one.close();
    api.next.length = 0;
  });
  const open = (limits = {}, more: { checkWrite?: () => void } = {}): TestForge => {
    const place = { kind: 'github', apiUrl: api.url, project: 'acme/deploy' } as const;
    forge = openTestForge({ ...place, token: api.token, limits, ...more });
    opened.push(forge);
    api.requests.length = 0;
    return forge;
  };
  const fails = async (code: string, message: RegExp): Promise<TallymanError> => {
    const failure: unknown = await forge.listPullRequests(question, { signal }).catch((error) => error);
    assert.ok(failure instanceof TallymanError, String(failure));
    assert.equal(failure.code, code);
    assert.match(failure.message, message);
    assert.ok(!`${failure.stack} ${JSON.stringify(failure)}`.includes(api.token));
    return failure;
  };

  it('asks for leave before each change, changes nothing without it, and reads without it', async () => {
    api.push('tallyman/leave/shop');
    let mayWrite = true;
    const checkWrite = () => {
      if (!mayWrite) throw new TallymanError('LeadershipLost', 'Cannot write: it is over, a Lease was wanted');
    };
    open({}, { checkWrite });
    const text = { title: 'Größe', body: 'B'.repeat(200_000) };
    const request = { ...text, headBranch: 'tallyman/leave/shop', baseBranch: 'main' };
    const made = await forge.openPullRequest(request, { signal });
    const { number = 0, title } = made.kind === 'opened' ? made.pullRequest : {};
    assert.equal(title, 'Größe');
    api.requests.length = 0;
    mayWrite = false;
    const changes = [
      () => forge.openPullRequest(request, { signal }),
      () => forge.updatePullRequest(number, { ...text, title: 'Other' }, { signal }),
      () => forge.closePullRequest(number, { signal, comment: 'why' }),
    ];
    for (const change of changes) await assert.rejects(change, { code: 'LeadershipLost' });
    assert.deepEqual(api.requests, []);
    const [found] = await forge.listPullRequests({ ...question, prefix: 'tallyman/leave/' }, { signal });
    assert.deepEqual([found?.title, found?.state], ['Größe', 'open']);
  });

  it('asks for the certificates at each request, and goes by them as they are then', async (t) => {
    const [cert, key] = ['cert', 'key'].map((name) => readFileSync(`test/registry/tls/localhost-${name}.pem`, 'utf8'));
    assert.ok(cert !== undefined && key !== undefined);
    const front = await startFrontProxy({ url: api.url, tls: { cert, key } });
    t.after(() => front.close());
    const wanting = new TallymanError('SecretUnavailable', 'Cannot use secret "ca": it is not there, one was wanted');
    let read = (): ForgeTls => ({});
    const place = { kind: 'github', apiUrl: `https://${front.host}`, project: 'acme/deploy' } as const;
    forge = openTestForge({ ...place, token: api.token, tls: () => read() });
    opened.push(forge);
    await fails('ForgeUnavailable', /its certificate is not trusted/);
    read = () => {
      throw wanting;
    };
    await fails('SecretUnavailable', /it is not there/);
    assert.deepEqual(front.requests, []);
    read = () => ({ ca: cert });
    await forge.listPullRequests(question, { signal });
    await forge.listPullRequests(question, { signal });
    assert.equal(front.requests.length, 2);
    read = () => ({});
    await fails('ForgeUnavailable', /its certificate is not trusted/);
  });

  it('reads every page, as the Link header leads', async () => {
    for (let index = 0; index < 230; index += 1) {
      api.push(`tallyman/main/group-${index}`);
      api.open({ title: 'T', body: '', head: `tallyman/main/group-${index}`, base: 'main' });
    }
    assert.equal((await open().listPullRequests(question, { signal })).length, 230);
    assert.equal(api.requests.length, 3);
    assert.equal((await open({ maxPages: 2 }).listPullRequests(question, { signal })).length, 200);
  });

  it('finds one that a person closed behind a thousand that were merged later, and no further back', async () => {
    const branch = 'tallyman/main/busy';
    const [oldest, closed] = [1, 2].map(() => api.open({ title: 'T', body: '', head: branch, base: 'main' }));
    for (const request of [oldest, closed]) if (request !== undefined) request.state = 'closed';
    for (let index = 0; index < 999; index += 1)
      api.merge(api.open({ title: 'T', body: '', head: branch, base: 'main' }).number);
    open();
    const found = await forge.listPullRequests({ ...question, prefix: branch, closedOf: [branch] }, { signal });
    assert.deepEqual([found.length, found.at(-1)?.number, found.at(-1)?.state], [1000, closed?.number, 'closed']);
    assert.equal(api.requests.filter((line) => line.includes('state=closed')).length, 13);
  });

  it('lists those that are over once for all branches, whatever they are called now', async () => {
    const overs = ['renamed', 'shop'].map((name) =>
      api.open({ title: 'T', body: '', head: `tallyman/once/${name}`, base: 'once' }),
    );
    for (const request of overs) request.state = 'closed';
    const closedOf = ['shop', 'back', 'front'].map((name) => `tallyman/once/${name}`);
    open();
    const found = await forge.listPullRequests({ baseBranch: 'once', prefix: 'tallyman/once/', closedOf }, { signal });
    assert.deepEqual(
      found.map(({ headBranch }) => headBranch),
      ['tallyman/once/shop', 'tallyman/once/renamed'],
    );
    assert.equal(api.requests.length, 2);
  });

  const busy: readonly { what: string; answer: JsonResponse | 'cut' }[] = [
    { what: '500', answer: { status: 500, body: 'oops' } },
    { what: '502', answer: { status: 502, body: '<html>' } },
    { what: 'a cut connection', answer: 'cut' },
  ];
  for (const { what, answer } of busy) {
    it(`tries again after ${what}`, async () => {
      open();
      api.next.push(answer, answer);
      await forge.listPullRequests(question, { signal });
      assert.equal(forge.waits.length, 2);
    });
    it(`gives up after three times ${what}`, async () => {
      open();
      api.next.push(answer, answer, answer);
      await fails('ForgeUnavailable', /^Cannot list the pull requests of "acme\/deploy": /);
    });
  }

  const limits: readonly { what: string; answer: JsonResponse; waitMs: number }[] = [
    { what: 'Retry-After', answer: { status: 429, headers: { 'retry-after': '3' } }, waitMs: 3000 },
    {
      what: 'a secondary limit with Retry-After',
      answer: {
        status: 403,
        headers: { 'retry-after': '2' },
        body: { message: 'You have exceeded a secondary rate limit.' },
      },
      waitMs: 2000,
    },
    {
      what: 'a spent budget',
      answer: {
        status: 403,
        headers: { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(nowSeconds + 5) },
        body: { message: 'API rate limit exceeded for user ID 7.' },
      },
      waitMs: 5000,
    },
  ];
  for (const { what, answer, waitMs } of limits)
    it(`waits as long as ${what} says`, async () => {
      open();
      api.next.push(answer);
      await forge.listPullRequests(question, { signal });
      assert.equal(forge.waits.length, 1);
      const [waited = 0] = forge.waits;
      assert.ok(waited >= waitMs && waited <= waitMs * 1.1, String(waited));
    });

  it('does not ask before the time, where it is long', async () => {
    open();
    const reset = { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(nowSeconds + 1800) };
    api.next.push({ status: 403, headers: reset, body: { message: 'API rate limit exceeded' } });
    await fails('ForgeUnavailable', /left alone for 1800 s/);
    await fails('ForgeUnavailable', /left alone for 1800 s/);
    assert.equal(api.requests.length, 1);
  });

  it('takes a minute for a limit that names no time', async () => {
    open();
    api.next.push({ status: 403, body: { message: 'You have exceeded a secondary rate limit.' } });
    await fails('ForgeUnavailable', /left alone for 60 s/);
  });

  it('tells a token that may not do this', async () => {
    open();
    const message = `Resource not accessible by ${api.token}\u001b[31m`;
    api.next.push({ status: 403, body: { message } });
    const failure = await fails('ForgeDenied', /403, it said "Resource not accessible by …/);
    assert.ok(!failure.message.includes('\u001b'));
  });

  it('tells a repository that the token does not see', async () => {
    forge = openTestForge({ kind: 'github', apiUrl: api.url, project: 'acme/secret', token: api.token });
    opened.push(forge);
    await fails('ForgeDenied', /404, it said "Not Found"/);
  });

  it('tells an answer that is none of the API', async () => {
    open();
    api.next.push({ status: 200, body: [{ number: 'seven' }] });
    await fails('ForgeInvalid', /not what its API describes/);
    api.next.push({ status: 200, body: '<html>sign in</html>' });
    await fails('ForgeInvalid', /not what its API describes/);
  });

  it('reads no answer without end', async () => {
    open({ maxAnswerBytes: 1000 });
    api.next.push({ status: 200, body: `[${' '.repeat(2000)}]` });
    await fails('ForgeInvalid', /too long/);
  });

  it('follows a redirect on the same origin, and none to another', async () => {
    const before = await open().listPullRequests(question, { signal });
    api.next.push({ status: 301, headers: { location: '/repos/acme/deploy/pulls?state=open&base=main&per_page=100' } });
    assert.deepEqual(await forge.listPullRequests(question, { signal }), before);
    api.next.push({ status: 302, headers: { location: 'http://127.0.0.2:1/steal' } });
    await fails('ForgeInvalid', /redirects/);
  });

  it('follows no redirect of a request that changes something', async () => {
    open();
    api.next.push({ status: 307, headers: { location: '/repos/acme/other/pulls/1' } });
    const text = { title: 'T', body: 'B' };
    await assert.rejects(forge.updatePullRequest(1, text, { signal }), { code: 'ForgeInvalid' });
    assert.equal(api.requests.length, 1);
  });

  it('follows no page to another origin', async () => {
    open();
    api.next.push({ status: 200, headers: { link: '<http://127.0.0.2:1/next>; rel="next"' }, body: [] });
    await fails('ForgeInvalid', /redirects/);
  });

  it('says a comment once only', async () => {
    open();
    api.open({ title: 'T', body: '', head: 'tallyman/main/x', base: 'main' });
    const { number } = api.pullRequests.at(-1) ?? { number: 0 };
    const failing = forge.closePullRequest(number, { comment: 'why', signal });
    await assert.doesNotReject(failing);
    assert.equal(api.requests.filter((line) => line.includes('/comments')).length, 1);
  });

  it('gives up on a host that is not there', async () => {
    forge = openTestForge({ kind: 'gitea', apiUrl: 'http://127.0.0.1:1/api/v1', project: 'a/b', token: 'f0rge-t0ken' });
    opened.push(forge);
    await fails('ForgeUnavailable', /the connection was refused \(ECONNREFUSED\)/);
  });
});
