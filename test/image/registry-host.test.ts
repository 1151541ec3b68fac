import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseImageReference } from '../../src/image/reference.ts';
import { describeHostFault, normalizeRegistryHost } from '../../src/image/registry-host.ts';

describe('normalizeRegistryHost', () => {
  const rows: [host: string, normal: string][] = [
    ['ghcr.io', 'ghcr.io'],
    ['GHCR.io', 'ghcr.io'],
    ['ghcr.io:443', 'ghcr.io'],
    ['Registry.Corp:5000', 'registry.corp:5000'],
    ['docker.io', 'docker.io'],
    ['Docker.io', 'docker.io'],
    ['index.docker.io', 'docker.io'],
    ['registry-1.docker.io', 'docker.io'],
    ['registry-1.docker.io:443', 'docker.io'],
    ['docker.io:5000', 'docker.io:5000'],
    ['localhost:443', 'localhost:443'],
    ['registry.localhost:443', 'registry.localhost:443'],
    ['10.0.0.1:443', '10.0.0.1:443'],
    ['[FD00::1]:443', '[fd00::1]:443'],
    ['web:443', 'web:443'],
    ['Web', 'Web'],
  ];
  for (const [host, normal] of rows)
    it(`reads ${host} as ${normal}`, () => assert.equal(normalizeRegistryHost(host), normal));

  it('changes nothing twice', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[A-Za-z0-9.-]{1,12}(?::443)?$/), (host) => {
        const normal = normalizeRegistryHost(host);
        assert.equal(normalizeRegistryHost(normal), normal);
      }),
    );
  });
});

describe('one repository', () => {
  const rows: [image: string, host: string, path: string][] = [
    ['GHCR.io/acme/web', 'ghcr.io', 'acme/web'],
    ['ghcr.io:443/acme/web:1.0', 'ghcr.io', 'acme/web'],
    ['registry-1.docker.io/library/nginx', 'docker.io', 'library/nginx'],
    ['registry-1.docker.io/nginx', 'docker.io', 'library/nginx'],
    ['Docker.io/nginx:1', 'docker.io', 'library/nginx'],
    ['Web/app', 'Web', 'app'],
  ];
  for (const [image, host, path] of rows) {
    it(`is ${host}/${path} for ${image}`, () => {
      const found = parseImageReference(image);
      assert.deepEqual([found.host, found.path], [host, path]);
    });
  }
});

describe('describeHostFault', () => {
  for (const host of ['ghcr.io', 'GHCR.io:443', 'localhost', 'localhost:5000', '[::1]:5000', '10.0.0.1'])
    it(`takes ${host}`, () => assert.equal(describeHostFault(host), undefined));

  const rows: [host: string, wanted: RegExp][] = [
    ['https://ghcr.io', /without https:\/\//],
    ['ghcr.io/', /without a path/],
    ['ghcr.io/acme', /without a path/],
    ['a b', /a host name or address/],
    ['', /a host name or address/],
    ['-a.example', /a host name or address/],
    ['a..example', /a host name or address/],
    ['*.example', /a host name or address/],
    ['ghcr.io:', /a host name or address/],
    ['ghcr.io:99999', /a host name or address/],
    ['registry', /a dot or a port/],
  ];
  for (const [host, wanted] of rows) it(`refuses "${host}"`, () => assert.match(describeHostFault(host) ?? '', wanted));
});
