import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { createCommitSigner, type SignCommit } from '../../src/git/sign-commit.ts';
import { createYamlRepo } from '../../src/git/yaml-repo.ts';
import { makeBareRepo, runGit } from '../services/git-server.ts';
import { files, makeWorkTree, status } from './local-scene.ts';
import { fsck, withScene } from './remote-scene.ts';
import { allowSigner, email, makeFolder, makeSshKey, signerOf, verifyCommit, withGpgHome } from './signing-scene.ts';
import { newCommit, signal, withFolder } from './workshop.ts';

const message = 'shop/web: 1.4.2 → 1.5.0\n\nGrüße, 日本語 🎉\n\n -----BEGIN SSH SIGNATURE-----\n\nTallyman-Plan: x';

/** Pushes two commits, one on the other, to a folder; gives their ids. */
async function pushTwice(path: string, sign: SignCommit): Promise<string[]> {
  const repo = createYamlRepo({ location: { kind: 'local', path }, stateDir: '/nonexistent', sign });
  const commits = [];
  for (const text of ['image: web:2\n', 'image: web:3\n']) {
    const commit = newCommit(await repo.fetch({ signal }), { 'apps/web.yaml': text }, message);
    const outcome = await repo.push(commit, { signal });
    commits.push(outcome.kind === 'pushed' ? outcome.commit : assert.fail('the branch moved'));
  }
  await repo.close();
  return commits;
}

describe('signed commits', { concurrency: 2 }, () => {
  for (const kind of [{ type: 'ed25519' }, { type: 'ecdsa', bits: 521 }, { type: 'rsa', bits: 2048 }]) {
    it(`are good by ssh ${kind.type}, in a bare repository`, () =>
      withFolder(async (folder) => {
        const bare = makeBareRepo(join(folder, 'site.git'), files);
        const key = makeSshKey(folder, kind);
        for (const commit of await pushTwice(bare, signerOf('ssh', readFileSync(key, 'utf8')))) {
          const said = verifyCommit(bare, commit, { allowed: allowSigner(key) });
          assert.match(said, /Good "git" signature for tallyman@example.com with /);
          assert.ok(said.includes(`G\n${email}\n${message}\n`), said);
        }
      }));
  }

  it('are good by gpg, in a work tree, whose files move along', () =>
    withFolder((folder) =>
      withGpgHome(async (gpg) => {
        gpg.run(['--quick-gen-key', `Tallyman <${email}>`, 'ed25519', 'sign', 'never'], { nowSeconds: 1_600_000_000 });
        const work = makeWorkTree(folder);
        const sign = signerOf('openpgp', gpg.run(['--armor', '--export-secret-keys']));
        for (const commit of await pushTwice(work, sign)) {
          const said = verifyCommit(work, commit, { gpg });
          assert.match(said, new RegExp(`VALIDSIG ${gpg.fingerprint()} 2023-11-14 1700000123 `));
          assert.ok(said.includes(`Tallyman <${email}>\n${message}\n`), said);
        }
        assert.equal(status(work), '');
        assert.equal(readFileSync(join(work, 'apps/web.yaml'), 'utf8'), 'image: web:3\n');
      }),
    ));

  it('are good on a server, and are read from there', () =>
    withFolder((folder) =>
      withScene(async (scene) => {
        const key = makeSshKey(folder, { type: 'ed25519' });
        const repo = scene.open({ sign: signerOf('ssh', readFileSync(key, 'utf8')) });
        const commit = newCommit(await repo.fetch({ signal }), { 'apps/web.yaml': 'image: web:2\n' }, message);
        const outcome = await repo.push(commit, { signal });
        const tip = runGit(scene.bare, ['rev-parse', 'main']);
        assert.deepEqual(outcome, { kind: 'pushed', commit: tip });
        assert.match(verifyCommit(scene.bare, tip, { allowed: allowSigner(key) }), /Good "git" signature/);
        assert.equal((await repo.fetch({ signal })).commit, tip);
        fsck(scene);
      }),
    ));

  it('are not written where the key cannot sign', () =>
    withFolder(async (folder) => {
      const bare = makeBareRepo(join(folder, 'site.git'), files);
      const before = runGit(bare, ['count-objects', '-v']);
      await assert.rejects(pushTwice(bare, signerOf('ssh', 'no key')), { code: 'ConfigInvalid' });
      assert.equal(runGit(bare, ['count-objects', '-v']), before);
      assert.equal(runGit(bare, ['rev-list', '--count', 'main']), '1');
    }));
});

describe('createCommitSigner', () => {
  it('uses a changed key from the next commit on, and goes on after a bad one', () =>
    withFolder(async (folder) => {
      const [one, two] = ['one', 'two'].map((name) =>
        readFileSync(makeSshKey(makeFolder(folder, name), { type: 'ed25519' }), 'utf8'),
      );
      let text = one ?? '';
      let reads = 0;
      const sign = createCommitSigner('ssh', () => {
        reads += 1;
        return { file: 'key', text, passphrase: undefined };
      });
      const about = { whenMs: 0 };
      const first = await sign(Buffer.from('x'), about);
      assert.equal(await sign(Buffer.from('x'), about), first);
      text = 'bad';
      await assert.rejects(sign(Buffer.from('x'), about), { code: 'ConfigInvalid' });
      text = two ?? '';
      assert.notEqual(await sign(Buffer.from('x'), about), first);
      text = one ?? '';
      assert.equal(await sign(Buffer.from('x'), about), first);
      assert.equal(reads, 5);
    }));
});
