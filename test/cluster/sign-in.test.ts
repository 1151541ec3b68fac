import assert from 'node:assert/strict';
import { it } from 'node:test';
import { KubeConfig } from '@kubernetes/client-node';
import { createSignIn } from '../../src/cluster/sign-in.ts';

it('has credentials given by a program again, where the one before has been hanging for long', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let begun = 0;
  class Hanging extends KubeConfig {
    override async applyToHTTPSOptions(): Promise<void> {
      begun += 1;
      if (begun === 1) await new Promise(() => {});
    }
  }
  const config = new Hanging();
  config.loadFromClusterAndUser({ name: 'a', server: 'https://127.0.0.1:1', skipTLSVerify: false }, { name: 'b' });
  const signIn = createSignIn(() => config);
  const ask = async () => {
    const stop = new AbortController();
    const asked = signIn.apply({}, stop.signal);
    setImmediate(() => stop.abort(new Error('no time is left')));
    await asked;
  };
  for (let tries = 0; tries < 2; tries += 1) await assert.rejects(ask(), { code: 'ClusterUnavailable' });
  assert.equal(begun, 1);
  t.mock.timers.tick(60_000);
  await ask();
  assert.equal(begun, 2);
});
