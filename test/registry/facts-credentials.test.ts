import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { createRegistry } from '../../src/registry/create-registry.ts';
import { createCredentialHelper, type RunHelper } from '../../src/registry/credentials/credential-helper.ts';
import { createDockerConfigSource } from '../../src/registry/credentials/docker-config.ts';
import { createEndpointSource } from '../../src/registry/credentials/endpoint-source.ts';
import type { HostSettings } from '../../src/registry/host.ts';
import { type Behaviour, behindToken, complain, oneTag, openScene, type Scene } from './act-out.ts';

const encode = (text: string): string => Buffer.from(text).toString('base64');

/** A registry that wants a password, and tells by its calls which it got. */
const wantsPassword: Behaviour = (call) =>
  call.authorization === undefined
    ? { ...complain(401, 'UNAUTHORIZED'), headers: { 'www-authenticate': 'Basic realm="Registry"' } }
    : oneTag(call);

interface Configured {
  /** Docker's configuration; `HOST` stands for the registry. */
  readonly config: object;
  readonly run?: RunHelper;
  readonly registry?: Behaviour;
  /** The host that images name, of which the registry is a mirror; default its own. */
  readonly mirrorOf?: string;
}

/** A client that finds its credentials in a Docker configuration. */
async function openConfigured(t: TestContext, { config, run, registry = wantsPassword, mirrorOf }: Configured) {
  const scene = await openScene(t, { registry });
  const now = (): number => Date.now() + scene.clock.aheadMs;
  const helper = createCredentialHelper({ now, run: run ?? (() => assert.fail('no helper was named')) });
  const env = { DOCKER_AUTH_CONFIG: JSON.stringify(config).replaceAll('HOST', scene.server.host) };
  const hosts = (host: string): HostSettings => (host === mirrorOf ? { endpoint: scene.server.url } : {});
  const source = createEndpointSource(hosts, createDockerConfigSource({ env, homeFolder: undefined, helper }));
  const client = createRegistry({ hosts, credentials: () => [source], now });
  t.after(() => client.close());
  const list = async (path: string) =>
    (await client.listTags({ host: mirrorOf ?? scene.server.host, path }, { signal: scene.signal })).tags;
  return { scene, list };
}

const lastSent = ({ calls }: Scene): string | undefined => calls.at(-1)?.authorization;
const both = { auths: { HOST: { auth: encode('host:a') }, 'HOST/acme/web': { auth: encode('own:b') } } };

const rows: [name: string, path: string, config: object, sent: string][] = [
  ['the entry of the full repository goes first', 'acme/web', both, 'own:b'],
  ['the entry of the host serves the others', 'acme/api', both, 'host:a'],
  ['a host may be written as a URL', 'acme/web', { auths: { 'https://HOST/v1/': { auth: encode('u:p') } } }, 'u:p'],
  ['the first colon ends the user', 'acme/web', { auths: { HOST: { auth: encode('u:p:q:r') } } }, 'u:p:q:r'],
  ['NULs behind the password are padding', 'acme/web', { auths: { HOST: { auth: encode('u:p\0\0') } } }, 'u:p'],
];

describe('facts about credentials', () => {
  for (const [name, path, config, sent] of rows) {
    it(`12: ${name}`, async (t) => {
      const { scene, list } = await openConfigured(t, { config });
      assert.deepEqual(await list(path), ['1.0']);
      assert.equal(lastSent(scene), `Basic ${encode(sent)}`);
    });
  }

  it('12: a helper that names the user <token> gives an identity token, which goes by POST', async (t) => {
    const stdout = JSON.stringify({ ServerURL: 'x', Username: '<token>', Secret: 'refresh-me' });
    const config = { credHelpers: { HOST: 'corp' } };
    const run: RunHelper = async () => ({ code: 0, stdout });
    const { scene, list } = await openConfigured(t, { config, run, registry: behindToken({}) });
    assert.deepEqual(await list('acme/web'), ['1.0']);
    const asked = scene.calls.find(({ path }) => path === '/token');
    assert.equal(asked?.method, 'POST');
    assert.equal(asked?.form.get('refresh_token'), 'refresh-me');
  });

  it('12: a helper is asked again when it fails, and its answer is kept for an hour', async (t) => {
    let runs = 0;
    const run: RunHelper = async () => {
      runs += 1;
      return runs === 1 ? { code: 1, stdout: 'busy' } : { code: 0, stdout: '{"Username":"u","Secret":"p"}' };
    };
    const { scene, list } = await openConfigured(t, { config: { credsStore: 'corp' }, run });
    for (const aheadMs of [0, 3_500_000]) {
      scene.clock.aheadMs = aheadMs;
      assert.deepEqual(await list('acme/web'), ['1.0']);
      assert.equal(runs, 2);
    }
    scene.clock.aheadMs = 3_700_000;
    await list('acme/web');
    assert.equal(runs, 3);
  });

  it('32: a mirror never gets the password of the registry that it mirrors', async (t) => {
    const config = { auths: { 'https://index.docker.io/v1/': { auth: encode('hub:secret') } } };
    const { scene, list } = await openConfigured(t, { config, mirrorOf: 'docker.io' });
    await assert.rejects(list('acme/web'), { code: 'RegistryDenied', message: /without credentials/ });
    assert.deepEqual(
      scene.calls.map(({ authorization }) => authorization),
      [undefined],
    );
  });

  it('32: a mirror gets its own', async (t) => {
    const auths = {
      'https://index.docker.io/v1/': { auth: encode('hub:secret') },
      HOST: { auth: encode('mirror:own') },
    };
    const { scene, list } = await openConfigured(t, { config: { auths }, mirrorOf: 'docker.io' });
    assert.deepEqual(await list('acme/web'), ['1.0']);
    assert.equal(lastSent(scene), `Basic ${encode('mirror:own')}`);
  });
});
