import assert from 'node:assert/strict';
import { chmodSync, readdirSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { TallymanError } from '../../src/error/tallyman-error.ts';
import { type ClosableYamlRepo, createYamlRepo, type YamlRepoOptions } from '../../src/git/yaml-repo.ts';
import {
  commitFiles,
  type GitServer,
  type GitUser,
  makeBareRepo,
  manyFiles,
  runGit,
  startGitServer,
} from '../services/git-server.ts';
import { newCommit, oidOf, signal, withFolder } from './workshop.ts';

const users: GitUser[] = [
  { name: 'bot', password: 's3cret:with:colons', canPush: true },
  { name: 'reader', password: 'r', canPush: false },
];
const files = {
  'apps/web.yaml': 'image: web:1\n',
  'apps/run.sh': { mode: '100755', text: 'echo 1\n' },
  'apps.yaml': 'a',
  'apps-x/y.yaml': 'b',
  'mit Leerzeichen/größe.yaml': 'c',
  link: { mode: '120000', text: 'apps/web.yaml' },
  module: { mode: '160000', text: '1'.repeat(40) },
};

interface Scene {
  readonly bare: string;
  readonly server: GitServer;
  readonly state: string;
  /** Another client of the same repository and the same kept clone. */
  open(options?: Partial<YamlRepoOptions>): ClosableYamlRepo;
}

/** A served repository `site.git` with `files`, and clients of it that are closed afterwards. */
async function withScene(
  run: (scene: Scene) => Promise<void>,
  content = files as Parameters<typeof makeBareRepo>[1],
): Promise<void> {
  await withFolder(async (folder) => {
    const bare = makeBareRepo(join(folder, 'site.git'), content);
    const server = await startGitServer({ root: folder, users });
    const state = join(folder, 'state');
    const opened: ClosableYamlRepo[] = [];
    const open = (options: Partial<YamlRepoOptions> = {}): ClosableYamlRepo => {
      const repo = createYamlRepo({
        location: { kind: 'remote', url: server.url('site.git') },
        stateDir: state,
        credential: async () => ({ username: 'bot', password: 's3cret:with:colons' }),
        timeoutMs: 20_000,
        ...options,
      });
      opened.push(repo);
      return repo;
    };
    try {
      await run({ bare, server, state, open });
    } finally {
      for (const repo of opened) await repo.close();
      await server.close();
    }
  });
}

function fsck(scene: Scene): void {
  runGit(scene.bare, ['fsck', '--strict']);
  const [clone = ''] = readdirSync(scene.state);
  runGit(join(scene.state, clone), ['fsck', '--strict']);
}

/** The failure, with no credential in any of its words. */
async function failureOf(promise: Promise<unknown>): Promise<TallymanError> {
  const failure = await promise.then(
    () => assert.fail('a failure was wanted'),
    (error: TallymanError) => error,
  );
  assert.equal(failure.name, 'TallymanError', String(failure.stack));
  const words = `${failure.message} ${failure.remedy} ${JSON.stringify(failure.cause)} ${String(failure.cause)}`;
  for (const secret of ['s3cret', Buffer.from('bot:s3cret:with:colons').toString('base64')])
    assert.ok(!words.includes(secret), words);
  assert.ok(!/force/i.test(`${failure.message} ${failure.remedy}`));
  return failure;
}

describe('remote repository', () => {
  it('lists every entry with its mode, and reads blobs by id', () =>
    withScene(async ({ bare, open }) => {
      const repo = open();
      const snapshot = await repo.fetch({ signal });
      assert.equal(snapshot.commit, runGit(bare, ['rev-parse', 'main']));
      const listed = runGit(bare, [
        '-c',
        'core.quotePath=off',
        'ls-tree',
        '-r',
        '--format=%(objectmode) %(objectname) %(path)',
        'main',
      ]);
      assert.deepEqual(
        snapshot.files.map((file) => `${file.mode} ${file.oid} ${file.path}`),
        listed.split('\n'),
      );
      const oid = oidOf(snapshot, 'mit Leerzeichen/größe.yaml');
      assert.equal((await repo.readBlobs([oid], { signal })).get(oid)?.toString(), 'c');
    }));

  it('gives the same snapshot with one small request while nothing moves', () =>
    withScene(async ({ server, open }) => {
      const repo = open();
      const first = await repo.fetch({ signal });
      server.requests.length = 0;
      assert.equal(await repo.fetch({ signal }), first);
      assert.deepEqual(server.requests, ['POST /site.git/git-upload-pack']);
    }));

  it('pushes one commit with everything else as it was', () =>
    withScene(async (scene) => {
      const repo = scene.open();
      let snapshot = await repo.fetch({ signal });
      const changes = {
        'apps/web.yaml': 'image: web:2\n',
        'apps/run.sh': 'echo 2\n',
        'mit Leerzeichen/größe.yaml': 'd',
      };
      const outcome = await repo.push(newCommit(snapshot, changes, 'Update 3 images\n\nTallyman-Plan: x'), { signal });
      const tip = runGit(scene.bare, ['rev-parse', 'main']);
      assert.deepEqual(outcome, { kind: 'pushed', commit: tip });
      const raw = runGit(scene.bare, ['-c', 'core.quotePath=off', 'diff', '--raw', '--abbrev=4', snapshot.commit, tip]);
      assert.deepEqual(
        raw.split('\n').map((line) => line.replace(/^:(\d+) (\d+) \S+ \S+ (.*)$/, '$1 $2 $3')),
        [
          '100755 100755 M\tapps/run.sh',
          '100644 100644 M\tapps/web.yaml',
          '100644 100644 M\tmit Leerzeichen/größe.yaml',
        ],
      );
      const format = '%an <%ae> %at %ai|%cn %ct|%P|%B';
      assert.equal(
        runGit(scene.bare, ['log', '-1', `--format=${format}`, 'main']).trim(),
        `Tallyman <tallyman@example.com> 1700000123 2023-11-14 22:15:23 +0000|Tallyman 1700000123|${snapshot.commit}|Update 3 images\n\nTallyman-Plan: x`,
      );
      fsck(scene);
      scene.server.requests.length = 0;
      snapshot = await repo.fetch({ signal });
      assert.equal(snapshot.commit, tip);
      assert.deepEqual(scene.server.requests, ['POST /site.git/git-upload-pack'], 'what was pushed is not downloaded');
      const oid = oidOf(snapshot, 'apps/web.yaml');
      assert.equal((await repo.readBlobs([oid], { signal })).get(oid)?.toString(), 'image: web:2\n');
    }));

  it('goes on after a restart with the clone it kept, and after a push by someone else', () =>
    withScene(async (scene) => {
      const first = await scene.open().fetch({ signal });
      scene.server.requests.length = 0;
      const restarted = scene.open();
      assert.deepEqual(await restarted.fetch({ signal }), first);
      assert.equal(scene.server.requests.length, 2, 'no download');
      for (const text of ['one', 'two']) {
        const tip = commitFiles(scene.bare, { 'apps/web.yaml': text, [`new/${text}.yaml`]: text });
        const snapshot = await restarted.fetch({ signal });
        assert.equal(snapshot.commit, tip);
        const [clone = ''] = readdirSync(scene.state);
        assert.equal(runGit(join(scene.state, clone), ['rev-parse', 'main']), tip, 'the next fetch starts there');
        const oid = oidOf(snapshot, `new/${text}.yaml`);
        assert.equal((await restarted.readBlobs([oid], { signal })).get(oid)?.toString(), text);
        assert.equal((await restarted.push(newCommit(snapshot, { 'apps.yaml': text }), { signal })).kind, 'pushed');
      }
      fsck(scene);
    }));

  it('writes nothing when someone else was first, before or during the push', () =>
    withScene(async ({ bare, server, open }) => {
      const repo = open();
      const base = await repo.fetch({ signal });
      const tip = commitFiles(bare, { 'apps.yaml': 'theirs' });
      assert.deepEqual(await repo.push(newCommit(base, { 'apps.yaml': 'ours' }), { signal }), { kind: 'moved' });
      const second = await repo.fetch({ signal });
      assert.equal(second.commit, tip);
      let during = '';
      server.intercept = (request) => {
        if (request.method === 'POST' && request.url?.endsWith('receive-pack') && during === '')
          during = commitFiles(bare, { 'apps.yaml': 'theirs again' });
        return false;
      };
      assert.deepEqual(await repo.push(newCommit(second, { 'apps.yaml': 'ours' }), { signal }), { kind: 'moved' });
      assert.equal(runGit(bare, ['rev-parse', 'main']), during);
      assert.equal((await repo.fetch({ signal })).commit, during);
    }));

  it('follows a branch that was rewritten', () =>
    withScene(async (scene) => {
      const repo = scene.open();
      await repo.fetch({ signal });
      const tip = commitFiles(scene.bare, { 'only.yaml': 'x' }, { rewrite: true });
      const snapshot = await repo.fetch({ signal });
      assert.deepEqual([snapshot.commit, snapshot.files.map((file) => file.path)], [tip, ['only.yaml']]);
      assert.equal((await repo.push(newCommit(snapshot, { 'only.yaml': 'y' }), { signal })).kind, 'pushed');
      fsck(scene);
    }));

  it('uses the branch that it is given, and HEAD else', () =>
    withScene(async ({ bare, open }) => {
      const tip = commitFiles(bare, { 'a.yaml': '1' }, { branch: 'env/prod' });
      const repo = open({ branch: 'env/prod' });
      const base = await repo.fetch({ signal });
      assert.equal(base.commit, tip);
      assert.equal((await repo.push(newCommit(base, { 'a.yaml': '2' }), { signal })).kind, 'pushed');
      assert.equal(runGit(bare, ['show', 'env/prod:a.yaml']), '2');
      runGit(bare, ['symbolic-ref', 'HEAD', 'refs/heads/env/prod']);
      assert.equal((await open().fetch({ signal })).files.length, 1);
    }));

  it('keeps up when the answer to an accepted push is lost', () =>
    withScene(async ({ bare, server, open }) => {
      const repo = open();
      const base = await repo.fetch({ signal });
      server.intercept = (request, response, serve) => {
        if (request.method !== 'POST' || !request.url?.endsWith('receive-pack')) return false;
        response.write = () => true;
        response.end = () => response.destroy();
        serve().catch(() => undefined);
        return true;
      };
      const outcome = await repo.push(newCommit(base, { 'apps.yaml': 'ours' }), { signal });
      assert.deepEqual(outcome, { kind: 'pushed', commit: runGit(bare, ['rev-parse', 'main']) });
      assert.notEqual(runGit(bare, ['rev-parse', 'main']), base.commit);
    }));

  it('sends again, once, when the connection broke before the server had the push', () =>
    withScene(async ({ bare, server, open }) => {
      const repo = open();
      const base = await repo.fetch({ signal });
      let broken = 0;
      let times = 1;
      server.intercept = (request, response) => {
        if (request.method !== 'POST' || !request.url?.endsWith('receive-pack') || broken === times) return false;
        broken++;
        response.destroy();
        return true;
      };
      assert.equal((await repo.push(newCommit(base, { 'apps.yaml': 'ours' }), { signal })).kind, 'pushed');
      const next = await repo.fetch({ signal });
      [broken, times] = [0, 2];
      const failure = await failureOf(repo.push(newCommit(next, { 'apps.yaml': 'more' }), { signal }));
      assert.equal(failure.code, 'RepoUnavailable');
      assert.equal(runGit(bare, ['rev-parse', 'main']), next.commit);
    }));

  it("quotes a hook's refusal, and keeps nothing of the refused commit", () =>
    withScene(async (scene) => {
      const hook = join(scene.bare, 'hooks/pre-receive');
      writeFileSync(
        hook,
        '#!/bin/sh\nprintf "\\033[31mNo deploys on Friday\\033[0m, see https://a:b@wiki/x\\n" >&2\nexit 1\n',
      );
      chmodSync(hook, 0o755);
      const repo = scene.open();
      const base = await repo.fetch({ signal });
      const failure = await failureOf(repo.push(newCommit(base, { 'apps.yaml': 'x' }), { signal }));
      assert.equal(failure.code, 'PushRejected');
      assert.equal(
        failure.message,
        'Cannot push to branch "main": the server said "pre-receive hook declined: No deploys on Friday, see https://wiki/x"',
      );
      assert.equal(await repo.fetch({ signal }), base);
      rmSync(hook);
      assert.equal((await repo.push(newCommit(base, { 'apps.yaml': 'x' }), { signal })).kind, 'pushed');
      fsck(scene);
    }));

  it('cannot change what is not there', () =>
    withScene(async ({ bare, open }) => {
      const repo = open();
      const base = await repo.fetch({ signal });
      for (const path of ['missing.yaml', 'apps', 'link', 'module']) {
        assert.equal((await failureOf(repo.push(newCommit(base, { [path]: 'x' }), { signal }))).code, 'Internal');
      }
      assert.equal(runGit(bare, ['rev-parse', 'main']), base.commit);
    }));

  it('leaves out blobs above the limit', () =>
    withScene(async ({ open }) => {
      const repo = open({ maxBlobBytes: 6 });
      const base = await repo.fetch({ signal });
      const blobs = await repo.readBlobs(
        base.files.filter((file) => file.mode !== '160000').map((file) => file.oid),
        { signal },
      );
      assert.deepEqual([...blobs.values()].map(String).sort(), ['a', 'b', 'c']);
    }));
});

describe('remote repository, its kept clone', () => {
  const damage: Record<string, (clone: string) => void> = {
    'a pack cut off': (clone) => {
      const pack = join(
        clone,
        'objects/pack',
        readdirSync(join(clone, 'objects/pack')).find((name) => name.endsWith('.pack')) ?? '',
      );
      renameSync(pack, `${pack}.x`);
      writeFileSync(pack, readFileSync(`${pack}.x`).subarray(0, 300));
    },
    'an index cut off': (clone) => {
      const index = join(
        clone,
        'objects/pack',
        readdirSync(join(clone, 'objects/pack')).find((name) => name.endsWith('.idx')) ?? '',
      );
      chmodSync(index, 0o644);
      truncateSync(index, 1100);
    },
    'no objects': (clone) => rmSync(join(clone, 'objects'), { recursive: true }),
    'nothing in it': (clone) => {
      for (const name of readdirSync(clone)) rmSync(join(clone, name), { recursive: true });
    },
  };
  for (const [name, harm] of Object.entries(damage)) {
    it(`is made again with ${name}`, () =>
      withScene(async (scene) => {
        const first = await scene.open().fetch({ signal });
        const [clone = ''] = readdirSync(scene.state);
        harm(join(scene.state, clone));
        const logged: string[] = [];
        const repo = scene.open({ log: (message) => void logged.push(message) });
        const snapshot = await repo.fetch({ signal });
        assert.deepEqual(snapshot, first);
        const oid = oidOf(snapshot, 'apps/web.yaml');
        assert.equal((await repo.readBlobs([oid], { signal })).size, 1);
        fsck(scene);
      }));
  }

  it('leaves nothing behind when a clone fails half-way, and succeeds the next time', () =>
    withScene(async (scene) => {
      scene.server.intercept = (request, response) => {
        if (request.method !== 'POST' || request.headers['git-protocol'] !== undefined) return false;
        response.writeHead(200, { 'content-type': 'application/x-git-upload-pack-result' });
        response.write('0008NAK\n0050\u0001PACK', () => response.destroy());
        return true;
      };
      const repo = scene.open();
      assert.equal((await failureOf(repo.fetch({ signal }))).code, 'RepoUnavailable');
      assert.deepEqual(readdirSync(scene.state), []);
      scene.server.intercept = undefined;
      assert.equal((await repo.fetch({ signal })).files.length, 7);
    }));

  it('lists 5,000 files as git does, and only reads what changed', () =>
    withScene(async (scene) => {
      const repo = scene.open();
      const snapshot = await repo.fetch({ signal });
      const list = (): string[] =>
        runGit(scene.bare, ['ls-tree', '-r', '--format=%(objectname) %(path)', 'main']).split('\n');
      assert.deepEqual(
        snapshot.files.map((file) => `${file.oid} ${file.path}`),
        list(),
      );
      assert.equal(
        (
          await repo.readBlobs(
            snapshot.files.map((file) => file.oid),
            { signal },
          )
        ).size,
        5000,
      );
      assert.equal(
        (await repo.push(newCommit(snapshot, { 'apps/0042/file-07.yaml': 'x' }), { signal })).kind,
        'pushed',
      );
      const next = await repo.fetch({ signal });
      assert.deepEqual(
        next.files.map((file) => `${file.oid} ${file.path}`),
        list(),
      );
      const kept = snapshot.files.find((file) => file.path.startsWith('apps/0041/'));
      assert.ok(kept && next.files.includes(kept), 'an unchanged folder is not listed anew');
      fsck(scene);
    }, manyFiles(5000)));
});

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
