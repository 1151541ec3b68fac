import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type HostSettings, resolveRegistryHost } from '../../src/registry/host.ts';

describe('resolveRegistryHost', () => {
  const rows: [name: string, settings: HostSettings, origin: string][] = [
    ['docker.io', {}, 'https://registry-1.docker.io'],
    ['ghcr.io', {}, 'https://ghcr.io'],
    ['registry.corp:5000', {}, 'https://registry.corp:5000'],
    ['registry.corp:5000', { plainHttp: true }, 'http://registry.corp:5000'],
    ['localhost:5000', {}, 'http://localhost:5000'],
    ['localhost:5000', { plainHttp: false }, 'https://localhost:5000'],
    ['127.1.2.3', {}, 'http://127.1.2.3'],
    ['[::1]:5000', {}, 'http://[::1]:5000'],
    ['10.0.0.1', {}, 'https://10.0.0.1'],
    ['localhost.example.com', {}, 'https://localhost.example.com'],
  ];
  for (const [name, settings, origin] of rows) {
    it(`finds ${name} ${JSON.stringify(settings)} at ${origin}`, () =>
      assert.equal(resolveRegistryHost(name, settings).origin, origin));
  }

  for (const name of ['registry.corp:99999', '[:::]:5000']) {
    it(`refuses ${name}`, () => assert.throws(() => resolveRegistryHost(name, {}), { code: 'ReferenceInvalid' }));
  }
});
