import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { application, resolve, updater } from './argocd-objects.ts';

const prefix = 'argocd-image-updater.argoproj.io/';

describe('hostile input', () => {
  const good = application('web', { metadata: { annotations: { [`${prefix}image-list`]: 'acme/web' } } });
  const rows: Record<string, string> = {
    'an empty object': updater({}),
    'a spec of a wrong type': updater([]),
    'entries of a wrong type': updater({ applicationRefs: [1, null, 'x', [], { namePattern: {} }] }),
    'another kind': `apiVersion: ${prefix}v1alpha1\nkind: [a]`,
    'no metadata': 'apiVersion: argoproj.io/v1alpha1\nkind: Application',
    'aliases that expand without end': [
      `apiVersion: ${prefix}v1alpha1`,
      'kind: ImageUpdater',
      'x: &a [l, l, l, l, l, l, l, l, l]',
      ...[...'bcdefghi'].map(
        (name, index) => `${name}1: &${name} [${Array(9).fill(`*${'abcdefgh'[index]}`).join(', ')}]`,
      ),
    ].join('\n'),
    'keys of every object': updater({
      applicationRefs: [JSON.parse('{"__proto__":{"namePattern":"*"},"constructor":1}')],
    }),
    'a huge list of images': application('big', {
      metadata: { annotations: { [`${prefix}image-list`]: Array(50_000).fill('a=b:').join(',') } },
    }),
    'a huge image': application('long', {
      metadata: { annotations: { [`${prefix}image-list`]: `${'a/'.repeat(100_000)}:${'>='.repeat(100_000)}` } },
    }),
    'a huge alias': application('alias', {
      metadata: { annotations: { [`${prefix}image-list`]: `${'-a.'.repeat(200_000)}=x` } },
    }),
  };
  for (const [name, text] of Object.entries(rows)) {
    it(`never throws and stops no other application: ${name}`, () => {
      const start = performance.now();
      const { keys, problems } = resolve({ 'bad.yaml': text, 'good.yaml': good });
      assert.deepEqual(
        keys.filter((key) => key === 'argocd/web-web'),
        ['argocd/web-web'],
      );
      if (name !== 'no metadata') assert.ok(problems.length > 0);
      assert.ok(problems.every(({ code, message }) => code !== 'Internal' && message.length < 1000));
      assert.ok(performance.now() - start < 30_000);
    });
  }

  it('never throws, whatever the values are', () => {
    const value = fc.jsonValue({ maxDepth: 3 });
    const names = [
      'image-list',
      'a.allow-tags',
      'a.ignore-tags',
      'a.update-strategy',
      'write-back-target',
      'git-branch',
    ];
    const annotations = fc.dictionary(
      fc.constantFrom(...names.map((name) => `${prefix}${name}`)),
      fc.oneof(value, fc.string()),
    );
    const ref = fc.record(
      { namePattern: fc.oneof(fc.constant('*'), value), labelSelectors: value, images: value },
      { requiredKeys: [] },
    );
    const spec = fc.oneof(
      value,
      fc.record({ applicationRefs: fc.oneof(value, fc.array(ref)), writeBackConfig: value }),
    );
    fc.assert(
      fc.property(annotations, spec, value, (found, updates, source) => {
        const app = JSON.parse(application('web', { metadata: { annotations: found } }));
        const { problems } = resolve({
          'a.yaml': JSON.stringify({ ...app, spec: { source, sources: source } }),
          'b.yaml': updater(updates as object),
        });
        assert.ok(problems.every(({ code }) => code !== 'Internal'));
      }),
      { numRuns: 500 },
    );
  });
});
