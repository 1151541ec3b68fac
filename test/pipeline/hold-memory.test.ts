import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { runPass } from '../../src/pipeline/run-pass.ts';
import { runGit } from '../services/git-server.ts';
import { type GitScene, openGitScene, place, policy } from './git-scene.ts';

const { signal } = new AbortController();
const web = 'web/deploy.yaml';
const other = 'web/other.yaml';
const values = (version: string) => `image:\n  repository: ghcr.io/acme/web\n  tag: ${version}\n`;

/** After 1.5.0 was written and taken away, and that was told. */
async function openReverted(): Promise<GitScene> {
  const scene = openGitScene();
  await scene.pass({ [web]: '1.5.0' });
  scene.person(['revert', '--no-edit', 'HEAD']);
  assert.deepEqual(await scene.pass({ [web]: '1.4.2' }), [`ImageHeld ${web}`]);
  return scene;
}

/** Puts commits on main that give the file these texts, one after the other. */
function commitTexts(bare: string, path: string, texts: readonly string[]): void {
  const tip = runGit(bare, ['rev-parse', 'main']);
  const commits = texts.map((text, index) => {
    const from = index === 0 ? `from ${tip}\n` : '';
    const at = `A <a@example.com> ${1_800_000_100 + index} +0000`;
    return `commit refs/heads/main\ncommitter ${at}\ndata 1\nx\n${from}M 100644 inline ${path}\ndata ${Buffer.byteLength(text)}\n${text}\n`;
  });
  runGit(bare, ['fast-import', '--quiet', '--date-format=raw'], commits.join(''));
}

describe('a version taken away is remembered', () => {
  const rows: Record<string, readonly [(scene: GitScene) => void, string]> = {
    'when its file is renamed': [
      (scene) => scene.person(['mv', web, 'web/app.yaml'], ['commit', '-qm', 'rename']),
      'web/app.yaml',
    ],
    'when its folder is moved, and the policy with it': [
      (scene) => scene.person(['mv', 'web', 'shop'], ['commit', '-qm', 'move']),
      'shop/deploy.yaml',
    ],
    'when its place gets a marker': [
      (scene) => scene.write({ [web]: `image: ghcr.io/acme/web:1.4.2 # {"$imagepolicy": "shop:web"}\n` }),
      web,
    ],
    'when its place is named in the policy': [
      (scene) => {
        const targets = '  write: {targets: [{file: deploy.yaml, path: image, part: reference}]}\n';
        scene.write({ 'web/policy.yaml': policy('web', { more: targets }) });
      },
      web,
    ],
  };
  for (const [name, [change, file]] of Object.entries(rows)) {
    it(name, async () => {
      const scene = await openReverted();
      change(scene);
      assert.deepEqual(await scene.pass({ [file]: '1.4.2' }), [`ImageHeld ${file}`]);
    });
  }

  it('when it becomes a part of Helm values', async () => {
    const scene = await openReverted();
    scene.write({ [web]: values('1.4.2') });
    const { problems } = await runPass(scene.context, { signal });
    assert.deepEqual(
      [problems.map(({ code }) => code), runGit(scene.bare, ['show', `main:${web}`])],
      [['ImageHeld'], values('1.4.2').trim()],
    );
  });

  it('when the revert and the rename are pushed at once, also of what was left standing', async () => {
    const scene = openGitScene();
    await scene.pass({ [web]: '1.5.0' });
    scene.tags.splice(1, 1, '1.4.3');
    scene.write({ [other]: place('web', '1.0.0') });
    await scene.pass({ [web]: '1.5.0', [other]: '1.4.3' });
    scene.tags.push('1.5.0');
    scene.write({ [web]: place('web', '1.4.2') });
    scene.person(['mv', web, 'web/app.yaml'], ['commit', '-qm', 'rename']);
    assert.deepEqual(await scene.pass({ 'web/app.yaml': '1.4.2' }), ['ImageHeld web/app.yaml']);
  });

  it('when the image is spelled another way', async () => {
    const scene = openGitScene();
    const nginx = (image: string) => policy('web').replace('ghcr.io/acme/web', image);
    scene.write({ 'web/policy.yaml': nginx('nginx'), [web]: 'image: nginx:1.4.2\n' });
    await scene.pass({ [web]: '1.5.0' });
    scene.person(['revert', '--no-edit', 'HEAD']);
    await scene.pass({ [web]: '1.4.2' });
    scene.write({ 'web/policy.yaml': nginx('docker.io/library/nginx') });
    assert.deepEqual(await scene.pass({ [web]: '1.4.2' }), [`ImageHeld ${web}`]);
  });

  it('when a canary in the same file keeps it', async () => {
    const scene = openGitScene();
    await scene.pass({ [web]: '1.5.0' });
    scene.write({ [web]: `${place('web', '1.4.2')}---\nkind: Canary\nimage: ghcr.io/acme/web:1.5.0\n` });
    assert.deepEqual(await scene.pass({ [web]: '1.4.2' }), [`ImageHeld ${web}`]);
  });

  it('when a downgrade is undone after the same version was written elsewhere', async () => {
    const scene = openGitScene();
    const down = policy('web').replace('"*"', '"<1.6.0", allowDowngrade: true');
    scene.tags.push('1.6.0');
    scene.write({ 'web/policy.yaml': down, [web]: place('web', '1.6.0') });
    await scene.pass({ [web]: '1.5.0' });
    const ours = runGit(scene.bare, ['rev-parse', 'main']);
    scene.write({ [other]: place('web', '1.0.0') });
    await scene.pass({ [web]: '1.5.0', [other]: '1.5.0' });
    scene.person(['revert', '--no-edit', ours]);
    assert.deepEqual(await scene.pass({ [web]: '1.6.0', [other]: '1.5.0' }), [`ImageHeld ${web}`]);
  });
});

describe('a commit with trailers of ours that knew another past', () => {
  const head = (scene: GitScene) => runGit(scene.bare, ['rev-parse', 'main']);

  it('names the commit that it was made for', async () => {
    const scene = openGitScene();
    const base = head(scene);
    await scene.pass({ [web]: '1.5.0' });
    assert.match(runGit(scene.bare, ['log', '-1', '--format=%B', 'main']), new RegExp(`^Tallyman-Base: ${base}$`, 'm'));
  });

  it('ends no look back where it was picked from another branch, or its message quoted', async () => {
    const update = 'Tallyman-Update: shop/web ghcr.io/acme/web 1.4.1 -> 1.4.2';
    for (const more of ['', `\nTallyman-Base: ${'12'.repeat(20)}\nTallyman-Plan: 12ab`]) {
      const scene = await openReverted();
      scene.person(['commit', '-q', '--allow-empty', '-m', `Release\n\n${update}${more}`]);
      assert.deepEqual(await scene.pass({ [web]: '1.4.2' }, { restart: true }), [`ImageHeld ${web}`]);
    }
  });

  it('ends none where its branch was merged, though its clock is ahead', async () => {
    const scene = openGitScene();
    const base = head(scene);
    await scene.pass({ [web]: '1.5.0' });
    scene.tags.push('1.6.0');
    await scene.pass({ [web]: '1.6.0' });
    const ours = head(scene);
    const tree = runGit(scene.bare, ['rev-parse', 'main~1^{tree}']);
    const who = 'T <t@example.com> 1900000000 +0000';
    const marks = `Tallyman-Base: ${base}\nTallyman-Update: shop/web ghcr.io/acme/web 1.4.2 -> 1.5.0\nTallyman-Plan: 12ab`;
    const commit = `tree ${tree}\nparent ${base}\nauthor ${who}\ncommitter ${who}\n\nx\n\n${marks}\n`;
    const release = runGit(scene.bare, ['hash-object', '-t', 'commit', '-w', '--stdin'], commit);
    runGit(scene.bare, ['update-ref', 'refs/heads/release', release]);
    const merge = ['merge', '-q', '-X', 'ours', '--no-edit', 'origin/release'];
    scene.person(['fetch', '-q'], merge, ['revert', '--no-edit', ours]);
    assert.deepEqual(await scene.pass({ [web]: '1.5.0' }, { restart: true }), [`ImageHeld ${web}`]);
  });
});

describe('a file that comes while another one stays', () => {
  it('is brought up, whatever was moved elsewhere', async () => {
    const scene = openGitScene(['web', 'api']);
    await scene.pass({ [web]: '1.5.0' });
    scene.person(['mv', web, 'web/app.yaml'], ['mv', 'api/deploy.yaml', 'api/app.yaml'], ['commit', '-qm', 'rename']);
    scene.write({ [other]: place('web', '1.4.2') });
    assert.deepEqual(await scene.pass({ [other]: '1.5.0', 'web/app.yaml': '1.5.0' }), []);
  });
});

describe('looking for a loss', () => {
  /** The longest time, in milliseconds, for which nothing else had its turn. */
  async function measureBlock(run: () => Promise<unknown>): Promise<number> {
    let [longest, last] = [0, performance.now()];
    const look = () => {
      const now = performance.now();
      longest = Math.max(longest, now - last);
      last = now;
    };
    const timer = setInterval(look, 5);
    await run();
    clearInterval(timer);
    look();
    return longest;
  }
  const fill = Array.from({ length: 1500 }, (_, index) => `key${index}: "value value value ${index}"\n`).join('');

  it('parses a file once, however many versions a message says were written', async () => {
    const scene = openGitScene();
    scene.write({ [web]: `${place('web', '1.4.2')}${fill}` });
    const lines = Array.from(
      { length: 1000 },
      (_, index) => `Tallyman-Update: shop/web ghcr.io/acme/web 1.4.2 -> 9.0.${index}`,
    );
    scene.person(['commit', '-q', '--allow-empty', '-m', `x\n\n${lines.join('\n')}`]);
    const startMs = performance.now();
    await scene.pass({ [web]: '1.5.0' });
    assert.ok(performance.now() - startMs < 20_000);
  });

  it('lets others have their turn between commits, and stops when told to', async () => {
    const scene = openGitScene();
    await scene.pass({ [web]: '1.5.0' });
    const texts = Array.from({ length: 60 }, (_, index) => `${place('web', '1.5.0')}rev: ${index} # 1.5.0\n${fill}`);
    commitTexts(scene.bare, web, [...texts, `${place('web', '1.5.0')}${fill}---\nimage: ghcr.io/acme/web:1.0.0\n`]);
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 1000);
    const startMs = performance.now();
    const block = await measureBlock(() => runPass(scene.context, { signal: stop.signal }).catch(() => undefined));
    assert.ok(block < 1500, `${block} ms`);
    assert.ok(performance.now() - startMs < 4000);
  });
});
