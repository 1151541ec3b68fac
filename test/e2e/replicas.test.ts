import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { type Intercept, runGit } from '../services/git-server.ts';
import { startTcpGate } from '../services/tcp-gate.ts';
import { secret } from './listening.ts';
import { makeApp } from './manifests.ts';
import { type Fleet, type Replica, startFleet, timing } from './replicas.ts';
import { until } from './run-program.ts';
import { startWorld, type World } from './world.ts';

const leaseMs = timing.leaseDurationSeconds * 1000;
const hour = 3600;

describe('two replicas', () => {
  let world: World;
  let fleet: Fleet;
  const intercepts = new Map<string, Intercept>();
  before(async () => {
    [world] = [await startWorld()];
    world.git.intercept = (request, ...rest) =>
      intercepts.get((request.url ?? '').split('/')[1] ?? '')?.(request, ...rest) ?? false;
    fleet = await startFleet(world);
  });
  after(async () => {
    await fleet?.close();
    await world?.close();
  });

  /** A Yaml repo of an image of its own, at 1.0.0. */
  async function makeRepo(
    name: string,
  ): Promise<{ bare: string; authors: () => string[]; publish: (tag: string) => Promise<string> }> {
    const image = `acme/${name}`;
    await world.publish(image, '1.0.0');
    const bare = world.makeRepo(name, makeApp('web', `${world.registry.host}/${image}`, '1.0.0'));
    return {
      bare,
      /** Of all commits but the first, oldest first. */
      authors: () => runGit(bare, ['log', '--reverse', '--format=%an', 'main']).split('\n').slice(1),
      publish: (tag) => world.publish(image, tag),
    };
  }

  /** A pair of which the first leads. */
  async function startPair(
    repo: string,
    options: { intervalSeconds?: number; kubeconfig?: string } = {},
  ): Promise<readonly [Replica, Replica]> {
    const a = await fleet.start('a', { repo, ...options });
    assert.ok(a.isLeading(), a.said());
    const { kubeconfig: _, ...rest } = options;
    const b = await fleet.start('b', { repo, ...rest });
    assert.ok(!b.isLeading(), b.said());
    return [a, b];
  }

  const say =
    (...replicas: readonly Replica[]) =>
    () =>
      replicas.map(({ name, said }) => `${name}: ${said()}`).join('\n');
  const timesOf = ({ lines }: Replica, wanted: string) =>
    lines()
      .filter(({ msg }) => msg === wanted)
      .map(({ time }) => Number(time));

  it('take turns where the leader dies, and where it is stopped', async () => {
    const { authors, publish } = await makeRepo('turns');
    const [a, b] = await startPair('turns');
    await publish('1.1.0');
    await until(() => authors().length === 1, say(a, b));
    a.child.kill('SIGKILL');
    const killedMs = Date.now();
    await publish('1.2.0');
    await until(() => authors().length === 2, say(a, b));
    assert.deepEqual(authors(), ['a', 'b']);
    const tookMs = (timesOf(b, 'leading')[0] ?? 0) - killedMs;
    assert.ok(tookMs > leaseMs / 2 && tookMs < leaseMs + 2000, `led after ${tookMs} ms`);
    const c = await fleet.start('c', { repo: 'turns' });
    const stoppedMs = Date.now();
    b.child.kill('SIGTERM');
    assert.equal((await b.finished).code, 0);
    await until(c.isLeading, say(b, c));
    const shortMs = (timesOf(c, 'leading')[0] ?? 0) - stoppedMs;
    assert.ok(shortMs < leaseMs - 500, `led after ${shortMs} ms, which is no sooner than after a crash`);
    await publish('1.3.0');
    await until(() => authors().length === 3, say(b, c));
    assert.deepEqual(authors(), ['a', 'b', 'c']);
  });

  it('never push both: one that stood still before its push sends nothing when it goes on', async () => {
    const { authors, publish } = await makeRepo('fenced');
    const [a, b] = await startPair('fenced');
    await until(() => a.said().includes('pass done'), a.said);
    let isStopped = false;
    intercepts.set('fenced.git', ({ url = '' }) => {
      if (isStopped || !url.includes('/info/refs?service=git-receive-pack')) return false;
      // It gets the answer, but when it reads it the world has gone on.
      isStopped = true;
      a.child.kill('SIGSTOP');
      return false;
    });
    const pushes = () => world.git.requests.filter((line) => line === 'POST /fenced.git/git-receive-pack').length;
    await publish('1.1.0');
    await until(() => isStopped, say(a, b));
    await until(() => authors().length === 1, say(a, b));
    assert.deepEqual([authors(), pushes()], [['b'], 1]);
    a.child.kill('SIGCONT');
    const isRefused = () => a.lines().some(({ code }) => code === 'LeadershipLost');
    await until(() => isRefused() || pushes() > 1, say(a, b));
    assert.deepEqual([isRefused(), pushes()], [true, 1], a.said());
    await until(() => a.lines().some(({ msg }) => msg === 'standby'), say(a, b));
    await publish('1.2.0');
    await until(() => authors().length === 2, say(a, b));
    await wait(1000);
    assert.deepEqual([authors(), pushes()], [['b', 'b'], 2]);
    b.child.kill('SIGTERM');
    await until(a.isLeading, say(a, b));
    await publish('1.3.0');
    await until(() => authors().length === 3, say(a, b));
    assert.deepEqual(authors(), ['b', 'b', 'a']);
  });

  it('have one stop that cannot reach the API server, before the other begins, and it comes back', async (t) => {
    const { authors, publish } = await makeRepo('parted');
    const gate = await startTcpGate(Number(new URL(fleet.kubernetes.url).port));
    t.after(() => gate.close());
    const [a, b] = await startPair('parted', { kubeconfig: fleet.kubeconfig(gate.port) });
    gate.shut(true);
    await until(b.isLeading, say(a, b));
    const [stoodMs = Number.NaN] = timesOf(a, 'standby');
    const [ledMs = Number.NaN] = timesOf(b, 'leading');
    assert.ok(stoodMs < ledMs, `${stoodMs} < ${ledMs}`);
    assert.equal((await fetch(`${a.url}/healthz`)).status, 200);
    assert.deepEqual(await (await fetch(`${a.url}/readyz`)).json(), { status: 'standby' });
    await publish('1.1.0');
    await until(() => authors().length === 1, say(a, b));
    await wait(2000);
    assert.equal(
      a.lines().filter(({ code, disposition }) => code === 'ClusterUnavailable' && disposition).length,
      1,
      a.said(),
    );
    gate.shut(false);
    await until(
      () => a.lines().some(({ code, msg }) => code === 'ClusterUnavailable' && msg.startsWith('over')),
      say(a, b),
    );
    assert.deepEqual(authors(), ['b']);
    b.child.kill('SIGTERM');
    await until(a.isLeading, say(a, b));
    await publish('1.2.0');
    await until(() => authors().length === 2, say(a, b));
    assert.deepEqual(authors(), ['b', 'a']);
  });

  it('have a webhook act wherever it arrives', async () => {
    const { authors, publish } = await makeRepo('hooked');
    const [a, b] = await startPair('hooked', { intervalSeconds: hour });
    await until(() => a.said().includes('pass done'), a.said);
    const notify = (bearer = secret) => {
      const target = {
        mediaType: 'application/vnd.oci.image.manifest.v1+json',
        repository: 'acme/hooked',
        tag: '1.1.0',
      };
      const body = JSON.stringify({ events: [{ action: 'push', target, request: { host: world.registry.host } }] });
      const type = 'application/vnd.docker.distribution.events.v2+json';
      const headers = { 'content-type': type, authorization: `Bearer ${bearer}` };
      return fetch(`${b.url}/webhooks/images`, { method: 'POST', headers, body });
    };
    assert.deepEqual(await (await fetch(`${b.url}/readyz`)).json(), { status: 'standby' });
    assert.deepEqual(await (await fetch(`${a.url}/readyz`)).json(), { status: 'ready' });
    const leaderOf = async ({ url }: Replica) =>
      /^tallyman_leader (\d)$/m.exec(await (await fetch(`${url}/metrics`)).text())?.[1];
    assert.deepEqual([await leaderOf(a), await leaderOf(b)], ['1', '0']);
    await publish('1.1.0');
    const taken = await notify();
    assert.deepEqual([taken.status, await taken.json()], [202, { result: 'accepted', repos: 1 }]);
    await until(() => authors().length === 1, say(a, b));
    assert.deepEqual(authors(), ['a']);
    assert.equal((await notify('guessed')).status, 401);
    a.child.kill('SIGKILL');
    const refused = await notify();
    assert.deepEqual([refused.status, refused.headers.get('retry-after')], [503, '5']);
    await publish('1.2.0');
    await until(() => authors().length === 2, say(a, b));
    await publish('1.3.0');
    assert.equal((await notify()).status, 202);
    await until(() => authors().length === 3, say(a, b));
    assert.deepEqual(authors(), ['a', 'b', 'b']);
    assert.ok(!b.said().includes(secret));
  });
});
