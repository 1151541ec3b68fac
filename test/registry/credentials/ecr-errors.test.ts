import { describe, it } from 'node:test';
import { api, host, instance, instanceRoutes, keys, pod, sts, webEnv, webFiles } from './aws-endpoints.ts';
import { assertFails, type FakeCloudOptions, openCloud, type Route, repeat } from './fake-cloud.ts';

describe('the errors of the credential source of ECR', () => {
  const listUrl = `GET ${instance}/meta-data/iam/security-credentials/`;
  const secrets = [keys.AWS_SECRET_ACCESS_KEY, 'session==token', 'web.identity.token', 'temporary/secret', 'pod.token'];
  const podEnv = { AWS_CONTAINER_CREDENTIALS_FULL_URI: pod, AWS_CONTAINER_AUTHORIZATION_TOKEN: 'pod.token' };
  const json =
    (status: number, value: unknown): Route =>
    () => ({ status, json: value });
  const badTokens = [
    {},
    { authorizationData: {} },
    { authorizationData: [] },
    { authorizationData: [5] },
    [],
    'AWS:x',
  ].map((value): [string, FakeCloudOptions, string, RegExp, RegExp?] => [
    `an answer without a token (${JSON.stringify(value)})`,
    { env: keys, routes: { [api]: json(200, value) } },
    'RegistryInvalid',
    /the answer of "api\.ecr\.eu-west-1\.amazonaws\.com" holds none, an authorization token was wanted/,
  ]);
  const encoded = ['no colon', 'AWS:with\r\nheader: line', 'AWS:', ':password', 'AWS:ä'].map(
    (text): [string, FakeCloudOptions, string, RegExp, RegExp?] => [
      `a token that is ${JSON.stringify(text)}`,
      {
        env: keys,
        routes: {
          [api]: json(200, { authorizationData: [{ authorizationToken: Buffer.from(text).toString('base64') }] }),
        },
      },
      'RegistryInvalid',
      /holds none, an authorization token was wanted/,
    ],
  );
  const rows: [name: string, options: FakeCloudOptions, code: string, message: RegExp, remedy?: RegExp][] = [
    ...badTokens,
    ...encoded,
    [
      'an identity without permission',
      {
        env: keys,
        routes: {
          [api]: json(400, {
            __type: 'com.amazon.coral.service#AccessDeniedException',
            message: 'User: arn:aws:iam::123456789012:user/me is not authorized to perform: ecr:GetAuthorizationToken',
          }),
        },
      },
      'RegistryDenied',
      /ECR at "api\.ecr\.eu-west-1\.amazonaws\.com" answered 400 \(AccessDeniedException: User: arn:aws:iam::123456789012:user\/me is not/,
      /ecr:GetAuthorizationToken.*AWS_ACCESS_KEY_ID.*provider: none/,
    ],
    [
      'a throttled exchange',
      { env: keys, routes: { [api]: json(400, { __type: 'ThrottlingException' }) } },
      'RegistryUnavailable',
      /answered 400 \(ThrottlingException\)/,
    ],
    ['a broken API', { env: keys, routes: { [api]: json(500, {}) } }, 'RegistryUnavailable', /answered 500, an/],
    [
      'a moved API',
      { env: keys, routes: { [api]: () => ({ status: 302, headers: { location: 'http://x/' } }) } },
      'RegistryInvalid',
      /answered 302/,
    ],
    ['an API that cannot be reached', { env: keys }, 'RegistryUnavailable', /connection was refused/],
    [
      'an API that repeats what it got',
      { env: { ...keys, AWS_SESSION_TOKEN: 'session==token' }, routes: { [api]: repeat } },
      'RegistryDenied',
      /400 \(invalid_client/,
    ],
    [
      'a token file that is missing',
      { env: webEnv },
      'RegistryDenied',
      /the file "\/var\/token" of AWS_WEB_IDENTITY_TOKEN_FILE cannot be read \(ENOENT\)/,
      /AWS_WEB_IDENTITY_TOKEN_FILE/,
    ],
    ['a token file that is empty', { env: webEnv, files: { '/var/token': '\n' } }, 'RegistryDenied', /is empty/],
    [
      'a token file that is too long',
      { env: webEnv, files: { '/var/token': 'a'.repeat(65_537) } },
      'RegistryDenied',
      /more than 65536/,
    ],
    [
      'a role that does not trust the token',
      {
        env: webEnv,
        files: webFiles,
        routes: {
          [sts]: () => ({
            status: 403,
            text: '<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>Not authorized to perform sts:AssumeRoleWithWebIdentity</Message></Error></ErrorResponse>',
          }),
        },
      },
      'RegistryDenied',
      /STS at "sts\.eu-west-1\.amazonaws\.com" answered 403 \(AccessDenied: Not authorized to perform/,
      /AWS_ROLE_ARN/,
    ],
    [
      'an STS that repeats what it got',
      { env: webEnv, files: webFiles, routes: { [sts]: repeat } },
      'RegistryDenied',
      /400/,
    ],
    [
      'an STS without keys',
      { env: webEnv, files: webFiles, routes: { [sts]: () => ({ text: '<a/>' }) } },
      'RegistryInvalid',
      /an access key/,
    ],
    [
      'a container server that refuses',
      { env: podEnv, routes: { [`GET ${pod}`]: repeat } },
      'RegistryDenied',
      /container credential server "169/,
      /pod identity/,
    ],
    [
      'a container server without keys',
      { env: podEnv, routes: { [`GET ${pod}`]: json(200, { AccessKeyId: 'A' }) } },
      'RegistryInvalid',
      /an access key/,
    ],
    [
      'a container server elsewhere over http',
      { env: { AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://evil.example/x' } },
      'RegistryDenied',
      /FULL_URI names "http:\/\/evil\.example"/,
      /FULL_URI/,
    ],
    [
      'a container path that is a host',
      { env: { AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: '@evil.example/x' } },
      'RegistryDenied',
      /RELATIVE_URI names "http:\/\/evil\.example"/,
    ],
    [
      'a container token with a line break',
      { env: { ...podEnv, AWS_CONTAINER_AUTHORIZATION_TOKEN: 'a\nb' } },
      'RegistryDenied',
      /no header can carry/,
    ],
    [
      'an instance that repeats its key',
      { routes: { ...instanceRoutes, [listUrl]: repeat } },
      'RegistryDenied',
      /instance metadata server/,
      /AWS_EC2_METADATA_DISABLED/,
    ],
    [
      'a role that leads elsewhere',
      { routes: { ...instanceRoutes, [listUrl]: () => ({ text: '../../user-data' }) } },
      'RegistryInvalid',
      /the name of a role/,
    ],
    [
      'a role of dots',
      { routes: { ...instanceRoutes, [listUrl]: () => ({ text: '..' }) } },
      'RegistryInvalid',
      /the name of a role/,
    ],
    [
      'an endpoint that is no URL',
      { env: { ...keys, AWS_ENDPOINT_URL_ECR: 'localstack' } },
      'RegistryDenied',
      /AWS_ENDPOINT_URL_ECR is no URL/,
    ],
    [
      'an endpoint with a query',
      { env: { ...keys, AWS_ENDPOINT_URL: 'http://x/?a=b' } },
      'RegistryDenied',
      /AWS_ENDPOINT_URL has a query/,
    ],
  ];
  for (const [name, options, code, message, remedy] of rows) {
    it(`names ${name}`, async (context) => {
      const cloud = await openCloud(context, options);
      const about = { code, message, secrets: [...secrets, 'imds-key=='], ...(remedy && { remedy }) };
      await assertFails(cloud.find(host), about);
    });
  }

  it('names a region that is missing', async (context) => {
    const cloud = await openCloud(context, { env: keys, hosts: () => ({ provider: 'ecr' }) });
    const about = {
      code: 'RegistryDenied',
      message: /"images\.corp": .* an AWS region was wanted/,
      remedy: /AWS_REGION/,
    };
    await assertFails(cloud.find('images.corp'), about);
  });
});
