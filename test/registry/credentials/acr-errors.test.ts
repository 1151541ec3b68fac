import { describe, it } from 'node:test';
import {
  app,
  appEnv,
  authority,
  checkSecret,
  exchange,
  host,
  instance,
  managed,
  secretEnv,
  workloadEnv,
  workloadFiles,
} from './azure-endpoints.ts';
import { assertFails, type FakeCloudOptions, openCloud, type Route, repeat } from './fake-cloud.ts';

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
