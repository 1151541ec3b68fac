import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { assertFails, type FakeCloudOptions, openCloud, type Route, repeat } from './fake-cloud.ts';

const host = 'acme.azurecr.io';
const exchange = 'POST https://acme.azurecr.io/oauth2/exchange';
const username = '00000000-0000-0000-0000-000000000000';
const authority = 'POST https://login.microsoftonline.com/tenant-1/oauth2/v2.0/token';
const ids = { AZURE_CLIENT_ID: 'client-1', AZURE_TENANT_ID: 'tenant-1' };
const secretEnv = { ...ids, AZURE_CLIENT_SECRET: 'client~secret/1' };
const workloadEnv = { ...ids, AZURE_FEDERATED_TOKEN_FILE: '/var/azure' };
const workloadFiles = { '/var/azure': 'projected.token' };
const instance = 'GET http://169.254.169.254/metadata/identity/oauth2/token';
const appEnv = { IDENTITY_ENDPOINT: 'http://127.0.0.1:41/msi/token', IDENTITY_HEADER: 'app-secret' };
const app = 'GET http://127.0.0.1:41/msi/token';
const resource = 'https://containerregistry.azure.net';
const nowMs = Date.parse('2026-01-01T12:00:00Z');

const makeJwt = (claims: object): string => `eyJ9.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.sig`;
const refreshToken = makeJwt({ exp: nowMs / 1000 + 3 * 3600 });
const giveRefreshToken =
  (tenant: string | undefined, text = refreshToken): Route =>
  ({ form, headers }) => {
    assert.equal(headers['content-type'], 'application/x-www-form-urlencoded');
    const fields = { grant_type: 'access_token', service: 'acme.azurecr.io', access_token: 'aad.token' };
    assert.deepEqual(form, tenant === undefined ? fields : { ...fields, tenant });
    return { json: { refresh_token: text } };
  };
const aadToken = { json: { access_token: 'aad.token', expires_in: 3599, token_type: 'Bearer' } };
const clientForm = { client_id: 'client-1', scope: `${resource}/.default`, grant_type: 'client_credentials' };
const checkSecret: Route = ({ form }) => {
  assert.deepEqual(form, { ...clientForm, client_secret: 'client~secret/1' });
  return aadToken;
};
const checkAssertion: Route = ({ form }) => {
  const type = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
  assert.deepEqual(form, { ...clientForm, client_assertion_type: type, client_assertion: 'projected.token' });
  return aadToken;
};
const managed =
  (clientId: string | undefined, reply: object = { json: { access_token: 'aad.token', expires_in: '86399' } }): Route =>
  ({ query, headers }) => {
    const fields = { 'api-version': '2018-02-01', resource };
    assert.deepEqual(query, clientId === undefined ? fields : { ...fields, client_id: clientId });
    if (headers.metadata === undefined) return { status: 400, json: { error: 'bad_request_102' } };
    assert.equal(headers.metadata, 'true');
    return reply;
  };
const checkApp: Route = ({ query, headers }) => {
  assert.deepEqual(query, { 'api-version': '2019-08-01', resource });
  assert.equal(headers['x-identity-header'], 'app-secret');
  return aadToken;
};

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

describe('the errors of the credential source of ACR', () => {
  const json =
    (status: number, value: unknown): Route =>
    () => ({ status, json: value });
  const atAuthority = (route: Route): FakeCloudOptions => ({ env: secretEnv, routes: { [authority]: route } });
  const atExchange = (route: Route): FakeCloudOptions => ({
    env: secretEnv,
    routes: { [authority]: checkSecret, [exchange]: route },
  });
  const unknownIdentity = { status: 400, json: { error: 'invalid_request', error_description: 'Identity not found' } };
  const rows: [name: string, options: FakeCloudOptions, code: string, message: RegExp, remedy?: RegExp][] = [
    [
      'a client that is missing',
      { env: { AZURE_CLIENT_SECRET: 'client~secret/1', AZURE_TENANT_ID: 't' } },
      'RegistryDenied',
      /AZURE_CLIENT_ID is not set/,
      /Set AZURE_CLIENT_ID/,
    ],
    [
      'a tenant that is missing',
      { env: { ...workloadEnv, AZURE_TENANT_ID: '' }, files: workloadFiles },
      'RegistryDenied',
      /AZURE_TENANT_ID is not set/,
    ],
    [
      'a token file that is missing',
      { env: workloadEnv },
      'RegistryDenied',
      /"\/var\/azure" of AZURE_FEDERATED_TOKEN_FILE cannot be read/,
    ],
    [
      'an authority without TLS',
      { env: { ...secretEnv, AZURE_AUTHORITY_HOST: 'http://login.example' } },
      'RegistryDenied',
      /AZURE_AUTHORITY_HOST names "http:\/\/login\.example"/,
    ],
    [
      'an authority that is no URL',
      { env: { ...secretEnv, AZURE_AUTHORITY_HOST: 'login' } },
      'RegistryDenied',
      /AZURE_AUTHORITY_HOST is no URL/,
    ],
    [
      'a token that nobody trusts',
      {
        env: workloadEnv,
        files: workloadFiles,
        routes: {
          [authority]: json(401, {
            error: 'invalid_client',
            error_description: 'AADSTS70021: No matching federated identity record found.',
          }),
        },
      },
      'RegistryDenied',
      /"login\.microsoftonline\.com" answered 401 \(invalid_client: AADSTS70021: No matching/,
      /AZURE_FEDERATED_TOKEN_FILE.*AZURE_CLIENT_ID/,
    ],
    ['a token server that repeats a secret', atAuthority(repeat), 'RegistryDenied', /400/, /AZURE_CLIENT_SECRET/],
    [
      'a token server that repeats a token',
      { env: workloadEnv, files: workloadFiles, routes: { [authority]: repeat } },
      'RegistryDenied',
      /400/,
    ],
    ['a token server that is busy', atAuthority(json(429, {})), 'RegistryUnavailable', /429/],
    [
      'a token server without a token',
      atAuthority(json(200, { access_token: 5 })),
      'RegistryInvalid',
      /an access token was wanted/,
    ],
    ['a token server that cannot be reached', { env: secretEnv }, 'RegistryUnavailable', /connection was refused/],
    [
      'a registry that refuses',
      atExchange(
        json(401, { errors: [{ code: 'UNAUTHORIZED', message: 'authentication required, aad.token is not' }] }),
      ),
      'RegistryDenied',
      /the registry "acme\.azurecr\.io" answered 401 \(UNAUTHORIZED: authentication required, … is not\)/,
      /AcrPull/,
    ],
    ['a registry that repeats a token', atExchange(repeat), 'RegistryDenied', /400/],
    ['a registry that knows no exchange', atExchange(json(404, {})), 'RegistryInvalid', /404/],
    ['a registry without a token', atExchange(json(200, {})), 'RegistryInvalid', /a refresh token was wanted/],
    [
      'a registry with a token of two lines',
      atExchange(json(200, { refresh_token: 'a\r\nb' })),
      'RegistryInvalid',
      /a refresh token was wanted/,
    ],
    [
      'an identity that the machine lacks',
      { env: { AZURE_CLIENT_ID: 'client-1' }, routes: { [instance]: managed('client-1', unknownIdentity) } },
      'RegistryDenied',
      /400 \(invalid_request: Identity not found\)/,
      /AZURE_CLIENT_ID/,
    ],
    [
      'several identities',
      {
        routes: {
          [instance]: managed(undefined, {
            status: 400,
            json: { error: 'invalid_request', error_description: 'Multiple user assigned identities exist' },
          }),
        },
      },
      'RegistryDenied',
      /Multiple user assigned/,
      /AZURE_CLIENT_ID/,
    ],
    [
      'an app service that repeats a secret',
      { env: appEnv, routes: { [app]: repeat } },
      'RegistryDenied',
      /managed identity server "127\.0\.0\.1:41" answered 400/,
    ],
  ];
  const secrets = ['client~secret/1', 'projected.token', 'aad.token', 'app-secret'];
  for (const [name, options, code, message, remedy] of rows) {
    it(`names ${name}`, async (context) => {
      const cloud = await openCloud(context, options);
      await assertFails(cloud.find(host), { code, message, secrets, ...(remedy && { remedy }) });
    });
  }
});
