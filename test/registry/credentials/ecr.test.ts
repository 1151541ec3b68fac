import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  api,
  giveContainerKeys,
  giveToken,
  giveWebKeys,
  host,
  hourMs,
  instance,
  instanceRoutes,
  keys,
  pod,
  sts,
  task,
  verifySignature,
  webEnv,
  webFiles,
} from './aws-endpoints.ts';
import { assertFails, type FakeCloudOptions, openCloud, type Route } from './fake-cloud.ts';

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

  it('remembers for a minute that there is no metadata server', async (context) => {
    const cloud = await openCloud(context, {});
    assert.equal(await cloud.find(host), undefined);
    Object.assign(cloud.routes, instanceRoutes, { [api]: giveToken });
    cloud.clock.nowMs += 59_999;
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
