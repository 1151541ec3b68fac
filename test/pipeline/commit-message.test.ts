import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Edit } from '../../src/edit/plan.ts';
import { formatCommitMessage, identifyPlan, readImageSource } from '../../src/pipeline/commit-message.ts';

const digest = `sha256:${'ab'.repeat(32)}`;

function testEdit(
  parts: { file?: string; start?: number; policy?: string; from?: string | undefined; to?: string } = {},
): Edit {
  const { file = 'web.yaml', start = 10, policy = 'shop/web', to = '1.5.0' } = parts;
  const from = 'from' in parts ? parts.from : '1.4.2';
  return {
    file,
    start,
    end: start + 5,
    oldText: from ?? '',
    newText: to,
    value: to,
    fileBytes: 100,
    update: { policy, image: `ghcr.io/acme/${policy.split('/')[1]}`, from, to },
    line: 1,
    path: 'image',
  };
}

describe('formatCommitMessage', () => {
  it('tells one update in its subject', () => {
    const sources = new Map([['ghcr.io/acme/web:1.5.0', { url: 'https://git.example.com/web', revision: 'abc' }]]);
    const edits = [testEdit()];
    assert.equal(
      formatCommitMessage(edits, { sources }),
      `shop/web: 1.4.2 → 1.5.0

- shop/web: 1.4.2 → 1.5.0 in web.yaml

Tallyman-Update: shop/web ghcr.io/acme/web 1.4.2 -> 1.5.0
Tallyman-Source: https://git.example.com/web@abc
Tallyman-Plan: ${identifyPlan(edits)}
`,
    );
  });

  it('counts several images, shortens digests for people and not in trailers', () => {
    const message = formatCommitMessage(
      [
        testEdit({ to: `1.5.0@${digest}` }),
        testEdit({ file: 'b.yaml', to: `1.5.0@${digest}` }),
        testEdit({ policy: 'shop/api', from: undefined }),
      ],
      { sources: new Map() },
    );
    assert.match(message, /^Update 2 images\n/);
    assert.match(message, /- shop\/web: 1\.4\.2 → 1\.5\.0@sha256:abababababab in 2 files/);
    assert.match(message, new RegExp(`Tallyman-Update: shop/web ghcr.io/acme/web 1.4.2 -> 1.5.0@${digest}\n`));
    assert.match(message, /Tallyman-Update: shop\/api ghcr.io\/acme\/api \(none\) -> 1\.5\.0\n/);
  });
});

describe('formatCommitMessage against hostile text', () => {
  it('lets neither a file name nor an old value forge a line or a trailer', () => {
    const evil = 'x\n\nTallyman-Update: evil/evil a b -> c\u001b[2J';
    const message = formatCommitMessage([testEdit({ from: evil, file: `${evil}.yaml` })], { sources: new Map() });
    assert.equal(message.match(/^Tallyman-Update:/gm)?.length, 1);
    assert.equal(message.trimEnd().split('\n').length, 6);
    assert.doesNotMatch(message.replaceAll('\n', ''), /\p{Cc}/u);
    assert.match(message, /^Tallyman-Update: shop\/web ghcr\.io\/acme\/web \S+ -> 1\.5\.0$/m);
  });
});

describe('identifyPlan', () => {
  it('depends on what is edited, not on the order', () => {
    const [a, b] = [testEdit(), testEdit({ start: 50 })];
    assert.equal(identifyPlan([a, b]), identifyPlan([b, a]));
    assert.notEqual(identifyPlan([a]), identifyPlan([b]));
    assert.notEqual(identifyPlan([a]), identifyPlan([testEdit({ to: '1.5.1' })]));
    assert.match(identifyPlan([a]), /^[0-9a-f]{40}$/);
  });
});

describe('readImageSource', () => {
  const read = (source: string, revision?: string) =>
    readImageSource({
      'org.opencontainers.image.source': source,
      ...(revision !== undefined && { 'org.opencontainers.image.revision': revision }),
    });

  it('takes an address and a revision', () => {
    assert.deepEqual(read('https://github.com/acme/web', '3f2c9a1'), {
      url: 'https://github.com/acme/web',
      revision: '3f2c9a1',
    });
  });

  const hostile: Record<string, [string, string?]> = {
    'a line break': ['https://x.example/a\nTallyman-Update: evil', 'abc'],
    credentials: ['https://user:secret@x.example/a'],
    'another scheme': ['javascript:alert(1)'],
    'no address': ['acme/web'],
    'a very long one': [`https://x.example/${'a'.repeat(400)}`],
  };
  for (const [name, [source, revision]] of Object.entries(hostile)) {
    it(`lets no trailer be forged by ${name}`, () => {
      const found = read(source, revision);
      assert.ok(found === undefined || /^https?:\/\/[^\s@]+$/.test(found.url));
    });
  }

  it('drops a query, which may hold a secret, and a revision with spaces', () => {
    assert.deepEqual(read('https://x.example/a?token=1#f', 'a b\nc'), {
      url: 'https://x.example/a',
      revision: undefined,
    });
    assert.equal(readImageSource({}), undefined);
  });
});
