import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { findSites } from '../../src/target/find-sites.ts';
import { findImageNames, lastComponent } from '../../src/target/image-names.ts';
import { anyFile } from '../edit/generated-files.ts';

/** Last components that structure finds in the text and the filter does not. */
function missed(text: string): string[] {
  const names = new Set(findImageNames(Buffer.from(text).toString('latin1')));
  const wanted = findSites(Buffer.from(text), 'a.yaml').sites.flatMap(({ claim }) =>
    claim.by === 'repository' ? [lastComponent(claim.repository.path)] : [],
  );
  return wanted.filter((name) => !names.has(name) && !names.has('*'));
}

const spellings: Record<string, string> = {
  plain: 'image: ghcr.io/a/web:1\n',
  'in double quotes': '"image" : "ghcr.io/a/web:1"\n',
  'in single quotes': "'image': 'ghcr.io/a/web:1'\n",
  'on the next line': 'image:\n  ghcr.io/a/web:1\n',
  'behind comments': 'image: # one\n\n  # two\n  ghcr.io/a/web:1\n',
  'behind an anchor and a tag': 'image: &a !!str\n  ghcr.io/a/web:1\n',
  'under an explicit key': '? image # why\n: ghcr.io/a/web:1\n',
  'under an anchored key': '&k image: ghcr.io/a/web:1\n',
  'in brackets': 'image: "[::1]:5000/web:1"\n',
  'in JSON': '{"a":[{"image":"web:1"}]}',
  'of a pod without a version': 'containers: [{image: web}]\n',
  'first below a key': 'image:\n  repository: web\n  tag: "1"\n',
  'with a registry': 'image: {registry: ghcr.io, tag: 1, repository: a/web}\n',
  'below a named key': 'myImage: {name: web, tag: 1}\n',
  'in a list of Kustomize': 'images:\n- newTag: 1\n  name: a\n  newName: web\n',
  'in parameters': 'helm: {parameters: [{value: a/web, name: i.repository}, {name: i.tag, value: 1}]}\n',
  'in an image parameter': 'helm:\n  parameters:\n  - name: image\n    value: a/web:1\n',
  'in an override': 'kustomize:\n  images:\n  - x=y/web:1\n  - "other@sha256:0"\n',
  'in flow overrides': '{"kustomize":{"images":["a=b/web:1",x]}}',
  'in a block': 'helm:\n  values: |\n    image:\n      repository: web\n      tag: 1\n',
  'with CRLF': 'image:\r\n  repository:\r\n    a/web\r\n  tag: 1\r\n',
};

describe('findImageNames', () => {
  for (const [name, text] of Object.entries(spellings)) {
    it(`sees an image ${name}`, () => {
      assert.ok(findImageNames(text).includes('web'));
      assert.notEqual(findSites(Buffer.from(text), 'a.yaml').sites.length, 0, 'structure finds it too');
      assert.deepEqual(missed(text), []);
    });
  }

  const nothing: Record<string, string> = {
    'names of other objects': 'kind: Service\nmetadata:\n  name: web\n',
    'values of variables': 'env:\n- name: A\n  value: web\n',
    'a Helm template': 'image: "{{ .Values.image.repository }}:{{ .Values.image.tag }}"\nname: {{ .x }}\n',
    'maps below image': 'image:\n  pullPolicy: Always\n',
    'an empty file': '',
  };
  for (const [name, text] of Object.entries(nothing))
    it(`does not count ${name}`, () =>
      assert.ok(!findImageNames(text).includes('web') && !findImageNames(text).includes('*')));

  const escaped: Record<string, string> = {
    'an escaped key': '"\\u0069mage": web:1\n',
    'an escaped value': 'image: "w\\u0065b:1"\n',
    'a value over several lines': 'image: "ghcr.io/a/\\\n  web:1"\n',
    'a folded name': 'a: {repository: "a/\\\n  web", tag: 1}\n',
    'an escaped list': '"kustom\\u0069ze": {images: ["a/web:1"]}\n',
  };
  for (const [name, text] of Object.entries(escaped))
    it(`need not see ${name}, which structure leaves alone`, () =>
      assert.deepEqual(findSites(Buffer.from(text), 'a.yaml'), { sites: [], problems: [] }));

  it('sees what structure finds, in every golden file', () => {
    const root = new URL('../fixtures/golden/', import.meta.url).pathname;
    const files = readdirSync(root, { recursive: true, withFileTypes: true, encoding: 'utf8' });
    for (const entry of files.filter((file) => file.isFile())) {
      const path = join(entry.parentPath, entry.name);
      assert.deepEqual(missed(readFileSync(path, 'utf8')), [], path);
    }
  });

  it('sees what structure finds, in generated files', () => {
    fc.assert(
      fc.property(anyFile, (text) => assert.deepEqual(missed(text), [])),
      { numRuns: 2000 },
    );
  });

  it('takes the last path component', () => {
    const rows = { 'ghcr.io/acme/web:1.4.2@sha256:00': 'web', nginx: 'nginx', 'r:5000/a': 'a', '': '', 'a@b/c': 'a' };
    for (const [reference, expected] of Object.entries(rows)) assert.equal(lastComponent(reference), expected);
  });
});
