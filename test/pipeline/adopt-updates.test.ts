import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { createYamlRepo } from '../../src/git/yaml-repo.ts';
import { listMerged } from '../../src/pipeline/adopt-updates.ts';
import { createBranchLine } from '../../src/pipeline/branch-line.ts';
import { commitFiles, makeBareRepo, runGit } from '../services/git-server.ts';
import { testClock } from './fake-registry.ts';

const signal = new AbortController().signal;

it('finds a proposal that was merged behind a hundred newer commits, by its merge and with its files', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tallyman-adopt-'));
  const files = { 'apps/web.yaml': 'image: web:1.0\n', 'infra/dns.yaml': 'a: 1\n' };
  const path = makeBareRepo(join(folder, 'deploy.git'), files);
  const repo = createYamlRepo({ location: { kind: 'local', path }, stateDir: folder });
  try {
    runGit(path, ['branch', 'updates', 'main']);
    commitFiles(path, { 'apps/web.yaml': 'image: web:1.1\n' }, { branch: 'updates' });
    const tree = runGit(path, ['rev-parse', 'updates^{tree}']);
    const text = 'shop/web: 1.0 → 1.1\n\nTallyman-Update: shop/web ghcr.io/acme/web 1.0 -> 1.1\n';
    const base = runGit(path, ['rev-parse', 'main']);
    const by = (role: string, seconds: number) => `${role} Bot <bot@example.com> ${seconds} +0000\n`;
    const old = `tree ${tree}\nparent ${base}\n${by('author', 1_600_000_000)}${by('committer', 1_600_000_000)}\n${text}`;
    const proposed = runGit(path, ['hash-object', '-t', 'commit', '-w', '--stdin'], old);
    const newer = Array.from(
      { length: 100 },
      () => `commit refs/heads/main\n${by('committer', 1_700_000_000)}data 1\nx\n`,
    );
    runGit(
      path,
      ['fast-import', '--quiet', '--date-format=raw'],
      `${newer.join('').replace('x\n', `x\nfrom ${base}\n`)}`,
    );
    const clock = testClock();
    const line = createBranchLine(repo, clock);
    const since = (await repo.fetch({ signal })).commit;
    const merged = runGit(path, ['merge-tree', '--write-tree', since, proposed]);
    const merge = runGit(path, ['commit-tree', merged, '-p', since, '-p', proposed, '-m', 'Merge']);
    runGit(path, ['update-ref', 'refs/heads/main', merge]);
    line.advance((await repo.fetch({ signal })).commit);
    await line.read([since], { signal });
    const found = await listMerged({ since, policies: new Set(['shop/web']) }, { repo, line, clock, signal });
    const update = { policy: 'shop/web', image: 'ghcr.io/acme/web', from: '1.0', to: '1.1' };
    assert.deepEqual(found, [{ commit: merge, update, files: ['apps/web.yaml'], madeMs: clock.time }]);
  } finally {
    await repo.close();
    rmSync(folder, { recursive: true });
  }
});
