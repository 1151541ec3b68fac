import assert from 'node:assert/strict';
import { generateKeyPairSync, verify } from 'node:crypto';
import { describe, it } from 'node:test';
import { assertFails, type FakeCloudOptions, openCloud, type Route, repeat } from './fake-cloud.ts';

const host = 'europe-west4-docker.pkg.dev';
const wanted = { username: 'oauth2accesstoken', password: 'ya29.token' };
const scope = 'https://www.googleapis.com/auth/cloud-platform';
const env = { GOOGLE_APPLICATION_CREDENTIALS: '/key.json' };
const oauth = 'POST https://oauth2.googleapis.com/token';
const sts = 'POST https://sts.googleapis.com/v1/token';
const impersonation =
  'https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/t@p.iam.gserviceaccount.com:generateAccessToken';
const metadata = 'GET http://metadata.google.internal';
const tokenPath = '/computeMetadata/v1/instance/service-accounts/default/token';
const flavor = { 'metadata-flavor': 'Google' };

const { privateKey, publicKey } = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  publicKeyEncoding: { type: 'spki', format: 'pem' },
});
const account = {
  type: 'service_account',
  client_email: 't@p.iam.gserviceaccount.com',
  private_key: privateKey,
  private_key_id: 'key-1',
  token_uri: 'https://oauth2.googleapis.com/token',
};
const user = { type: 'authorized_user', client_id: 'id', client_secret: 'client/secret', refresh_token: '1//refresh' };
const external = {
  type: 'external_account',
  audience: '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q',
  subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
  token_url: 'https://sts.googleapis.com/v1/token',
  credential_source: { file: '/var/subject' },
};
const keyFile = (content: object): Record<string, string> => ({ '/key.json': JSON.stringify(content) });
const withSubject = (content: object): Record<string, string> => ({
  ...keyFile(content),
  '/var/subject': 'subject.jwt\n',
});

const answerToken = { json: { access_token: 'ya29.token', expires_in: 3600, token_type: 'Bearer' } };
const giveToken: Route = () => answerToken;
const checkAssertion: Route = ({ form }) => {
  assert.deepEqual(Object.keys(form).sort(), ['assertion', 'grant_type']);
  assert.equal(form.grant_type, 'urn:ietf:params:oauth:grant-type:jwt-bearer');
  const [header = '', claims = '', signature = ''] = form.assertion?.split('.') ?? [];
  const read = (part: string): unknown => JSON.parse(Buffer.from(part, 'base64url').toString());
  assert.deepEqual(read(header), { alg: 'RS256', typ: 'JWT', kid: 'key-1' });
  const iat = Date.parse('2026-01-01T12:00:00Z') / 1000;
  const aud = 'https://oauth2.googleapis.com/token';
  assert.deepEqual(read(claims), { iss: 't@p.iam.gserviceaccount.com', scope, aud, iat, exp: iat + 3600 });
  const text = Buffer.from(`${header}.${claims}`);
  assert.ok(verify('RSA-SHA256', text, publicKey, Buffer.from(signature, 'base64url')));
  return answerToken;
};
const checkUser: Route = ({ form }) => {
  const { type: _type, ...rest } = user;
  assert.deepEqual(form, { grant_type: 'refresh_token', ...rest });
  return answerToken;
};
const checkExchange =
  (token: string, authorization?: string): Route =>
  ({ form, headers }) => {
    assert.equal(headers.authorization, authorization);
    assert.deepEqual(form, {
      audience: external.audience,
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      requested_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      scope,
      subject_token_type: external.subject_token_type,
      subject_token: 'subject.jwt',
    });
    return { json: { access_token: token, expires_in: 3600, issued_token_type: 'x', token_type: 'Bearer' } };
  };
const checkImpersonation: Route = ({ body, headers }) => {
  assert.equal(headers.authorization, 'Bearer federated');
  assert.equal(headers['content-type'], 'application/json');
  assert.deepEqual(JSON.parse(body), { scope: [scope], lifetime: '3600s' });
  return { json: { accessToken: 'ya29.token', expireTime: '2026-01-01T13:00:00Z' } };
};
const checkFlavor =
  (reply: object): Route =>
  ({ headers }) => {
    assert.equal(headers['metadata-flavor'], 'Google');
    return { headers: flavor, ...reply };
  };
const metadataRoutes = { [`${metadata}/`]: checkFlavor({}), [`${metadata}${tokenPath}`]: checkFlavor(answerToken) };
const urlSource = (extra: object) => ({
  ...external,
  credential_source: { url: 'https://ci.example/token?a=b', ...extra },
});
const checkSource =
  (reply: object): Route =>
  ({ query, headers }) => {
    assert.deepEqual(query, { a: 'b' });
    assert.equal(headers.authorization, 'Bearer ci-secret');
    return reply;
  };
const sourceHeaders = { headers: { Authorization: 'Bearer ci-secret' } };

describe('the credential source of Artifact Registry', () => {
  const identities: [name: string, options: FakeCloudOptions][] = [
    ['a service account', { env, files: keyFile(account), routes: { [oauth]: checkAssertion } }],
    ['a user', { env, files: keyFile(user), routes: { [oauth]: checkUser } }],
    [
      'a subject token in a file',
      { env, files: withSubject(external), routes: { [sts]: checkExchange('ya29.token') } },
    ],
    [
      'a subject token in a file, by impersonation',
      {
        env,
        files: withSubject({ ...external, service_account_impersonation_url: impersonation }),
        routes: { [sts]: checkExchange('federated'), [`POST ${impersonation}`]: checkImpersonation },
      },
    ],
    [
      'a subject token in a JSON file',
      {
        env,
        files: {
          ...keyFile({
            ...external,
            credential_source: { file: '/var/subject', format: { type: 'json', subject_token_field_name: 'id' } },
          }),
          '/var/subject': '{"id":"subject.jwt"}',
        },
        routes: { [sts]: checkExchange('ya29.token') },
      },
    ],
    [
      'a subject token from a URL',
      {
        env,
        files: keyFile(urlSource(sourceHeaders)),
        routes: {
          'GET https://ci.example/token': checkSource({ text: 'subject.jwt' }),
          [sts]: checkExchange('ya29.token'),
        },
      },
    ],
    [
      'a subject token from a URL, in JSON',
      {
        env,
        files: keyFile(urlSource({ ...sourceHeaders, format: { type: 'json', subject_token_field_name: 'value' } })),
        routes: {
          'GET https://ci.example/token': checkSource({ json: { value: 'subject.jwt' } }),
          [sts]: checkExchange('ya29.token'),
        },
      },
    ],
    [
      'a client besides the subject token',
      {
        env,
        files: withSubject({ ...external, client_id: 'id', client_secret: 's' }),
        routes: { [sts]: checkExchange('ya29.token', `Basic ${Buffer.from('id:s').toString('base64')}`) },
      },
    ],
    ['the metadata server', { routes: metadataRoutes }],
    [
      'the metadata server that GCE_METADATA_HOST names',
      {
        env: { GCE_METADATA_HOST: 'localhost:988' },
        routes: {
          'GET http://localhost:988/': checkFlavor({}),
          [`GET http://localhost:988${tokenPath}`]: checkFlavor(answerToken),
        },
      },
    ],
  ];
  for (const [name, options] of identities) {
    it(`signs in with ${name}`, async (context) => {
      const cloud = await openCloud(context, options);
      assert.deepEqual(await cloud.find(host), wanted);
      assert.deepEqual(cloud.asked, Object.keys(options.routes ?? {}));
    });
  }

  it('shares one token among all hosts until shortly before its end', async (context) => {
    const cloud = await openCloud(context, { env, files: keyFile(user), routes: { [oauth]: giveToken } });
    await Promise.all([cloud.find(host), cloud.find('gcr.io'), cloud.find('eu.gcr.io'), cloud.find(host)]);
    cloud.clock.nowMs += 3_600_000 - 225_001;
    await cloud.find(host);
    assert.equal(cloud.asked.length, 1);
    cloud.clock.nowMs += 1;
    await cloud.find(host);
    assert.equal(cloud.asked.length, 2);
  });

  const none: [name: string, options: FakeCloudOptions][] = [
    ['there is no metadata server', {}],
    ['the server there is not of Google', { routes: { ...metadataRoutes, [`${metadata}/`]: () => ({}) } }],
    [
      'the machine has no service account',
      { routes: { ...metadataRoutes, [`${metadata}${tokenPath}`]: () => ({ status: 404, headers: flavor }) } },
    ],
  ];
  for (const [name, options] of none) {
    it(`offers none where ${name}`, async (context) => {
      const cloud = await openCloud(context, options);
      assert.equal(await cloud.find(host), undefined);
    });
  }
});

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
