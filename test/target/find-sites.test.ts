import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { findSites, mergeSites } from '../../src/target/find-sites.ts';

const marker = '# {"$imagepolicy": "shop:web"}';
const encode = (text: string) => new TextEncoder().encode(text);
const binary = (text: string) => Uint8Array.of(0, ...encode(text));

/** What is found, as `kind path=value …` for each site, and the codes of the problems. */
function look(bytes: Uint8Array): { sites: string[]; problems: string[] } {
  const { sites, problems } = findSites(bytes, 'a.yaml');
  return {
    sites: sites.map((site) =>
      [site.kind, ...site.scalars.map(({ path, prefix, value }) => `${path}=${prefix}${value}`)].join(' '),
    ),
    problems: problems.map(({ code }) => code),
  };
}

const rows: Record<string, [string, string[]]> = {
  'a file of JSON': ['{"spec": {"containers": [{"image": "web:1"}]}}', ['workload spec.containers[0].image=web:1']],
  'an empty file': ['', []],
  'blank lines': ['\n \n\n', []],
  'only comments': ['# image: web:1\n#\n', []],
  'only a byte order mark': ['\ufeff', []],
  'a text': ['just some words', []],
  'a whole registry reference as the document': ['ghcr.io/acme/web:1', []],
  'a Helm template': ['{{- if .x }}\nimage: web:1\n{{- end }}\n', []],
  'YAML that breaks off in its last document': ['image: web:1\n---\na: [', []],
  'a reference in a block scalar': ['image: |-\n  ghcr.io/acme/web:1\n', []],
  'a reference over two lines': ['image: "ghcr.io/acme/\\\n  web:1"\n', []],
  'an image with a version that is no container': ['image: web:1\n', ['workload image=web:1']],
  'an image without one': ['image: web\n', []],
  'a policy': ['apiVersion: tallyman.dev/v1alpha1\nspec: {image: "web:1"}\n', []],
  'a policy in a list, beside a workload': [
    'kind: List\nitems:\n- {apiVersion: tallyman.dev/v1alpha1, spec: {image: "web:1"}}\n- {image: "web:2"}\n',
    ['workload items[1].image=web:2'],
  ],
  'Helm values': ['a: {registry: ghcr.io, repository: acme/web, tag: 1, digest: ""}\n', ['helm a.tag=1 a.digest=']],
  'Helm values with a registry that is an alias': ['r: &r ghcr.io\na: {registry: *r, repository: web, tag: 1}\n', []],
  'Helm values with a null registry': ['a: {registry: ~, repository: web, tag: 1}\n', ['helm a.tag=1']],
  'Helm values with a tag that is a map': ['a: {repository: web, tag: {x: 1}}\n', []],
  'Helm values with a tag twice': ['a: {repository: web, tag: 1, tag: 2}\n', []],
  'Helm values with a version in the repository': ['a: {repository: "web:1", tag: 1}\n', []],
  'Helm values with a number for a repository': ['a: {repository: 12, tag: 1}\n', []],
  'a merged map': ['a: &a {repository: web, tag: 1}\nb: {<<: *a, tag: 2}\n', ['helm a.tag=1']],
  'Kustomize by kind': ['kind: Component\nimages: [{name: web, newTag: 1}]\n', ['kustomize images[0].newTag=1']],
  'Kustomize deeper down': ['kind: Kustomization\nx: {images: [{name: web, newTag: 1}]}\n', []],
  'an image override': ['kustomize: {images: [a=web:1]}\n', ['argocd kustomize.images[0]=a=web:1']],
  'an override that only renames': ['kustomize: {images: [a=web]}\n', []],
  'a parameter image.name beside image.tag': [
    'helm:\n  parameters:\n  - {name: image.name, value: a/web}\n  - {name: image.tag, value: 1.0.0}\n  - {name: host.name, value: a/web}\n',
    ['argocd helm.parameters[1].value=1.0.0'],
  ],
  'parameters in any order': [
    'helm:\n  parameters:\n  - {value: 1, name: x.tag}\n  - {name: x.repository, value: web}\n',
    ['argocd helm.parameters[0].value=1'],
  ],
  'values in a block': [
    'helm:\n  values: |\n    image: web:1\n    b: {repository: web, tag:}\n',
    ['helm helm.values|b.tag=', 'workload helm.values|image=web:1'],
  ],
  'a second document': ['a: 1\n---\nimage: web:1\n', ['workload #1:image=web:1']],
};

describe('findSites', () => {
  for (const [name, [text, expected]] of Object.entries(rows)) {
    it(`of ${name}`, () => assert.deepEqual(look(encode(text)), { sites: expected, problems: [] }));
  }

  const unreadable: Record<string, (text: string) => Uint8Array> = {
    'a Helm template': (text) => encode(`{{- if .x }}\n${text}{{- end }}\n`),
    'a binary file': binary,
    'a file past the limit': (text) => encode(`${text}${'# filler\n'.repeat(130_000)}`),
    'a file nested too deep': (text) => encode(`${text}a: ${'['.repeat(200)}`),
    'a file that is not UTF-8': (text) => Uint8Array.of(...encode(text), 0x23, 0xff),
  };
  for (const [name, make] of Object.entries(unreadable)) {
    it(`has none in ${name}, and a problem only where it carries a marker`, () => {
      assert.deepEqual(look(make('image: web:1\n')), { sites: [], problems: [] });
      assert.deepEqual(look(make(`image: web:1 ${marker}\n`)), { sites: [], problems: ['FileUnreadable'] });
    });
  }

  it('gives each part its place in the file, inside a block scalar too', () => {
    const text = '\ufeffhelm:\r\n    values: |\r\n      ü: 1\r\n      image: "web:1"\r\n';
    const [site] = findSites(encode(text), 'a.yaml').sites;
    const [scalar] = site?.scalars ?? [];
    assert.equal(text.slice(scalar?.start, scalar?.end), '"web:1"');
    assert.deepEqual([scalar?.line, scalar?.column, scalar?.style], [4, 14, 'double']);
  });

  it('merges file by file, the first sites first', () => {
    const sites = (text: string) => findSites(encode(text), 'a.yaml');
    const merged = mergeSites(new Map([['a', sites('image: web:1\n')]]), new Map([['a', sites('image: web:2\n')]]));
    assert.deepEqual(
      merged.get('a')?.sites.map((site) => site.scalars[0]?.value),
      ['web:1', 'web:2'],
    );
  });
});
