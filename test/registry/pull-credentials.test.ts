import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { TallymanError } from '../../src/error/tallyman-error.ts';
import { createPullSecretsSource } from '../../src/registry/credentials/pull-secrets.ts';
import type { RegistryServerOptions } from '../services/registry-server.ts';
import { openRegistry } from './open-registry.ts';

const right = { username: 'tally', password: 'open sesame' };
const wrong = { username: 'tally', password: 'shut sesame' };
const missing = new TallymanError('SecretUnavailable', 'Cannot use Secret "shop/gone": it is not there');

describe('a registry that is asked with pull secrets', () => {
  /** One secret for each user, all for the server's host. */
  async function open(
    context: TestContext,
    server: RegistryServerOptions,
    { users, faults = [] }: { users: readonly (typeof right)[]; faults?: readonly Error[] },
  ) {
    let host = '';
    const listPullSecrets = () => ({
      secrets: users.map((user, index) => ({
        title: `Secret "shop/${index}"`,
        text: JSON.stringify({ auths: { [host]: user } }),
      })),
      faults,
    });
    const registry = await openRegistry(context, {
      server,
      credentials: () => [createPullSecretsSource({ listPullSecrets })],
    });
    host = registry.server.host;
    registry.server.publish('acme/web', '1.0');
    const list = async () => (await registry.client.listTags(registry.repository, { signal: registry.signal })).tags;
    return { ...registry, list };
  }

  for (const auth of ['basic', 'bearer'] as const)
    it(`is tried with the next where one is refused, and at once with that afterwards: ${auth}`, async (t) => {
      const { list, listings, server } = await open(t, { auth }, { users: [wrong, right] });
      assert.deepEqual(await list(), ['1.0']);
      const before = listings().length;
      const refused = server.requests.filter(({ authorization }) => authorization?.startsWith('Basic')).length;
      assert.deepEqual(await list(), ['1.0']);
      assert.equal(listings().length, before + 1);
      assert.equal(
        server.requests.filter(({ authorization }) => authorization?.startsWith('Basic')).length - refused,
        auth === 'basic' ? 1 : 0,
      );
    });

  it('is asked with each once where all are refused, and again with each at the next look', async (t) => {
    const { list, server } = await open(t, { auth: 'basic' }, { users: [wrong, { ...wrong, username: 'other' }] });
    for (let look = 1; look <= 2; look++) {
      await assert.rejects(list(), {
        code: 'RegistryDenied',
        remedy: 'Correct Secret "shop/1", or let its credentials pull this repository: those sent were refused.',
      });
      const tried = server.requests.flatMap(({ authorization }) => authorization ?? []);
      assert.deepEqual([tried.length, new Set(tried).size], [2 * look, 2]);
    }
  });

  it('is no worse off by a secret that is missing where everybody may pull, or another one does', async (t) => {
    const open1 = await open(t, {}, { users: [], faults: [missing] });
    assert.deepEqual(await open1.list(), ['1.0']);
    const open2 = await open(t, { auth: 'basic' }, { users: [right], faults: [missing] });
    assert.deepEqual(await open2.list(), ['1.0']);
  });

  it('is told to have refused because a secret is missing where that may be so', async (t) => {
    const { list } = await open(t, { auth: 'basic' }, { users: [], faults: [missing] });
    await assert.rejects(list(), missing);
    const other = await open(t, { auth: 'basic' }, { users: [wrong], faults: [missing] });
    await assert.rejects(other.list(), { code: 'RegistryDenied' });
  });

  it('is said not to have an image by whoever was let in', async (t) => {
    const { client, repository, signal } = await open(t, { auth: 'basic' }, { users: [right, wrong] });
    const other = { ...repository, path: 'acme/none' };
    await assert.rejects(client.listTags(other, { signal }), { code: 'ImageNotFound' });
    await assert.rejects(client.fetchManifest(repository, '2.0', { signal }), { code: 'ImageNotFound' });
  });
});
