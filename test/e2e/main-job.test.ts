import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type FileContent, runGit } from '../services/git-server.ts';
import { formatDeployment, formatPolicy } from './manifests.ts';
import type { Finished } from './run-program.ts';
import { author, readTree, startWorld, tipOf, type World } from './world.ts';

const source = 'https://git.example.com/acme/web';
const revision = '3f2c9a1e';

describe('a tag is pushed to the registry', () => {
  let world: World;
  let bare: string;
  let files: Record<string, FileContent>;
  let host: string;
  let digests: { old: string; new: string };
  let first: Finished;
  let start: string;
  let config: string;

  before(async () => {
    world = await startWorld();
    host = world.registry.host;
    for (const tag of ['1.4.2', '2.0.0', 'latest']) await world.publish('acme/web', tag);
    await world.publish('acme/api', 'v0.9.0');
    const old = await world.publish('acme/db', '1.0.0');
    files = makeFiles(host, old);
    bare = world.makeRepo('site', files);
    start = tipOf(bare);
    config = world.configure('site', { repos: [world.remote('site')] });
    await world.publish('acme/web', '1.5.0', {
      'org.opencontainers.image.source': `${source}?token=abc#top`,
      'org.opencontainers.image.revision': revision,
    });
    await world.publish('acme/api', 'v0.10.0', { 'org.opencontainers.image.source': 'https://u:p@git.example.com/' });
    digests = { old, new: await world.publish('acme/db', '1.1.0') };
    first = await world.run(['run', '--once', '--config', config]);
  });
  after(() => world?.close());

  it('ends well and says what it committed', () => {
    assert.equal(first.code, 0, first.stderr);
    const updates = first.log.filter((line) => line.code === 'ImageUpdated');
    assert.deepEqual(
      updates.map(({ policy, from, to, commit }) => ({ policy, from, to, commit })),
      [
        { policy: 'shop/api', from: 'v0.9.0', to: 'v0.10.0', commit: tipOf(bare) },
        { policy: 'shop/db', from: `1.0.0@${digests.old}`, to: `1.1.0@${digests.new}`, commit: tipOf(bare) },
        { policy: 'shop/web', from: '1.4.2', to: '1.5.0', commit: tipOf(bare) },
      ],
    );
    assert.equal(first.stdout, '');
  });

  it('commits once, on top of what was there, as the configured author', () => {
    assert.equal(runGit(bare, ['rev-list', '--parents', `${start}..main`]), `${tipOf(bare)} ${start}`);
    const names = `${author.name} <${author.email}>`;
    assert.equal(runGit(bare, ['log', '-1', '--format=%an <%ae>%n%cn <%ce>', 'main']), `${names}\n${names}`);
    const ageSeconds = Date.now() / 1000 - Number(runGit(bare, ['log', '-1', '--format=%at', 'main']));
    assert.ok(ageSeconds > -2 && ageSeconds < 60, `${ageSeconds} s old`);
  });

  it('writes a subject, each change, and trailers that git reads', () => {
    const message = runGit(bare, ['log', '-1', '--format=%B', 'main']);
    const [subject, , ...body] = message.split('\n');
    assert.equal(subject, 'Update 3 images');
    const short = (digest: string): string => digest.slice(0, 'sha256:'.length + 12);
    assert.deepEqual(body.slice(0, 4), [
      '- shop/api: v0.9.0 → v0.10.0 in apps/api.yaml',
      `- shop/db: 1.0.0@${short(digests.old)} → 1.1.0@${short(digests.new)} in apps/db.yaml`,
      '- shop/web: 1.4.2 → 1.5.0 in 5 files',
      '',
    ]);
    const trailers = runGit(bare, ['interpret-trailers', '--parse'], `${message}\n`).split('\n');
    assert.match(trailers.pop() ?? '', /^Tallyman-Plan: [0-9a-f]{40}$/);
    assert.deepEqual(trailers, [
      `Tallyman-Base: ${start}`,
      `Tallyman-Update: shop/api ${host}/acme/api v0.9.0 -> v0.10.0`,
      `Tallyman-Update: shop/db ${host}/acme/db 1.0.0@${digests.old} -> 1.1.0@${digests.new}`,
      `Tallyman-Update: shop/web ${host}/acme/web 1.4.2 -> 1.5.0`,
      `Tallyman-Source: ${source}@${revision}`,
    ]);
  });

  it('changes the bytes of the versions and no other', () => {
    const tree = readTree(bare);
    assert.deepEqual(Object.keys(tree).sort(), Object.keys(files).sort());
    for (const [path, content] of Object.entries(files)) {
      const { mode, text } = typeof content === 'string' ? { mode: '100644', text: content } : content;
      assert.deepEqual(tree[path], { mode, text: expectText(path, text) }, path);
    }
  });

  it('moves tag and digest together to what the registry has', () => {
    assert.match(readTree(bare)['apps/db.yaml']?.text ?? '', new RegExp(`"${host}/acme/db:1.1.0@${digests.new}"`));
    assert.notEqual(digests.new, digests.old);
  });

  it('finds nothing to do in a second pass', async () => {
    const tip = tipOf(bare);
    const seen = world.git.requests.length;
    const second = await world.run(['run', '--once', '--config', config]);
    assert.equal(second.code, 0, second.stderr);
    assert.equal(tipOf(bare), tip);
    assert.deepEqual(
      world.git.requests.slice(seen).filter((request) => request.includes('receive-pack')),
      [],
    );
    assert.equal(second.log.at(-1)?.msg, 'nothing to commit for 3 policies');
  });

  function expectText(path: string, text: string): string {
    if (path === 'apps/api.yaml') return text.replace("'v0.9.0'", "'v0.10.0'");
    if (path === 'apps/db.yaml') return text.replace(`1.0.0@${digests.old}`, `1.1.0@${digests.new}`);
    const changes = ['crlf', 'flow', 'many', 'bom', 'script'].some((name) => path === `apps/${name}.yaml`);
    const places = new RegExp(`(?<!# )${host}/acme/web:1\\.4\\.2`, 'g');
    return changes ? text.replace(places, `${host}/acme/web:1.5.0`) : text;
  }
});

function makeFiles(host: string, dbDigest: string): Record<string, FileContent> {
  const web = `${host}/acme/web:1.4.2`;
  const deployment = formatDeployment('web', web);
  return {
    'apps/policies.yaml': [
      `# The shop's policies\n${formatPolicy('web', `${host}/acme/web`)}`,
      formatPolicy('api', `${host}/acme/api`, '{ semver: "<1.0.0" }'),
      formatPolicy('db', `${host}/acme/db`),
    ].join('---\n'),
    'apps/crlf.yaml': `# Größe: 1.4.2 \u{1f6a2}\n${deployment}      # the end `.replaceAll('\n', '\r\n'),
    'apps/flow.yaml': `spec: {template: {spec: {containers: [ {name: web,image: '${web}'}   ,{name: x, image: x:1.4.2}]}}}  # ${web}\n`,
    'apps/many.yaml':
      `%YAML 1.2\n---\n${deployment}---\n# empty\n---\na: &a "${web}"\nimage:   "${web}"\t# was ${host}/acme/web:1.3.0\n...\n`.replace(
        `&a "${web}"`,
        '&a "kept"',
      ),
    'apps/bom.yaml': `\ufeff${deployment}\n\n\n`,
    'apps/script.yaml': { mode: '100755', text: `#!/usr/bin/env -S kubectl apply -f\n${deployment}` },
    'apps/api.yaml': `image:\n  repository: ${host}/acme/api   # the name stays\n  tag: 'v0.9.0'   # {"$imagepolicy": "shop:api:tag"}\nother: 'v0.9.0'\n`,
    'apps/db.yaml': formatDeployment('db', `"${host}/acme/db:1.0.0@${dbDigest}"`),
    'apps/ahead.yaml': formatDeployment('web', `${host}/acme/web:1.9.0`),
    'apps/other-image.yaml': formatDeployment('web', `${host}/acme/web-tools:1.4.2`),
    'apps/chart/templates/web.yaml': `{{- if .Values.on }}\nimage: ${web}\n{{- end }}\nimage: "{{ .Values.image }}:1.4.2"\n`,
    'apps/link.yaml': { mode: '120000', text: 'flow.yaml' },
    'apps/README.md': `image: ${web}\n`,
    'elsewhere/web.yaml': deployment,
  };
}
