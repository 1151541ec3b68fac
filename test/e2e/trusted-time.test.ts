/** Versions that wait for their age, and tags that were moved. */
import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { after, before, describe, it } from 'node:test';
import { runGit } from '../services/git-server.ts';
import { startRedis } from '../services/redis.ts';
import { startRegistryServer } from '../services/registry-server.ts';
import { startListening, stop } from './listening.ts';
import { formatDeployment, formatPolicy } from './manifests.ts';
import { until } from './run-program.ts';
import { scrapeUntil } from './scrape.ts';
import { readTree, startWorld, tipOf, type World } from './world.ts';

const minimumAgeMs = 3000;
const aged = `  minimumAge: ${minimumAgeMs / 1000}s\n`;
const often = { intervalSeconds: 1, maxIntervalSeconds: 1 };

/** A policy with those fields besides the usual ones, and a Deployment at 1.4.2. */
function makeRuled(name: string, image: string, fields: string): Record<string, string> {
  return {
    [`${name}/policy.yaml`]: formatPolicy(name, image) + fields,
    [`${name}/deployment.yaml`]: formatDeployment(name, `${image}:1.4.2`),
  };
}

describe('trusted time', () => {
  let world: World;
  before(async () => {
    world = await startWorld();
  });
  after(() => world?.close());

  const deploymentOf = (bare: string, name: string): string => readTree(bare)[`${name}/deployment.yaml`]?.text ?? '';

  for (const kind of ['LMDB', 'Redis'] as const)
    it(`has a version written when it is old enough, not before, though nothing else wakes it: ${kind}`, async (t) => {
      const redis = kind === 'Redis' ? await startRedis() : undefined;
      t.after(() => redis?.close());
      const registry = await startRegistryServer();
      t.after(registry.close);
      for (const tag of ['1.4.2', '1.5.0']) registry.publish('acme/web', tag);
      const name = `aged-${kind.toLowerCase()}`;
      const bare = world.makeRepo(name, makeRuled('web', `${registry.host}/acme/web`, aged));
      // A pass reads the repository first: nothing was seen before.
      let askedMs: number | undefined;
      world.git.intercept = ({ url = '' }) => {
        if (url.startsWith(`/${name}.git/`)) askedMs ??= Date.now();
        return false;
      };
      const shared = redis && { redis: { url: `redis://${redis.host}:${redis.port}` } };
      // Its interval is an hour, and no webhook comes.
      const { daemon, url } = await startListening(world, name, { repos: [world.remote(name)], ...shared });
      t.after(() => void daemon.child.kill('SIGKILL'));
      const updates = `tallyman_updates_total{repo="${world.git.url(`${name}.git`)}",policy="shop/web"}`;
      await scrapeUntil([url], (metrics) => metrics.get(updates) === 1);
      assert.ok(deploymentOf(bare, 'web').endsWith(':1.5.0\n'));
      const log = await stop(daemon);
      const written = log.find(({ code }) => code === 'ImageUpdated');
      assert.ok(Number(written?.time) >= Number(askedMs) + minimumAgeMs, `asked at ${askedMs}: ${daemon.said()}`);
      const passes = log.filter(({ msg }) => msg === 'pass done').map(({ updates }) => updates);
      assert.deepEqual([passes[0], passes.at(-1)], [0, 1]);
    });

  it('tells a version tag in Git that was moved, in the log and the metrics, and writes nothing', async (t) => {
    const bare = world.makeRepo('moved', makeRuled('web', `${world.registry.host}/acme/moved`, '  pin: digest\n'));
    const good = await world.publish('acme/moved', '1.4.2', { mark: 'good' });
    const { daemon, url } = await startListening(world, 'moved', { repos: [world.remote('moved')], ...often });
    t.after(() => void daemon.child.kill('SIGKILL'));
    await until(() => deploymentOf(bare, 'web').endsWith(`:1.4.2@${good}\n`), daemon.said);
    const tip = tipOf(bare);
    const evil = await world.publish('acme/moved', '1.4.2', { mark: 'evil' });
    const repo = world.git.url('moved.git');
    await scrapeUntil([url], (metrics) => metrics.get(`tallyman_problems{repo="${repo}",code="TagMutated"}`) === 1);
    const passes = (): number => daemon.said().split('"msg":"pass done"').length;
    const before = passes();
    await until(() => passes() > before + 2, daemon.said);
    assert.equal(tipOf(bare), tip);
    const told = (await stop(daemon)).filter(({ code }) => code === 'TagMutated');
    assert.deepEqual(
      told.map(({ policy }) => policy),
      ['shop/web'],
    );
    assert.ok(told[0]?.msg.includes(`it was ${good} and is ${evil} since`), told[0]?.msg);
  });

  it('lets the policy say whether a version that was moved while it waited is written', async (t) => {
    const lookedMs = new Map<string, number>();
    const moved = new Set<string>();
    // Another image comes under the tag just before it is asked for again: what the wait is for.
    const intercept = ({ url = '' }: IncomingMessage): boolean => {
      const [, repository] = /^\/v2\/(.*)\/manifests\/1\.6\.0$/.exec(url) ?? [];
      if (repository === undefined) return false;
      const firstMs = lookedMs.get(repository) ?? Date.now();
      lookedMs.set(repository, firstMs);
      if (!moved.has(repository) && Date.now() > firstMs + minimumAgeMs / 2) {
        registry.publish(repository, '1.6.0', { mark: 'evil' });
        moved.add(repository);
      }
      return false;
    };
    const registry = await startRegistryServer({ intercept });
    t.after(registry.close);
    const policies = ['follow', 'block'].map((name) => {
      for (const tag of ['1.4.2', '1.5.0', '1.6.0']) registry.publish(`acme/${name}`, tag, { mark: 'good' });
      return makeRuled(name, `${registry.host}/acme/${name}`, `${aged}  mutation: ${name}\n`);
    });
    const bare = world.makeRepo('ruled', Object.assign({}, ...policies));
    const { daemon, url } = await startListening(world, 'ruled', { repos: [world.remote('ruled')], ...often });
    t.after(() => void daemon.child.kill('SIGKILL'));
    const updates = (policy: string): string =>
      `tallyman_updates_total{repo="${world.git.url('ruled.git')}",policy="shop/${policy}"}`;
    await scrapeUntil([url], (metrics) => metrics.get(updates('follow')) === 1 && metrics.get(updates('block')) === 1);
    const told = (await stop(daemon)).filter(
      ({ code, msg }) => code === 'TagMutated' && msg.startsWith('Cannot trust'),
    );
    assert.deepEqual(
      new Set(told.map(({ policy, msg }) => `${policy} ${/"([^"]*)"/.exec(msg)?.[1]}`)),
      new Set(['shop/block 1.6.0', 'shop/follow 1.6.0']),
    );
    const added = runGit(bare, ['log', '-p', '--format=', 'main']).match(/^\+ +image: .*:1\.[56]\.0/gm) ?? [];
    assert.deepEqual(added.map((line) => line.replace(/^.*acme\//, '')).sort(), ['block:1.5.0', 'follow:1.6.0']);
  });
});
