import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { after, before, describe, it } from 'node:test';
import { commitFiles, type Intercept, runGit } from '../services/git-server.ts';
import { makeApp } from './manifests.ts';
import type { Finished } from './run-program.ts';
import { readTree, startWorld, tipOf, type World } from './world.ts';

describe('somebody else pushes at the same time', { concurrency: 3 }, () => {
  let world: World;
  const intercepts = new Map<string, Intercept>();

  before(async () => {
    world = await startWorld();
    world.git.intercept = (request, response, serve) => {
      const intercept = [...intercepts].find(([prefix]) => request.url?.startsWith(prefix))?.[1];
      return intercept?.(request, response, serve) ?? false;
    };
    for (const tag of ['1.4.2', '1.5.0']) await world.publish('acme/web', tag);
  });
  after(() => world?.close());

  const makeRepo = (name: string): string =>
    world.makeRepo(name, makeApp('web', `${world.registry.host}/acme/web`, '1.4.2'));
  const runOn = async (name: string, intercept: Intercept): Promise<Finished> => {
    intercepts.set(`/${name}.git/`, intercept);
    return await world.run(['run', '--once', '--config', world.configure(name, { repos: [world.remote(name)] })]);
  };
  /** Ours on top of theirs on top of the start: nothing merged, nothing forced away. */
  const assertLinear = (bare: string, commits: readonly string[]): void => {
    const expected = commits.map((commit, index) => [commit, commits[index + 1] ?? ''].join(' ').trim());
    assert.deepEqual(runGit(bare, ['rev-list', '--parents', 'main']).split('\n'), expected);
  };

  for (const { moment, isMoment } of [
    { moment: 'before the push begins', isMoment: (line: string) => /^GET .*service=git-receive-pack/.test(line) },
    { moment: 'when the push is on its way', isMoment: (line: string) => /^POST .*git-receive-pack/.test(line) },
  ])
    it(`${moment}: both commits are there, one after the other`, async () => {
      const name = moment.replaceAll(' ', '-');
      const bare = makeRepo(name);
      const start = tipOf(bare);
      const file = 'web/deployment.yaml';
      let theirs: string | undefined;
      const result = await runOn(name, ({ method, url }) => {
        if (theirs === undefined && isMoment(`${method} ${url}`)) {
          const changed = `# Scaled by hand\n${readTree(bare)[file]?.text}`;
          theirs = commitFiles(bare, { [file]: changed, 'theirs.txt': 'theirs\n' });
        }
        return false;
      });
      assert.equal(result.code, 0, result.stderr);
      assertLinear(bare, [tipOf(bare), theirs ?? '', start]);
      const tree = readTree(bare);
      assert.equal(tree['theirs.txt']?.text, 'theirs\n');
      assert.match(tree[file]?.text ?? '', /^# Scaled by hand\n[\s\S]*acme\/web:1\.5\.0\n$/);
      assert.equal(runGit(bare, ['diff', '--numstat', 'main~1', 'main']), `1\t1\t${file}`);
    });

  it('a branch that moves back and forth without end is given up, and told', async () => {
    const bare = makeRepo('restless');
    let moves = 0;
    const result = await runOn('restless', ({ method, url }) => {
      if (/^GET .*service=git-receive-pack/.test(`${method} ${url}`))
        commitFiles(bare, { 'count.txt': `${++moves}\n` });
      return false;
    });
    assert.equal(result.code, 1, result.stderr);
    assert.equal(result.log.find((line) => line.code !== undefined)?.code, 'PushRaced');
    assert.equal(runGit(bare, ['rev-list', '--count', 'main']), `${moves + 1}`);
  });

  it('an answer that is lost after the push makes no second commit', async () => {
    const bare = makeRepo('lost');
    const start = tipOf(bare);
    let lost = 0;
    const result = await runOn('lost', ({ method, url }, response) => {
      if (lost === 0 && /^POST .*git-receive-pack/.test(`${method} ${url}`)) {
        lost += 1;
        swallow(response);
      }
      return false;
    });
    assert.equal(result.code, 0, result.stderr);
    assert.equal(lost, 1);
    assertLinear(bare, [tipOf(bare), start]);
    assert.match(readTree(bare)['web/deployment.yaml']?.text ?? '', /acme\/web:1\.5\.0/);
  });
});

/** Nothing of the answer gets out; the connection is cut where it would have ended. */
function swallow(response: ServerResponse): void {
  const nothing = { write: () => true, flushHeaders: () => undefined, writeHead: () => response };
  Object.assign(response, nothing, { end: () => response.destroy() });
}
