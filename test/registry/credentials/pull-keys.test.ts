import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { matchesPullKey, normalizePullKey } from '../../../src/registry/credentials/pull-keys.ts';

const toRepository = (image: string) => {
  const slash = image.indexOf('/');
  return { host: image.slice(0, slash), path: image.slice(slash + 1) };
};

describe('matchesPullKey', () => {
  // Those of TestURLsMatch, TestDockerKeyringForGlob and TestKeyringMiss in Kubernetes' pkg/credentialprovider, and the table of its "Images".
  const rows: [key: string, image: string, matches: boolean][] = [
    ['*.kubernetes.io', 'prefix.kubernetes.io/x', true],
    ['prefix.*.io', 'prefix.kubernetes.io/x', true],
    ['prefix.kubernetes.*', 'prefix.kubernetes.io/x', true],
    ['*-good.kubernetes.io', 'prefix-good.kubernetes.io/x', true],
    ['*.kubernetes.io/blah', 'prefix.kubernetes.io/blah', true],
    ['prefix.*.io/foo', 'prefix.kubernetes.io/foo/bar', true],
    ['*.kubernetes.io:1111/blah', 'prefix.kubernetes.io:1111/blah', true],
    ['prefix.*.io:1111/foo', 'prefix.kubernetes.io:1111/foo/bar', true],
    ['*.kubernetes.io', 'kubernetes.io/x', false],
    ['*.*.kubernetes.io', 'prefix.kubernetes.io/x', false],
    ['*.*.kubernetes.io', 'some.prefix.kubernetes.io/x', true],
    ['*kubernetes.io', 'kubernetes.io/x', true],
    ['*kubernetes.io', 'my-kubernetes.io/x', true],
    ['*kubernetes.io', 'a.kubernetes.io/x', false],
    ['*.*.*.kubernetes.io', 'a.b.kubernetes.io/x', false],
    ['k*.io', 'quay.io/x', false],
    ['*.kubernetes.io:1234/blah', 'prefix.kubernetes.io:1111/blah', false],
    ['prefix.*.io/foo', 'prefix.kubernetes.io/bar/foo', false],
    ['*.docker.io', 'prefix.docker.io:1111/x', false],
    ['https://*.docker.io/v1/', 'prefix.docker.io/x', true],
    ['https://*.docker.io/v2/', 'prefix.docker.io/x', true],
    ['http://prefix.docker.*:8888', 'prefix.docker.io:8888/x', true],
    ['https://*.docker.com', 'prefix.docker.io/x', false],
    ['my-registry.io/images', 'my-registry.io/images/my-image', true],
    ['my-registry.io/images', 'my-registry.io/other', false],
    ['my-registry.io/images', 'my-registry.io/images-of-mine/x', true],
    ['my-registry.io/images/', 'my-registry.io/images-of-mine/x', false],
    ['my-registry.io/images/', 'my-registry.io/images/x', true],
    ['*.my-registry.io', 'a.b.my-registry.io/x', false],
    ['https://index.docker.io/v1/', 'docker.io/library/nginx', true],
    ['docker.io/acme', 'docker.io/acme/web', true],
    ['docker.io/acme', 'docker.io/library/nginx', false],
    ['GHCR.io', 'ghcr.io/acme/web', true],
    ['*.Example.com:443', 'a.example.com/x', true],
    ['127.0.0.1:5000', '127.0.0.1:5000/x', true],
    ['127.0.0.1:5000', '127.0.0.1:5001/x', false],
    ['[::1]:5000', '[::1]:5000/x', true],
    ['reg?.io', 'reg1.io/x', true],
    ['reg?.io', 'reg.io/x', false],
    ['reg[0-9].io', 'reg7.io/x', true],
    ['reg[^0-9].io', 'reg7.io/x', false],
    ['reg[0-.io', 'reg0.io/x', false],
    ['*', 'localhost/x', true],
    ['', 'a.io/x', false],
  ];
  for (const [key, image, matches] of rows)
    it(`${key} ${matches ? 'is' : 'is not'} for ${image}`, () =>
      assert.equal(matchesPullKey(normalizePullKey(key), toRepository(image)), matches));

  it('is done at once with what takes a regular expression for ever', () => {
    const key = `${'*a'.repeat(20_000)}b`;
    assert.equal(matchesPullKey(key, { host: 'a'.repeat(63), path: 'x' }), false);
  });
});
