import assert from 'node:assert/strict';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { CommitInfo } from '../../src/pipeline/ports.ts';
import { commitFiles, makeBareRepo, runGit } from '../services/git-server.ts';
import { open as openLocal } from './local-scene.ts';
import { failureOf, fsck, type Scene, withScene } from './remote-scene.ts';
import { newCommit, signal, withFolder } from './workshop.ts';

/** Commits of one file on main, a minute apart: `edit 1`, `edit 2`, … */
function addCommits(repo: string, count: number, first = 1, branch = 'main'): void {
  const parts: string[] = [];
  for (let number = first; number < first + count; number++) {
    const text = `version ${number}\n`;
    const message = `edit ${number}`;
    parts.push(
      `commit refs/heads/${branch}\ncommitter Ada <ada@example.com> ${1_700_000_000 + number * 60} +0000\n`,
      `data ${message.length}\n${message}\n`,
      number === first ? `from refs/heads/${branch}^0\n` : '',
      `M 100644 inline apps/history.yaml\ndata ${text.length}\n${text}\n`,
    );
  }
  runGit(repo, ['fast-import', '--quiet', '--date-format=raw'], parts.join(''));
}

const idsOf = (commits: readonly CommitInfo[]): string[] => commits.map(({ id }) => id);
const logOf = (repo: string, count: number, from = 'main'): string[] =>
  runGit(repo, ['log', '--date-order', `--max-count=${count}`, '--format=%H', from]).split('\n');
const cloneOf = ({ state }: Scene): string => join(state, readdirSync(state)[0] ?? '');

const version0: Scene['server']['intercept'] = (request) => {
  delete request.headers['git-protocol'];
  return false;
};
/** What servers differ in: the protocol's version, and what they let themselves be asked for. */
const servers: Record<string, { settings: string[]; intercept?: Scene['server']['intercept']; partial: boolean }> = {
  'version 2 with filters': { settings: ['uploadpack.allowFilter'], partial: true },
  'version 2 without filters': { settings: [], partial: false },
  'version 0 with filters': {
    settings: ['uploadpack.allowFilter', 'uploadpack.allowAnySHA1InWant'],
    intercept: version0,
    partial: true,
  },
  'version 0 with filters that gives branch tips alone': {
    settings: ['uploadpack.allowFilter'],
    intercept: version0,
    partial: false,
  },
  'version 0 without filters': { settings: [], intercept: version0, partial: false },
};

describe('history of a remote repository', () => {
  for (const [name, { settings, intercept, partial }] of Object.entries(servers)) {
    it(`is downloaded by steps from a server of ${name}`, () =>
      withScene(async (scene) => {
        const { bare, server, open } = scene;
        for (const setting of settings) runGit(bare, ['config', setting, 'true']);
        addCommits(bare, 700);
        server.intercept = intercept;
        const repo = open();
        const tip = await repo.fetch({ signal });
        for (const count of [1, 10, 65, 600]) {
          const { commits, complete } = await repo.listCommits(tip.commit, { count, signal });
          assert.deepEqual([idsOf(commits), complete], [logOf(bare, count), false], `${count}`);
          runGit(cloneOf(scene), ['fsck', '--strict']);
        }
        const all = await repo.listCommits(tip.commit, { count: 5000, signal });
        assert.deepEqual([all.commits.length, all.complete], [701, true]);
        assert.deepEqual(idsOf(all.commits), logOf(bare, 5000));
        assert.deepEqual(runGit(cloneOf(scene), ['log', '--format=%H', 'main']).split('\n'), logOf(bare, 5000));
        const old = all.commits[300]?.id ?? '';
        const found = await repo.findFiles(old, ['apps/history.yaml', 'apps', 'no', 'link', 'module', ''], { signal });
        assert.deepEqual([...found.keys()], ['apps/history.yaml']);
        const oid = found.get('apps/history.yaml') ?? '';
        assert.equal((await repo.readBlobs([oid], { signal })).get(oid)?.toString(), 'version 400\n');
        const config = runGit(cloneOf(scene), ['config', '--default', 'none', '--get', 'extensions.partialClone']);
        assert.equal(config, partial ? 'origin' : 'none');
        fsck(scene);
        server.requests.length = 0;
        assert.equal(await repo.listCommits(tip.commit, { count: 5000, signal }), all);
        assert.deepEqual(server.requests, []);
      }));
  }

  it('goes on after pushes, other commits and a restart, and downloads no further back than it must', () =>
    withScene(async (scene) => {
      const { bare, server, open } = scene;
      runGit(bare, ['config', 'uploadpack.allowFilter', 'true']);
      addCommits(bare, 300);
      const repo = open();
      let tip = await repo.fetch({ signal });
      await repo.listCommits(tip.commit, { count: 20, signal });
      assert.equal(runGit(cloneOf(scene), ['rev-list', '--count', 'main']), '20');
      assert.equal((await repo.push(newCommit(tip, { 'apps.yaml': 'ours' }), { signal })).kind, 'pushed');
      tip = await repo.fetch({ signal });
      server.requests.length = 0;
      const mine = await repo.listCommits(tip.commit, { count: 20, signal });
      assert.deepEqual([idsOf(mine.commits), server.requests], [logOf(bare, 20), []]);
      addCommits(bare, 30, 301);
      tip = await repo.fetch({ signal });
      const again = open();
      const theirs = await again.listCommits(tip.commit, { count: 40, signal });
      assert.deepEqual(idsOf(theirs.commits), logOf(bare, 40));
      fsck(scene);
    }));

  it('has every file of a branch that was put back to a commit of the past', () =>
    withScene(async (scene) => {
      const { bare, open } = scene;
      runGit(bare, ['config', 'uploadpack.allowFilter', 'true']);
      addCommits(bare, 30);
      const repo = open();
      const tip = await repo.fetch({ signal });
      await repo.listCommits(tip.commit, { count: 100, signal });
      const old = runGit(bare, ['rev-parse', 'main~20']);
      runGit(bare, ['update-ref', 'refs/heads/main', old]);
      const snapshot = await repo.fetch({ signal });
      assert.equal(snapshot.commit, old);
      runGit(bare, ['config', 'uploadpack.allowFilter', 'false']);
      const oids = snapshot.files.filter((file) => file.mode !== '160000').map((file) => file.oid);
      assert.equal((await repo.readBlobs(oids, { signal })).size, oids.length);
      fsck(scene);
    }));

  it('survives a clone that is thrown away', () =>
    withScene(async (scene) => {
      addCommits(scene.bare, 100);
      const repo = scene.open();
      const tip = await repo.fetch({ signal });
      const old = (await repo.listCommits(tip.commit, { count: 90, signal })).commits.at(-1)?.id ?? '';
      rmSync(cloneOf(scene), { recursive: true });
      const other = scene.open();
      assert.equal((await other.findFiles(old, ['apps/history.yaml'], { signal })).size, 1);
      const { commits } = await other.listCommits(tip.commit, { count: 90, signal });
      assert.deepEqual(idsOf(commits), logOf(scene.bare, 90));
    }));

  it('says so where the server has no such commit or blob', () =>
    withScene(async (scene) => {
      runGit(scene.bare, ['config', 'uploadpack.allowFilter', 'true']);
      addCommits(scene.bare, 5);
      const repo = scene.open();
      const tip = await repo.fetch({ signal });
      await repo.listCommits(tip.commit, { count: 100, signal });
      const none = '1'.repeat(40);
      for (const run of [
        () => repo.listCommits(none, { count: 3, signal }),
        () => repo.findFiles(none, ['x'], { signal }),
        () => repo.readBlobs([none], { signal }),
      ]) {
        const failure = await failureOf(run());
        assert.equal(failure.code, 'RepoInvalid', failure.message);
      }
      assert.equal((await repo.fetch({ signal })).commit, tip.commit);
    }));

  it('is not complete where the server itself has not all of it', () =>
    withScene(async (scene) => {
      addCommits(scene.bare, 50);
      runGit(join(scene.bare, '..'), ['clone', '-q', '--bare', '--depth=20', `file://${scene.bare}`, 'cut.git']);
      const repo = scene.open({ location: { kind: 'remote', url: scene.server.url('cut.git') } });
      const tip = await repo.fetch({ signal });
      const { commits, complete, cut } = await repo.listCommits(tip.commit, { count: 30, signal });
      assert.deepEqual([idsOf(commits), complete, cut], [logOf(scene.bare, 20), false, commits[19]?.id]);
    }));
});

describe('history of a local repository', () => {
  it('is read from its objects, up to the boundary of a shallow one', () =>
    withFolder(async (folder) => {
      const bare = makeBareRepo(join(folder, 'site.git'), { 'a.yaml': 'x' });
      addCommits(bare, 30);
      runGit(folder, ['clone', '-q', '--bare', '--depth=10', `file://${bare}`, 'cut.git']);
      const rows: [string, number, number, boolean][] = [
        ['site.git', 5, 5, false],
        ['site.git', 31, 31, true],
        ['site.git', 99, 31, true],
        ['cut.git', 5, 5, false],
        ['cut.git', 10, 10, false],
        ['cut.git', 99, 10, false],
      ];
      for (const [name, count, length, whole] of rows) {
        const repo = openLocal(join(folder, name));
        const tip = await repo.fetch({ signal });
        const { commits, complete, cut } = await repo.listCommits(tip.commit, { count, signal });
        assert.deepEqual([idsOf(commits), complete], [logOf(bare, length), whole], `${name} ${count}`);
        assert.equal(cut, name === 'cut.git' && count === 99 ? commits[9]?.id : undefined);
        const found = await repo.findFiles(commits.at(-1)?.id ?? '', ['apps/history.yaml', 'a.yaml'], { signal });
        assert.equal(found.size, length === 31 ? 1 : 2);
        await repo.close();
      }
    }));

  it('lists merges newest first, and children before parents whatever the clocks said', () =>
    withFolder(async (folder) => {
      const bare = makeBareRepo(join(folder, 'site.git'), { 'a.yaml': 'x' });
      addCommits(bare, 5);
      runGit(bare, ['branch', 'side', 'main~2']);
      addCommits(bare, 4, 2, 'side');
      const tree = runGit(bare, ['rev-parse', 'main^{tree}']);
      const merge = runGit(bare, ['commit-tree', tree, '-p', 'main', '-p', 'side', '-m', 'merge']);
      runGit(bare, ['update-ref', 'refs/heads/main', merge]);
      const repo = openLocal(bare);
      const { commits, complete } = await repo.listCommits(merge, { count: 100, signal });
      assert.deepEqual([...idsOf(commits)].sort(), [...logOf(bare, 100)].sort());
      assert.equal(complete, true);
      const place = new Map(idsOf(commits).map((id, index) => [id, index]));
      for (const { id, parents } of commits)
        for (const parent of parents) assert.ok((place.get(parent) ?? 0) > (place.get(id) ?? 0));
      commitFiles(bare, { 'b.yaml': 'y' });
      await repo.close();
    }));
});
