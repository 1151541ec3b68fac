import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { createYamlRepo } from '../../src/git/yaml-repo.ts';
import { createHoldMemory } from '../../src/pipeline/find-holds.ts';
import type { Clock } from '../../src/pipeline/ports.ts';
import { createRepoMemory } from '../../src/pipeline/repo-memory.ts';
import { type PassContext, runPass } from '../../src/pipeline/run-pass.ts';
import { createRegistry } from '../../src/registry/create-registry.ts';
import { memoryLedger } from '../ledger/memory-ledger.ts';
import { commitFiles, makeBareRepo, runGit } from '../services/git-server.ts';
import { type RegistryServer, startRegistryServer } from '../services/registry-server.ts';

const signal = new AbortController().signal;
const folder = mkdtempSync(join(tmpdir(), 'tallyman-pass-'));
const atStart = () => 1_700_000_000_000;
const clock: Clock = { nowMs: atStart, wallMs: atStart, sleep: async () => undefined, random: () => 0.5 };
const registry = createRegistry({ hosts: () => ({}) });
let server: RegistryServer;
let repoCount = 0;

before(async () => {
  server = await startRegistryServer();
  for (const tag of ['1.4.2', '1.5.0']) server.publish('acme/web', tag);
});
after(async () => {
  await registry.close();
  await server.close();
  rmSync(folder, { recursive: true });
});

const policy = (name: string, path = `acme/${name}`, more = '') =>
  `apiVersion: tallyman.dev/v1alpha1\nkind: ImagePolicy\nmetadata: {name: ${name}, namespace: shop}\nspec:\n  image: ${server.host}/${path}\n  select: {semver: "*"}\n${more}`;
const workload = (path: string, tag: string) => `image: ${server.host}/${path}:${tag}\n`;

function openRepo(files: Record<string, string>): {
  path: string;
  context: PassContext;
  read: (file: string) => string;
} {
  repoCount += 1;
  const path = makeBareRepo(join(folder, `repo-${repoCount}.git`), files);
  const repo = createYamlRepo({ location: { kind: 'local', path }, stateDir: folder });
  const context: PassContext = {
    repo,
    registry,
    ledger: memoryLedger(),
    clock,
    memory: createRepoMemory(['.']),
    holds: createHoldMemory(),
    author: { name: 'Bot', email: 'bot@example.com' },
    concurrency: 4,
    allowedRegistries: undefined,
  };
  return { path, context, read: (file) => runGit(path, ['show', `main:${file}`]) };
}

describe('runPass', () => {
  it('commits what is new once, as the author that it is given', async () => {
    const { path, context, read } = openRepo({ 'policy.yaml': policy('web'), 'web.yaml': workload('acme/web', '1.4.2') });
    const report = await runPass(context, { signal });
    assert.equal(report.commit, runGit(path, ['rev-parse', 'main']).trim());
    assert.equal(read('web.yaml').trim(), workload('acme/web', '1.5.0').trim());
    assert.equal(runGit(path, ['log', '-1', '--format=%an %ae %at', 'main']).trim(), 'Bot bot@example.com 1700000000');
    const again = await runPass(context, { signal });
    assert.deepEqual([again.commit, again.updates, again.problems], [undefined, [], []]);
  });

  it('brings each place up on its own, and leaves one that is ahead', async () => {
    const files = { 'policy.yaml': policy('web'), 'a.yaml': workload('acme/web', '1.4.0'), 'b.yaml': workload('acme/web', '1.4.2'), 'c.yaml': workload('acme/web', '9.0.0') };
    const { context, read } = openRepo(files);
    const report = await runPass(context, { signal });
    assert.deepEqual(report.updates.map(({ from, to }) => `${from} ${to}`), ['1.4.0 1.5.0', '1.4.2 1.5.0']);
    assert.match(read('c.yaml'), /9\.0\.0/);
  });

  it('plans again where the branch moved, so that both changes are there', async () => {
    const { path, context, read } = openRepo({ 'policy.yaml': policy('web'), 'web.yaml': workload('acme/web', '1.4.2') });
    let races = 0;
    const repo: PassContext['repo'] = {
      ...context.repo,
      push: async (commit, options) => {
        races += 1;
        if (races <= 2) commitFiles(path, { [`person-${races}.yaml`]: workload('acme/web', '1.4.2') });
        return context.repo.push(commit, options);
      },
    };
    const report = await runPass({ ...context, repo }, { signal });
    assert.equal(report.tries, 3);
    for (const file of ['web.yaml', 'person-1.yaml', 'person-2.yaml']) assert.match(read(file), /1\.5\.0/);
    assert.equal(runGit(path, ['rev-list', '--count', '--merges', 'main']).trim(), '0');
  });

  it('gives up after a bounded number of lost races, and says so', async () => {
    const { context } = openRepo({ 'policy.yaml': policy('web'), 'web.yaml': workload('acme/web', '1.4.2') });
    const repo: PassContext['repo'] = { ...context.repo, push: async () => ({ kind: 'moved' }) };
    const report = await runPass({ ...context, repo }, { signal });
    assert.equal(report.commit, undefined);
    assert.deepEqual(report.problems.map((problem) => problem.code), ['PushRaced']);
  });

  it('asks for each image once however many policies use it, and keeps a failure to those concerned', async () => {
    const files = {
      'a/policy.yaml': `${policy('web')}---\n${policy('gone')}`,
      'a/web.yaml': workload('acme/web', '1.4.2') + workload('acme/gone', '1.0.0').replace('image', 'b: {image').replace('\n', '}\n'),
      'b/policy.yaml': policy('second', 'acme/web'),
      'b/web.yaml': workload('acme/web', '1.4.2'),
    };
    const { context, read } = openRepo(files);
    const asked = server.requests.length;
    const report = await runPass(context, { signal });
    const lists = server.requests.slice(asked).filter(({ url }) => url.startsWith('/v2/acme/web/tags/list'));
    assert.equal(lists.length, 1);
    assert.deepEqual(report.problems.map(({ code, policy: key }) => [code, key]), [['ImageNotFound', 'shop/gone']]);
    assert.match(read('a/web.yaml') + read('b/web.yaml'), /1\.5\.0[\s\S]*1\.5\.0/);
  });

  it('writes no tag whose manifest is missing', async () => {
    server.publish('acme/half', '1.0.0');
    const { context } = openRepo({ 'policy.yaml': policy('half'), 'web.yaml': workload('acme/half', '0.9.0') });
    const half: PassContext['registry'] = { ...registry, listTags: async () => ({ tags: ['1.0.0', '2.0.0'], pushedMs: undefined }) };
    const report = await runPass({ ...context, registry: half }, { signal });
    assert.equal(report.commit, undefined);
    assert.deepEqual(report.problems.map(({ code, policy: key }) => [code, key]), [['ImageNotFound', 'shop/half']]);
  });

  it('asks no registry that is not allowed, and none for a suspended policy', async () => {
    const files = { 'policy.yaml': policy('web'), 's/policy.yaml': policy('still', 'acme/web', '  suspend: true\n'), 's/x.yaml': workload('acme/web', '1.0.0'), 'web.yaml': workload('acme/web', '1.4.2') };
    const { context } = openRepo(files);
    const asked = server.requests.length;
    const report = await runPass({ ...context, allowedRegistries: ['ghcr.io'] }, { signal });
    assert.equal(server.requests.length, asked);
    assert.deepEqual(report.problems.map(({ code, policy: key }) => [code, key]), [['PolicyInvalid', 'shop/web']]);
  });

  it('reads a blob once, however many passes look at it', async () => {
    const { path, context } = openRepo({ 'policy.yaml': policy('web'), 'web.yaml': workload('acme/web', '1.4.2'), 'other.yaml': workload('acme/other', '1') });
    const read: string[] = [];
    const repo: PassContext['repo'] = {
      ...context.repo,
      readBlobs: (oids, options) => {
        read.push(...oids);
        return context.repo.readBlobs(oids, options);
      },
    };
    await runPass({ ...context, repo }, { signal });
    assert.equal(read.length, 4, 'three files, and once more the one that is edited');
    commitFiles(path, { 'new.yaml': 'a: 1\n' });
    read.length = 0;
    await runPass({ ...context, repo }, { signal });
    assert.equal(read.length, 2, 'the new file, and the one that the bot wrote');
  });

  it('sees a place again when a policy for it appears later', async () => {
    const { path, context, read } = openRepo({ 'web.yaml': workload('acme/web', '1.4.2') });
    assert.equal((await runPass(context, { signal })).commit, undefined);
    commitFiles(path, { 'policy.yaml': policy('web') });
    await runPass(context, { signal });
    assert.match(read('web.yaml'), /1\.5\.0/);
  });
}); // biome-ignore format: rows
