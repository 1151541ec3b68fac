/**
 * Ends the program with SIGKILL at named steps and at random instants of its passes, and makes sure after each restart that
 * nothing was written twice and nothing got lost. `KILLED_SECONDS=600` goes on at random for longer.
 */
import assert from 'node:assert/strict';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { commitFiles, type Intercept, runGit } from '../services/git-server.ts';
import { formatDeployment, formatPolicy } from './manifests.ts';
import type { Finished } from './run-program.ts';
import { readTree, startWorld, tipOf, type World } from './world.ts';

const apps = ['web', 'api'];
/** Bounds the random part. */
const seconds = Number(process.env.KILLED_SECONDS ?? 10);

/** A step at which the process ends: before or after the server has served a request. */
interface Step {
  readonly name: string;
  readonly isAt: (line: string) => boolean;
  readonly served: boolean;
}

const steps: readonly Step[] = [
  { name: 'before the tip is known', isAt: (line) => /^GET .*git-upload-pack/.test(line), served: false },
  { name: 'before the files are there', isAt: (line) => /^POST .*git-upload-pack/.test(line), served: false },
  { name: 'when the files are sent', isAt: (line) => /^POST .*git-upload-pack/.test(line), served: true },
  { name: 'before the push begins', isAt: (line) => /^GET .*git-receive-pack/.test(line), served: false },
  { name: 'when the commit is on its way', isAt: (line) => /^POST .*git-receive-pack/.test(line), served: false },
  {
    name: 'when the commit is there and the answer is not',
    isAt: (line) => /^POST .*git-receive-pack/.test(line),
    served: true,
  },
];

describe('killed at any moment', () => {
  let world: World;
  let bare: string;
  let minor = 0;
  let states = 0;
  let intercept: Intercept | undefined;

  before(async () => {
    world = await startWorld();
    world.git.intercept = (...request) => intercept?.(...request) ?? false;
    const host = world.registry.host;
    const files = apps.map((app) => ({
      [`${app}/policy.yaml`]: `${formatPolicy(app, `${host}/acme/${app}`)}${app === 'api' ? '  write: { group: apis }\n' : ''}`,
      [`${app}/deployment.yaml`]: formatDeployment(app, `${host}/acme/${app}:1.0.0`),
    }));
    bare = world.makeRepo('killed', Object.assign({}, ...files));
  });
  after(() => world?.close());

  /** A version above all others, for each app; what Git is to have then. */
  async function publish(): Promise<string> {
    minor += 1;
    for (const app of apps) await world.publish(`acme/${app}`, `1.${minor}.0`);
    return `1.${minor}.0`;
  }

  /** With an empty disk each time, or with what the one before left. */
  const configure = (emptyDisk: boolean): string => {
    states += emptyDisk ? 1 : 0;
    const stateDir = join(world.folder, `killed-state-${states}`);
    return world.configure('killed', { repos: [world.remote('killed')], stateDir });
  };

  async function restart(config: string): Promise<void> {
    const { code, stderr }: Finished = await world.run(['run', '--once', '--config', config]);
    assert.equal(code, 0, stderr);
  }

  /** Every version once, in their order, on one line of commits, each plan once, and the newest in the files. */
  function assertExact(newest: string): void {
    const log = runGit(bare, ['log', '--reverse', '--format=%B', 'main']);
    const versions = apps.map((app) => [
      ...log.matchAll(new RegExp(`^Tallyman-Update: shop/${app} \\S+ (\\S+) -> (\\S+)$`, 'gm')),
    ]);
    for (const [index, updates] of versions.entries()) {
      const written = updates.map(([, , to]) => to);
      assert.equal(new Set(written).size, written.length, `${apps[index]}: ${written}`);
      const before = updates.map(([, from]) => from);
      assert.deepEqual(before, ['1.0.0', ...written].slice(0, before.length));
      assert.equal(written.at(-1), newest);
    }
    const plans = [...log.matchAll(/^Tallyman-Plan: (\S+)$/gm)].map(([, plan]) => plan);
    assert.equal(new Set(plans).size, plans.length);
    assert.equal(runGit(bare, ['rev-list', '--min-parents=2', '--count', 'main']), '0');
    const tree = readTree(bare);
    for (const app of apps) assert.match(tree[`${app}/deployment.yaml`]?.text ?? '', new RegExp(`:${newest}\\n$`));
    assert.equal(runGit(bare, ['fsck', '--strict', '--no-dangling']), '');
  }

  for (const [index, step] of steps.entries()) {
    it(step.name, async () => {
      const newest = await publish();
      const config = configure(index % 2 === 0);
      const running = world.start(['run', '--once', '--config', config]);
      intercept = killAt(step, () => running.child.kill('SIGKILL'));
      const { code } = await running.finished;
      intercept = undefined;
      assert.equal(code, 'SIGKILL');
      await settle(bare);
      await restart(configure(index % 3 === 0));
      assertExact(newest);
    });
  }

  it('at random, while others push too', { timeout: (seconds + 120) * 1000 }, async (test) => {
    const end = Date.now() + seconds * 1000;
    const config = configure(true);
    let longestMs = 1000;
    let newest = await publish();
    let kills = 0;
    while (Date.now() < end) {
      await settle(bare);
      if (Math.random() < 0.3) commitFiles(bare, { 'notes.txt': `${Date.now()}\n` });
      const tip = tipOf(bare);
      const running = world.start(['run', '--config', config]);
      const alive = wait(Math.random() * longestMs).then(() => running.child.kill('SIGKILL'));
      await Promise.all([running.finished, alive]);
      kills += 1;
      if (tipOf(bare) === tip) longestMs = Math.min(longestMs * 1.3, 20_000);
      else newest = await publish();
    }
    await settle(bare);
    await restart(configure(Math.random() < 0.5));
    assertExact(newest);
    test.diagnostic(`killed ${kills} times, ${runGit(bare, ['rev-list', '--count', 'main'])} commits`);
  });
});

/** Kills once, at the first request of that step. */
function killAt({ isAt, served }: Step, kill: () => void): Intercept {
  let done = false;
  return (request: IncomingMessage, response: ServerResponse, serve) => {
    if (done || !isAt(`${request.method} ${request.url}`)) return false;
    done = true;
    if (!served) {
      kill();
      response.destroy();
      return true;
    }
    const nothing = { write: () => true, flushHeaders: () => undefined, writeHead: () => response };
    const end = () => {
      kill();
      response.destroy();
    };
    Object.assign(response, nothing, { end });
    serve().catch(() => undefined);
    return true;
  };
}

/** A push that was under way ends on the server by itself: until nothing has moved for a moment. */
async function settle(bare: string): Promise<void> {
  for (let tip = ''; tip !== tipOf(bare); ) {
    tip = tipOf(bare);
    await wait(300);
  }
}
