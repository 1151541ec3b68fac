import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { YamlRepoOptions } from '../../src/git/yaml-repo.ts';
import { runGit, startGitServer } from '../services/git-server.ts';
import { failureOf, withScene } from './remote-scene.ts';
import { newCommit, signal } from './workshop.ts';

describe('remote repository, refusals', () => {
  const reader = async (): Promise<{ username: string; password: string }> => ({ username: 'reader', password: 'r' });

  it('says what is wrong with credentials, branch and address', () =>
    withScene(async ({ server, open }) => {
      const url = (text: string): Partial<YamlRepoOptions> => ({ location: { kind: 'remote', url: text } });
      const rows: [string, Partial<YamlRepoOptions>, string, RegExp][] = [
        [
          'wrong password',
          { credential: async () => ({ username: 'bot', password: 'no' }) },
          'RepoDenied',
          /refused the credentials/,
        ],
        ['no password', { credential: async () => undefined }, 'RepoDenied', /refused the credentials/],
        ['unknown branch', { branch: 'nope' }, 'RepoInvalid', /no branch "nope"/],
        ['unknown repository', url(server.url('nope.git')), 'RepoInvalid', /no repository there/],
        ['another protocol', url('ftp://example.com/x'), 'RepoInvalid', /http/],
        ['no URL', url('nonsense'), 'RepoInvalid', /no URL/],
        ['impossible branch', { branch: '../x' }, 'RepoInvalid', /no such name/],
      ];
      for (const [name, options, code, words] of rows) {
        const failure = await failureOf((async () => open(options).fetch({ signal }))());
        assert.equal(failure.code, code, name);
        assert.match(failure.message, words, name);
      }
    }));

  it('takes a password out of the URL, and shows it nowhere', () =>
    withScene(async ({ server, open }) => {
      const address = (password: string): string =>
        server.url('site.git').replace('://', `://bot:${encodeURIComponent(password)}@`);
      const options = (password: string): Partial<YamlRepoOptions> => ({
        location: { kind: 'remote', url: address(password) },
        credential: undefined,
      });
      assert.equal((await open(options('s3cret:with:colons')).fetch({ signal })).files.length, 7);
      const failure = await failureOf(open({ ...options('s3cretish'), branch: 'main' }).fetch({ signal }));
      assert.equal(failure.code, 'RepoDenied');
    }));

  it('asks for the password each time, so that a new one works at once', () =>
    withScene(async ({ open }) => {
      let password = 'old';
      const repo = open({ credential: async () => ({ username: 'bot', password }) });
      await failureOf(repo.fetch({ signal }));
      password = 's3cret:with:colons';
      assert.equal((await repo.fetch({ signal })).files.length, 7);
    }));

  it('tells a user who may only read that write access is wanted', () =>
    withScene(async ({ bare, open }) => {
      const repo = open({ credential: reader });
      const base = await repo.fetch({ signal });
      const failure = await failureOf(repo.push(newCommit(base, { 'apps.yaml': 'x' }), { signal }));
      assert.equal(failure.code, 'PushRejected');
      assert.match(failure.remedy, /write access/);
      assert.equal(runGit(bare, ['rev-parse', 'main']), base.commit);
    }));

  it('refuses an empty repository, and one with sha256', () =>
    withScene(async ({ server, bare, open }) => {
      runGit(bare, ['init', '-q', '--bare', '../empty.git']);
      runGit(bare, ['init', '-q', '--bare', '--object-format=sha256', '../other.git']);
      for (const name of ['empty.git', 'other.git']) {
        const failure = await failureOf(
          open({ location: { kind: 'remote', url: server.url(name) } }).fetch({ signal }),
        );
        assert.equal(failure.code, 'RepoInvalid', failure.message);
      }
    }));

  it('reports a server that is not there, is silent, or speaks no Git', () =>
    withScene(async ({ server, open }) => {
      const at = (port: number): Partial<YamlRepoOptions> => ({
        location: { kind: 'remote', url: `http://127.0.0.1:${port}/x.git` },
      });
      const free = createServer();
      await new Promise<void>((resolve) => free.listen(0, '127.0.0.1', resolve));
      const { port } = free.address() as { port: number };
      await new Promise((resolve) => free.close(resolve));
      const refused = await failureOf(open(at(port)).fetch({ signal }));
      assert.deepEqual([refused.code, /refused/.test(refused.message)], ['RepoUnavailable', true]);
      server.intercept = () => true;
      const silent = await failureOf(open({ timeoutMs: 150 }).fetch({ signal }));
      assert.deepEqual([silent.code, /silent for 150 ms/.test(silent.message)], ['RepoUnavailable', true]);
      server.intercept = (_, response) =>
        Boolean(response.setHeader('content-type', 'text/html').end('<html>Log in</html>'));
      const page = await failureOf(open().fetch({ signal }));
      assert.deepEqual([page.code, /web page/.test(page.message)], ['RepoInvalid', true]);
      server.intercept = (_, response) => Boolean(response.writeHead(503).end());
      assert.equal((await failureOf(open().fetch({ signal }))).code, 'RepoUnavailable');
    }));

  it('stops a download that falls silent or grows above the limit', () =>
    withScene(async ({ server, open }) => {
      const failure = await failureOf(open({ maxAnswerBytes: 300 }).fetch({ signal }));
      assert.match(failure.message, /more than 300 bytes/);
      server.intercept = (request, response) => {
        if (request.method !== 'POST') return false;
        response.writeHead(200, { 'content-type': 'application/x-git-upload-pack-result' }).write('0008NAK\n');
        return true;
      };
      assert.equal((await failureOf(open({ timeoutMs: 150 }).fetch({ signal }))).code, 'RepoUnavailable');
    }));

  it('stops an answer that drips for too long', { timeout: 10_000 }, () =>
    withScene(async ({ server, open }) => {
      server.intercept = (request, response) => {
        if (request.method !== 'POST') return false;
        response.writeHead(200, { 'content-type': 'application/x-git-upload-pack-result' });
        const drip = setInterval(() => response.write('0008NAK\n'), 20);
        response.on('close', () => clearInterval(drip));
        return true;
      };
      const failure = await failureOf(open({ timeoutMs: 200, maxExchangeMs: 500 }).fetch({ signal }));
      assert.deepEqual([failure.code, /took more than 500 ms/.test(failure.message)], ['RepoUnavailable', true]);
    }),
  );

  it('ends at once with the reason of its signal', () =>
    withScene(async ({ server, open }) => {
      server.intercept = () => true;
      const controller = new AbortController();
      const fetching = open().fetch({ signal: controller.signal });
      setImmediate(() => controller.abort(new Error('shutting down')));
      await assert.rejects(fetching, /shutting down/);
    }));

  it('follows a redirect within the server, and sends no password elsewhere', () =>
    withScene(async ({ server, bare, open }) => {
      const renamed = (await server.url('old.git')).toString();
      const options: Partial<YamlRepoOptions> = { location: { kind: 'remote', url: renamed } };
      server.intercept = (request, response) => {
        if (!request.url?.startsWith('/old.git')) return false;
        response.writeHead(301, { location: request.url.replace('old.git', 'site.git') }).end();
        return true;
      };
      const repo = open(options);
      const base = await repo.fetch({ signal });
      assert.equal(base.commit, runGit(bare, ['rev-parse', 'main']));
      assert.equal((await repo.push(newCommit(base, { 'apps.yaml': 'x' }), { signal })).kind, 'pushed');
      const other = await startGitServer({ root: join(bare, '..') });
      server.intercept = (request, response) =>
        Boolean(response.writeHead(302, { location: `${other.url('')}${request.url?.slice(1)}` }).end());
      const failure = await failureOf(open({ ...options, branch: 'main' }).fetch({ signal }));
      assert.match(failure.message, /redirects to/);
      assert.deepEqual([failure.code, other.requests], ['RepoInvalid', []]);
      await other.close();
    }));

  it('works with a server that does not speak version 2', () =>
    withScene(async ({ bare, server, open }) => {
      server.intercept = (request) => {
        delete request.headers['git-protocol'];
        return false;
      };
      const repo = open();
      const base = await repo.fetch({ signal });
      assert.equal((await repo.push(newCommit(base, { 'apps.yaml': 'x' }), { signal })).kind, 'pushed');
      assert.equal((await repo.fetch({ signal })).commit, runGit(bare, ['rev-parse', 'main']));
      assert.match((await failureOf(open({ branch: 'nope' }).fetch({ signal }))).message, /no branch "nope"/);
    }));
});
