import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  app,
  appEnv,
  authority,
  checkApp,
  checkAssertion,
  checkSecret,
  exchange,
  giveRefreshToken,
  host,
  instance,
  makeJwt,
  managed,
  refreshToken,
  secretEnv,
  username,
  workloadEnv,
  workloadFiles,
} from './azure-endpoints.ts';
import { type FakeCloudOptions, openCloud, type Route } from './fake-cloud.ts';

describe('the credential source of ACR', () => {
  const identities: [name: string, options: FakeCloudOptions, asked: string[]][] = [
    [
      'a client secret, before a workload identity',
      {
        env: { ...workloadEnv, ...secretEnv },
        routes: { [authority]: checkSecret, [exchange]: giveRefreshToken('tenant-1') },
      },
      [authority, exchange],
    ],
    [
      'a workload identity, before a managed one',
      {
        env: { ...workloadEnv, ...appEnv },
        files: workloadFiles,
        routes: { [authority]: checkAssertion, [exchange]: giveRefreshToken('tenant-1') },
      },
      [authority, exchange],
    ],
    [
      'a workload identity at another authority',
      {
        env: { ...workloadEnv, AZURE_AUTHORITY_HOST: 'https://login.microsoftonline.us/' },
        files: workloadFiles,
        routes: {
          [authority.replace('.com', '.us')]: checkAssertion,
          [exchange]: giveRefreshToken('tenant-1'),
        },
      },
      [authority.replace('.com', '.us'), exchange],
    ],
    [
      'an app service',
      { env: appEnv, routes: { [app]: checkApp, [exchange]: giveRefreshToken(undefined) } },
      [app, exchange],
    ],
    [
      'a managed identity',
      { routes: { [instance]: managed(undefined), [exchange]: giveRefreshToken(undefined) } },
      [instance, instance, exchange],
    ],
    [
      'a managed identity by its client',
      {
        env: { AZURE_CLIENT_ID: 'client-1' },
        routes: { [instance]: managed('client-1'), [exchange]: giveRefreshToken(undefined) },
      },
      [instance, instance, exchange],
    ],
  ];
  for (const [name, options, asked] of identities) {
    it(`signs in with ${name}`, async (context) => {
      const cloud = await openCloud(context, options);
      assert.deepEqual(await cloud.find(host), { username, identityToken: refreshToken });
      assert.deepEqual(cloud.asked, asked);
    });
  }

  for (const [suffix, login] of [
    ['cn', 'login.chinacloudapi.cn'],
    ['us', 'login.microsoftonline.us'],
  ] as const) {
    it(`asks ${login} for a registry in azurecr.${suffix}`, async (context) => {
      const cloud = await openCloud(context, {
        env: secretEnv,
        routes: {
          [`POST https://${login}/tenant-1/oauth2/v2.0/token`]: checkSecret,
          [`POST https://acme.azurecr.${suffix}/oauth2/exchange`]: ({ form }) => {
            assert.equal(form.service, `acme.azurecr.${suffix}`);
            return { json: { refresh_token: refreshToken } };
          },
        },
      });
      assert.deepEqual(await cloud.find(`acme.azurecr.${suffix}`), { username, identityToken: refreshToken });
    });
  }

  const lives: [name: string, token: string, lifeMs: number][] = [
    ['its exp', refreshToken, 175 * 60_000],
    ['150 minutes where it is no JWT', 'opaque', 150 * 60_000],
    ['150 minutes where its exp is no number', makeJwt({ exp: '5' }), 150 * 60_000],
    ['a minute where it has ended', makeJwt({ exp: 5 }), 60_000],
    ['a day where its exp is far away', makeJwt({ exp: 1e12 }), 24 * 3_600_000],
  ];
  for (const [name, token, lifeMs] of lives) {
    it(`keeps a token for ${name}`, async (context) => {
      const routes = { [authority]: checkSecret, [exchange]: giveRefreshToken('tenant-1', token) };
      const cloud = await openCloud(context, { env: secretEnv, routes });
      await Promise.all([cloud.find(host), cloud.find(host)]);
      cloud.clock.nowMs += lifeMs - 1;
      await cloud.find(host);
      assert.equal(cloud.asked.length, 2);
      cloud.clock.nowMs += 1;
      await cloud.find(host);
      assert.equal(cloud.asked.length, 4);
    });
  }

  it('keeps one token for each registry', async (context) => {
    const other = 'POST https://other.azurecr.io/oauth2/exchange';
    const give: Route = () => ({ json: { refresh_token: 'other' } });
    const routes = { [authority]: checkSecret, [exchange]: giveRefreshToken('tenant-1'), [other]: give };
    const cloud = await openCloud(context, { env: secretEnv, routes });
    await cloud.find(host);
    assert.deepEqual(await cloud.find('other.azurecr.io'), { username, identityToken: 'other' });
    cloud.forget('other.azurecr.io');
    await cloud.find(host);
    assert.equal(cloud.asked.length, 4);
  });

  const none: [name: string, options: FakeCloudOptions][] = [
    ['nothing is there', {}],
    ["another cloud's metadata server answers", { routes: { 'GET http://169.254.169.254/': () => ({}) } }],
    [
      'the machine has no identity',
      {
        routes: {
          [instance]: managed(undefined, {
            status: 400,
            json: { error: 'invalid_request', error_description: 'Identity not found' },
          }),
        },
      },
    ],
  ];
  for (const [name, options] of none) {
    it(`offers none where ${name}`, async (context) => {
      const cloud = await openCloud(context, options);
      assert.equal(await cloud.find(host), undefined);
    });
  }
});
