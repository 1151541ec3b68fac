import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { describe, it } from 'node:test';
import { assertFails, type FakeCloudOptions, openCloud, type Route, repeat } from './fake-cloud.ts';
import {
  account,
  checkExchange,
  checkFlavor,
  env,
  external,
  giveToken,
  host,
  impersonation,
  keyFile,
  metadata,
  metadataRoutes,
  oauth,
  privateKey,
  sourceHeaders,
  sts,
  tokenPath,
  urlSource,
  user,
  withSubject,
} from './google-endpoints.ts';

describe('the errors of the credential source of Artifact Registry', () => {
  const json =
    (status: number, value: unknown): Route =>
    () => ({ status, json: value });
  const withFiles = (content: object, routes: Record<string, Route> = {}): FakeCloudOptions => ({
    env,
    files: withSubject(content),
    routes,
  });
  const missing = [
    ...['client_email', 'private_key'].map((member) => [member, { ...account, [member]: undefined }] as const),
    ...['client_id', 'client_secret', 'refresh_token'].map((member) => [member, { ...user, [member]: 5 }] as const),
    ...['audience', 'subject_token_type', 'token_url'].map(
      (member) => [member, { ...external, [member]: '' }] as const,
    ),
    ['credential_source\\.file', { ...external, credential_source: { executable: {} } }] as const,
    ['type', {}] as const,
  ].map(([member, content]): [string, FakeCloudOptions, string, RegExp, RegExp?] => [
    `a key file without ${member} (${'type' in content ? content.type : 'empty'})`,
    withFiles(content),
    'RegistryDenied',
    new RegExp(`the file of GOOGLE_APPLICATION_CREDENTIALS has no usable ${member}, a`),
    /GOOGLE_APPLICATION_CREDENTIALS/,
  ]);
  const { privateKey: ecKey } = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  const rows: [name: string, options: FakeCloudOptions, code: string, message: RegExp, remedy?: RegExp][] = [
    ...missing,
    [
      'a key file that is missing',
      { env },
      'RegistryDenied',
      /"\/key\.json" of GOOGLE_APPLICATION_CREDENTIALS cannot be read/,
    ],
    [
      'a key file that is no JSON',
      { env, files: { '/key.json': `{"a":${privateKey}` } },
      'RegistryDenied',
      /has no JSON object/,
    ],
    [
      'a key file of another type',
      withFiles({ type: 'constructor' }),
      'RegistryDenied',
      /one of service_account, authorized_user, external_account was wanted/,
    ],
    [
      'a key that is none',
      withFiles({ ...account, private_key: `x${privateKey.slice(30)}` }),
      'RegistryDenied',
      /no usable private_key, an RSA key in PEM/,
    ],
    [
      'a key of another kind',
      withFiles({ ...account, private_key: ecKey }),
      'RegistryDenied',
      /no usable private_key, an RSA key in PEM/,
    ],
    [
      'a token server without TLS',
      withFiles({ ...account, token_uri: 'http://oauth2.googleapis.com/token' }),
      'RegistryDenied',
      /token_uri in the file .* names "http:/,
    ],
    [
      'a key that is refused',
      withFiles(account, {
        [oauth]: json(400, { error: 'invalid_grant', error_description: 'Invalid JWT Signature.' }),
      }),
      'RegistryDenied',
      /"oauth2\.googleapis\.com" answered 400 \(invalid_grant: Invalid JWT Signature\.\)/,
      /provider: none/,
    ],
    ['a token server that repeats a key', withFiles(account, { [oauth]: repeat }), 'RegistryDenied', /400/],
    [
      'a user who signed out',
      withFiles(user, { [oauth]: repeat }),
      'RegistryDenied',
      /400 \(invalid_client/,
      /gcloud auth/,
    ],
    ['a token server that cannot be reached', withFiles(user), 'RegistryUnavailable', /connection was refused/],
    [
      'a token server that is broken',
      withFiles(user, { [oauth]: json(503, {}) }),
      'RegistryUnavailable',
      /answered 503/,
    ],
    [
      'a token server without a token',
      withFiles(user, { [oauth]: json(200, { access_token: 'a\nb' }) }),
      'RegistryInvalid',
      /an access token was wanted/,
    ],
    [
      'a token server that answers garbage',
      withFiles(user, { [oauth]: () => ({ text: '<html>' }) }),
      'RegistryInvalid',
      /an access token was wanted/,
    ],
    [
      'an endless answer',
      withFiles(user, { [oauth]: () => ({ text: 'a'.repeat(65_537) }) }),
      'RegistryInvalid',
      /at most 65536 bytes/,
    ],
    [
      'a pool that refuses',
      withFiles(external, { [sts]: repeat }),
      'RegistryDenied',
      /"sts\.googleapis\.com" answered 400/,
      /workload identity pool/,
    ],
    [
      'a service account that may not be impersonated',
      withFiles(
        { ...external, service_account_impersonation_url: impersonation },
        {
          [sts]: checkExchange('federated'),
          [`POST ${impersonation}`]: json(403, {
            error: {
              code: 403,
              status: 'PERMISSION_DENIED',
              message: "Permission 'iam.serviceAccounts.getAccessToken' denied for federated",
            },
          }),
        },
      ),
      'RegistryDenied',
      /answered 403 \(PERMISSION_DENIED: Permission 'iam\.serviceAccounts\.getAccessToken' denied for …\)/,
      /impersonate/,
    ],
    [
      'an impersonation without a token',
      withFiles(
        { ...external, service_account_impersonation_url: impersonation },
        { [sts]: checkExchange('federated'), [`POST ${impersonation}`]: json(200, {}) },
      ),
      'RegistryInvalid',
      /an access token/,
    ],
    [
      'a source that refuses',
      withFiles(urlSource(sourceHeaders), { 'GET https://ci.example/token': repeat }),
      'RegistryDenied',
      /the source of the subject token "ci\.example" answered 400/,
      /credential_source/,
    ],
    [
      'a source that leads elsewhere',
      withFiles(urlSource({}), { 'GET https://ci.example/token': () => ({ text: '' }) }),
      'RegistryDenied',
      /credential_source\.format/,
    ],
    [
      'a source that redirects',
      withFiles(urlSource(sourceHeaders), {
        'GET https://ci.example/token': ({ elsewhere }) => ({ status: 302, headers: { location: elsewhere } }),
        'GET http://elsewhere/': ({ headers }) => {
          assert.equal(headers.authorization, undefined);
          return { text: 'subject.jwt' };
        },
      }),
      'RegistryInvalid',
      /"ci\.example" leads to "localhost:\d+", its own answer was wanted/,
    ],
    [
      'a source without TLS',
      withFiles({ ...external, credential_source: { url: 'http://ci.example/' } }),
      'RegistryDenied',
      /credential_source\.url .* names "http:\/\/ci\.example"/,
    ],
    [
      'a header that splits the request',
      withFiles(urlSource({ headers: { a: 'b\r\nc: d' } })),
      'RegistryDenied',
      /credential_source\.headers/,
    ],
    [
      'a machine that may not',
      { routes: { ...metadataRoutes, [`${metadata}${tokenPath}`]: checkFlavor({ status: 403, text: 'no' }) } },
      'RegistryDenied',
      /the metadata server "metadata\.google\.internal" answered 403/,
      /service account/,
    ],
    [
      'a metadata server that changed',
      { routes: { ...metadataRoutes, [`${metadata}${tokenPath}`]: giveToken } },
      'RegistryDenied',
      /lacks the header Metadata-Flavor/,
    ],
    [
      'a metadata host that is a path',
      { env: { GCE_METADATA_HOST: 'a/b?c' } },
      'RegistryDenied',
      /GCE_METADATA_HOST names "http:\/\/a"/,
    ],
  ];
  const pem = privateKey.split('\n').slice(1, 3);
  const secrets = ['client/secret', '1//refresh', 'subject.jwt', 'federated', 'ci-secret', 'ya29.token', ...pem];
  for (const [name, options, code, message, remedy] of rows) {
    it(`names ${name}`, async (context) => {
      const cloud = await openCloud(context, options);
      await assertFails(cloud.find(host), { code, message, secrets, ...(remedy && { remedy }) });
    });
  }

  it('keeps a signed assertion out of the message', async (context) => {
    let assertion = '';
    const route: Route = (request) => {
      assertion = request.form.assertion ?? assert.fail();
      return { status: 401, json: { error: 'x', error_description: `${assertion} and ${assertion.slice(0, 90)}` } };
    };
    const cloud = await openCloud(context, { env, files: keyFile(account), routes: { [oauth]: route } });
    const error = await cloud.find(host).catch((reason: Error) => reason);
    assert.ok(error instanceof Error);
    assert.match(error.message, /401 \(x: … and ….*\)/);
    assert.ok(!error.message.includes(assertion.slice(0, 40)));
  });
});
