import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import { describe, it } from 'node:test';
import { assertFails, type CloudRequest, type FakeCloudOptions, openCloud, type Route, repeat } from './fake-cloud.ts';

const host = '123456789012.dkr.ecr.eu-west-1.amazonaws.com';
const api = 'POST https://api.ecr.eu-west-1.amazonaws.com/';
const sts = 'POST https://sts.eu-west-1.amazonaws.com/';
const instance = 'http://169.254.169.254/latest';
const keys = { AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE', AWS_SECRET_ACCESS_KEY: 'wJalr/XUtn+FEMI' };
const temporary = { AccessKeyId: 'ASIATEMP', SecretAccessKey: 'temporary/secret', Token: 'session==token' };
const hourMs = 3_600_000;

const giveToken: Route = (request) => {
  assert.equal(request.body, '{}');
  assert.equal(request.headers['content-type'], 'application/x-amz-json-1.1');
  assert.equal(request.headers['x-amz-target'], 'AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken');
  const authorizationToken = Buffer.from('AWS:ecr-password').toString('base64');
  const expiresAt = Date.parse('2026-01-01T12:00:00Z') / 1000 + 12 * 3600 + 0.5;
  return { json: { authorizationData: [{ authorizationToken, expiresAt, proxyEndpoint: `https://${host}` }] } };
};
const giveWebKeys: Route = ({ form, query }) => {
  assert.deepEqual(query, {});
  assert.deepEqual(form, {
    Action: 'AssumeRoleWithWebIdentity',
    Version: '2011-06-15',
    RoleArn: 'arn:aws:iam::123456789012:role/tallyman',
    RoleSessionName: 'tallyman',
    WebIdentityToken: 'web.identity.token',
  });
  return {
    text: `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <AssumeRoleWithWebIdentityResult><Credentials>
    <SessionToken>session==token</SessionToken>
    <SecretAccessKey>temporary/secret</SecretAccessKey>
    <Expiration>2026-01-01T13:00:00Z</Expiration>
    <AccessKeyId>ASIATEMP</AccessKeyId>
  </Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`,
  };
};
const giveContainerKeys =
  (authorization: string | undefined): Route =>
  ({ headers }) => {
    assert.equal(headers.authorization, authorization);
    return { json: { ...temporary, Expiration: '2026-01-01T13:00:00Z', RoleArn: 'arn' } };
  };
const instanceRoutes: Readonly<Record<string, Route>> = {
  [`PUT ${instance}/api/token`]: ({ headers }) => {
    assert.equal(headers['x-aws-ec2-metadata-token-ttl-seconds'], '300');
    return { text: 'imds-key==' };
  },
  [`GET ${instance}/meta-data/iam/security-credentials/`]: ({ headers }) => {
    assert.equal(headers['x-aws-ec2-metadata-token'], 'imds-key==');
    return { text: 'node-role\n' };
  },
  [`GET ${instance}/meta-data/iam/security-credentials/node-role`]: ({ headers }) => {
    assert.equal(headers['x-aws-ec2-metadata-token'], 'imds-key==');
    return { json: { Code: 'Success', Type: 'AWS-HMAC', ...temporary, Expiration: '2026-01-01T18:00:00Z' } };
  },
};

/** Verifies the signature from what arrived alone, as AWS does. */
function verifySignature({ headers, body, path, method }: CloudRequest, secret: string): void {
  const pattern =
    /^AWS4-HMAC-SHA256 Credential=(\w+)\/(\d{8})\/([\w-]+)\/ecr\/aws4_request, SignedHeaders=([\w;-]+), Signature=(\w{64})$/;
  const [, , day = '', region = '', names = '', signature] = pattern.exec(headers.authorization ?? '') ?? assert.fail();
  for (const needed of ['content-type', 'host', 'x-amz-date', 'x-amz-target'])
    assert.ok(names.split(';').includes(needed));
  const lines = names.split(';').map((name) => `${name}:${headers[name]}\n`);
  const hash = (text: string): string => createHash('sha256').update(text).digest('hex');
  const canonical = `${method}\n${path}\n\n${lines.join('')}\n${names}\n${hash(body)}`;
  const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();
  const key = hmac(hmac(hmac(hmac(`AWS4${secret}`, day), region), 'ecr'), 'aws4_request');
  const scope = `${day}/${region}/ecr/aws4_request`;
  const wanted = hmac(key, `AWS4-HMAC-SHA256\n${headers['x-amz-date']}\n${scope}\n${hash(canonical)}`).toString('hex');
  assert.equal(signature, wanted);
}

const webEnv = { AWS_WEB_IDENTITY_TOKEN_FILE: '/var/token', AWS_ROLE_ARN: 'arn:aws:iam::123456789012:role/tallyman' };
const webFiles = { '/var/token': 'web.identity.token\n' };
const pod = 'http://169.254.170.23/v1/credentials';
const task = 'http://169.254.170.2/v2/credentials/id';

describe('the credential source of ECR', () => {
  const identities: [name: string, options: FakeCloudOptions, keyId: string, secret: string, asked: string[]][] = [
    ['keys in the environment', { env: keys }, 'AKIDEXAMPLE', keys.AWS_SECRET_ACCESS_KEY, []],
    [
      'keys with blanks around them',
      { env: { AWS_ACCESS_KEY_ID: ' AKIDEXAMPLE', AWS_SECRET_ACCESS_KEY: 'wJalr/XUtn+FEMI\n' } },
      'AKIDEXAMPLE',
      keys.AWS_SECRET_ACCESS_KEY,
      [],
    ],
    [
      'temporary keys in the environment, before all others',
      {
        env: {
          ...webEnv,
          AWS_ACCESS_KEY_ID: 'ASIATEMP',
          AWS_SECRET_ACCESS_KEY: 'temporary/secret',
          AWS_SESSION_TOKEN: 'session==token',
        },
      },
      'ASIATEMP',
      'temporary/secret',
      [],
    ],
    [
      'a web identity, before that of the container',
      {
        env: { ...webEnv, AWS_CONTAINER_CREDENTIALS_FULL_URI: pod },
        files: webFiles,
        routes: { [sts]: giveWebKeys },
      },
      'ASIATEMP',
      'temporary/secret',
      [sts],
    ],
    [
      'a web identity in the region of the environment',
      {
        env: { ...webEnv, AWS_REGION: 'cn-north-1' },
        files: webFiles,
        routes: { 'POST https://sts.cn-north-1.amazonaws.com.cn/': giveWebKeys },
      },
      'ASIATEMP',
      'temporary/secret',
      ['POST https://sts.cn-north-1.amazonaws.com.cn/'],
    ],
    [
      'a pod identity of EKS',
      {
        env: {
          AWS_CONTAINER_CREDENTIALS_FULL_URI: pod,
          AWS_CONTAINER_AUTHORIZATION_TOKEN: 'not this one',
          AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: '/var/pod-token',
        },
        files: { '/var/pod-token': 'pod.token' },
        routes: { [`GET ${pod}`]: giveContainerKeys('pod.token') },
      },
      'ASIATEMP',
      'temporary/secret',
      [`GET ${pod}`],
    ],
    [
      'a task of ECS',
      {
        env: { AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: '/v2/credentials/id' },
        routes: { [`GET ${task}`]: giveContainerKeys(undefined) },
      },
      'ASIATEMP',
      'temporary/secret',
      [`GET ${task}`],
    ],
    [
      'a container server on this machine',
      {
        env: {
          AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://localhost:1338/keys',
          AWS_CONTAINER_AUTHORIZATION_TOKEN: 'Basic abc',
        },
        routes: { 'GET http://localhost:1338/keys': giveContainerKeys('Basic abc') },
      },
      'ASIATEMP',
      'temporary/secret',
      ['GET http://localhost:1338/keys'],
    ],
    [
      'the role of an instance',
      { routes: instanceRoutes },
      'ASIATEMP',
      'temporary/secret',
      Object.keys(instanceRoutes),
    ],
  ];
  for (const [name, options, keyId, secret, asked] of identities) {
    it(`signs in with ${name}`, async (context) => {
      const cloud = await openCloud(context, { ...options, routes: { ...options.routes, [api]: giveToken } });
      assert.deepEqual(await cloud.find(host), { username: 'AWS', password: 'ecr-password' });
      assert.deepEqual(cloud.asked, [...asked, api]);
      const last = cloud.requests.at(-1) ?? assert.fail();
      assert.match(last.headers.authorization ?? '', new RegExp(`Credential=${keyId}/20260101/eu-west-1/ecr/`));
      assert.equal(last.headers['x-amz-security-token'], keyId === 'ASIATEMP' ? 'session==token' : undefined);
      verifySignature(last, secret);
    });
  }

  const apis: [name: string, host: string, env: Record<string, string>, api: string, region: string][] = [
    [
      'China',
      '123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn',
      {},
      'https://api.ecr.cn-north-1.amazonaws.com.cn',
      'cn-north-1',
    ],
    [
      'FIPS',
      '123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com',
      {},
      'https://ecr-fips.us-gov-west-1.amazonaws.com',
      'us-gov-west-1',
    ],
    ['dual stack', '123456789012.dkr-ecr.us-east-2.on.aws', {}, 'https://ecr.us-east-2.api.aws', 'us-east-2'],
    [
      'dual stack with FIPS',
      '123456789012.dkr-ecr-fips.us-east-2.on.aws',
      {},
      'https://ecr-fips.us-east-2.api.aws',
      'us-east-2',
    ],
    [
      'another name, region by AWS_REGION',
      'images.corp',
      { AWS_REGION: 'us-west-2' },
      'https://api.ecr.us-west-2.amazonaws.com',
      'us-west-2',
    ],
    [
      'another name, region by AWS_DEFAULT_REGION',
      'images.corp',
      { AWS_DEFAULT_REGION: 'cn-north-1' },
      'https://api.ecr.cn-north-1.amazonaws.com.cn',
      'cn-north-1',
    ],
    [
      'a name with a region, whatever AWS_REGION',
      host,
      { AWS_REGION: 'us-west-2' },
      'https://api.ecr.eu-west-1.amazonaws.com',
      'eu-west-1',
    ],
    ['AWS_ENDPOINT_URL', host, { AWS_ENDPOINT_URL: 'http://localstack:4566' }, 'http://localstack:4566', 'eu-west-1'],
    [
      'AWS_ENDPOINT_URL_ECR',
      host,
      { AWS_ENDPOINT_URL: 'http://a', AWS_ENDPOINT_URL_ECR: 'http://b:1' },
      'http://b:1',
      'eu-west-1',
    ],
  ];
  for (const [name, registry, env, origin, region] of apis) {
    it(`asks the API of ${name}`, async (context) => {
      const routes = { [`POST ${origin}/`]: giveToken };
      const cloud = await openCloud(context, { env: { ...keys, ...env }, routes, hosts: () => ({ provider: 'ecr' }) });
      assert.deepEqual(await cloud.find(registry), { username: 'AWS', password: 'ecr-password' });
      const [request = assert.fail()] = cloud.requests;
      assert.match(request.headers.authorization ?? '', new RegExp(`/20260101/${region}/ecr/`));
      verifySignature(request, keys.AWS_SECRET_ACCESS_KEY);
    });
  }

  it('asks STS where AWS_ENDPOINT_URL_STS says', async (context) => {
    const env = { ...webEnv, AWS_ENDPOINT_URL_STS: 'http://sts.corp:8080/sts', AWS_ROLE_SESSION_NAME: 'me' };
    const route: Route = (request) => {
      assert.equal(request.form.RoleSessionName, 'me');
      return giveWebKeys({ ...request, form: { ...request.form, RoleSessionName: 'tallyman' } });
    };
    const routes = { 'POST http://sts.corp:8080/sts': route, [api]: giveToken };
    const cloud = await openCloud(context, { env, files: webFiles, routes });
    assert.deepEqual(await cloud.find(host), { username: 'AWS', password: 'ecr-password' });
  });

  it('shares one token among the registries of a region until five minutes before its end', async (context) => {
    const cloud = await openCloud(context, { env: keys, routes: { [api]: giveToken } });
    await Promise.all([cloud.find(host), cloud.find(host), cloud.find(host.replace('1', '9'))]);
    cloud.clock.nowMs += 12 * hourMs - 300_000;
    await cloud.find(host);
    assert.equal(cloud.asked.length, 1);
    cloud.clock.nowMs += 500;
    await cloud.find(host);
    assert.equal(cloud.asked.length, 2);
  });

  it('reads the token file anew for every exchange', async (context) => {
    const seen: (string | undefined)[] = [];
    const route: Route = (request) => {
      seen.push(request.form.WebIdentityToken);
      return giveWebKeys({ ...request, form: { ...request.form, WebIdentityToken: 'web.identity.token' } });
    };
    const cloud = await openCloud(context, {
      env: webEnv,
      files: webFiles,
      routes: { [sts]: route, [api]: giveToken },
    });
    await cloud.find(host);
    cloud.files['/var/token'] = 'rotated.token';
    cloud.forget(host);
    await cloud.find(host);
    assert.deepEqual(seen, ['web.identity.token', 'rotated.token']);
  });

  const none: [name: string, options: FakeCloudOptions, asked: number][] = [
    ['nothing is there', {}, 0],
    ['AWS_EC2_METADATA_DISABLED is true', { env: { AWS_EC2_METADATA_DISABLED: 'TRUE' }, routes: instanceRoutes }, 0],
    ['half a key is there', { env: { AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE' } }, 0],
    ['a variable is empty', { env: { ...keys, AWS_SECRET_ACCESS_KEY: ' ' } }, 0],
    ["another cloud's server answers", { routes: { 'GET http://169.254.169.254/': () => ({}) } }, 1],
    ['JSON answers', { routes: { [`PUT ${instance}/api/token`]: () => ({ json: {} }) } }, 1],
    ['a page of a proxy answers', { routes: { [`PUT ${instance}/api/token`]: () => ({ text: '<html>' }) } }, 1],
    [
      'the instance has no role',
      {
        routes: { ...instanceRoutes, [`GET ${instance}/meta-data/iam/security-credentials/`]: () => ({ status: 404 }) },
      },
      2,
    ],
  ];
  for (const [name, options, asked] of none) {
    it(`offers none where ${name}`, async (context) => {
      const cloud = await openCloud(context, options);
      assert.equal(await cloud.find(host), undefined);
      assert.equal(cloud.asked.length, asked);
    });
  }

  it('remembers for ten minutes that there is no metadata server', async (context) => {
    const cloud = await openCloud(context, {});
    assert.equal(await cloud.find(host), undefined);
    Object.assign(cloud.routes, instanceRoutes, { [api]: giveToken });
    cloud.clock.nowMs += 599_999;
    assert.equal(await cloud.find(host), undefined);
    cloud.clock.nowMs += 1;
    assert.deepEqual(await cloud.find(host), { username: 'AWS', password: 'ecr-password' });
  });

  it('waits a second at most for a metadata server, and less where the caller leaves', async (context) => {
    const cloud = await openCloud(context, { routes: { [`PUT ${instance}/api/token`]: () => 'hang' } });
    const leaving = cloud.find(host, AbortSignal.abort(new Error('enough')));
    await assert.rejects(leaving, /enough/);
    const startMs = performance.now();
    assert.equal(await cloud.find(host), undefined);
    assert.ok(performance.now() - startMs < 5000);
  });

  it('takes the failure of a metadata server that has been there for one', async (context) => {
    const cloud = await openCloud(context, { routes: { ...instanceRoutes, [api]: giveToken } });
    await cloud.find(host);
    cloud.forget(host);
    cloud.routes[`PUT ${instance}/api/token`] = () => ({ status: 503 });
    await assertFails(cloud.find(host), { code: 'RegistryUnavailable', message: /metadata server .* answered 503/ });
  });
});

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
