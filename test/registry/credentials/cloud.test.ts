import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { CloudProvider, HostSettings } from '../../../src/registry/host.ts';
import { openCloud, type Route } from './fake-cloud.ts';

/** Identities for all clouds at once: what is asked tells which cloud was meant. */
const env = {
  AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE',
  AWS_SECRET_ACCESS_KEY: 'secret',
  AWS_REGION: 'eu-west-1',
  AWS_ENDPOINT_URL: 'http://aws',
  GOOGLE_APPLICATION_CREDENTIALS: '/google.json',
  AZURE_CLIENT_ID: 'client',
  AZURE_CLIENT_SECRET: 'secret',
  AZURE_TENANT_ID: 'tenant',
  AZURE_AUTHORITY_HOST: 'https://azure',
};
const google = {
  type: 'authorized_user',
  client_id: 'a',
  client_secret: 'b',
  refresh_token: 'c',
  token_uri: 'https://google/',
};
const files = { '/google.json': JSON.stringify(google) };
const giveAccess: Route = () => ({ json: { access_token: 'access' } });
const giveRefresh: Route = () => ({ json: { refresh_token: 'refresh' } });
const authorizationToken = Buffer.from('AWS:password').toString('base64');
const routes: Record<string, Route> = {
  'POST http://aws/': () => ({ json: { authorizationData: [{ authorizationToken }] } }),
  'POST https://google/': giveAccess,
  'POST https://azure/tenant/oauth2/v2.0/token': giveAccess,
};
const users: Readonly<Record<CloudProvider, string>> = {
  ecr: 'AWS',
  'artifact-registry': 'oauth2accesstoken',
  acr: '00000000-0000-0000-0000-000000000000',
};

describe('createCloudSource', () => {
  const account = '123456789012';
  const rows: [host: string, settings: HostSettings, provider: CloudProvider | undefined][] = [
    [`${account}.dkr.ecr.us-east-1.amazonaws.com`, {}, 'ecr'],
    [`${account}.dkr.ecr.us-east-1.amazonaws.com:443`, {}, 'ecr'],
    [`${account}.dkr.ecr-fips.us-east-1.amazonaws.com`, {}, 'ecr'],
    [`${account}.dkr.ecr.cn-northwest-1.amazonaws.com.cn`, {}, 'ecr'],
    [`${account}.dkr.ecr.eusc-de-east-1.amazonaws.eu`, {}, 'ecr'],
    [`${account}.dkr-ecr.us-east-1.on.aws`, {}, 'ecr'],
    ['public.ecr.aws', {}, undefined],
    ['evil-dkr.ecr.us-east-1.amazonaws.com.evil.example', {}, undefined],
    [`${account}.dkr.ecr.us-east-1.amazonaws.com.evil.example`, {}, undefined],
    [`${account}.dkr.ecr.us-east-1.amazonaws.com.cn.evil.example`, {}, undefined],
    [`evil-${account}.dkr.ecr.us-east-1.amazonaws.com`, {}, undefined],
    [`${account}.dkr.ecr.us-east-1.evil.amazonaws.com`, {}, undefined],
    [`${account}.dkr.ecr.us-east-1.amazonaws.com:8443`, {}, undefined],
    [`${account}.dkr.ecr.evil.amazonaws.com`, {}, undefined],
    [`${account}.dkr.ecr.us-east-1-evil.amazonaws.com`, {}, undefined],
    [`${account}.dkr.ecr.us-gov-west-1.amazonaws.com`, {}, 'ecr'],
    [`${account}.dkr-ecr.evil.on.aws`, {}, undefined],
    [`${account}xdkr.ecr.us-east-1.amazonaws.com`, {}, undefined],
    ['12345.dkr.ecr.us-east-1.amazonaws.com', {}, undefined],
    ['gcr.io', {}, 'artifact-registry'],
    ['eu.gcr.io', {}, 'artifact-registry'],
    ['us-docker.pkg.dev', {}, 'artifact-registry'],
    ['europe-west4-docker.pkg.dev', {}, 'artifact-registry'],
    ['evilgcr.io', {}, undefined],
    ['gcr.io.evil.example', {}, undefined],
    ['docker.pkg.dev', {}, undefined],
    ['us-docker.pkg.dev.evil.example', {}, undefined],
    ['evil.us-docker.pkg.dev', {}, undefined],
    ['us-python.pkg.dev', {}, undefined],
    ['acme.azurecr.io', {}, 'acr'],
    ['acme.westeurope.geo.azurecr.io', {}, 'acr'],
    ['acme.azurecr.cn', {}, 'acr'],
    ['acme.azurecr.us', {}, 'acr'],
    ['azurecr.io', {}, undefined],
    ['evilazurecr.io', {}, undefined],
    ['acme.azurecr.io.evil.example', {}, undefined],
    ['acme.azurecr.de', {}, undefined],
    ['docker.io', {}, undefined],
    ['ghcr.io', {}, undefined],
    ['localhost:5000', {}, undefined],
    // What the operator says goes before the name.
    ['acme.azurecr.io', { provider: 'none' }, undefined],
    ['gcr.io', { provider: 'none' }, undefined],
    ['gcr.io', { provider: 'ecr' }, 'ecr'],
    ['images.corp', { provider: 'ecr' }, 'ecr'],
    ['images.corp', { provider: 'artifact-registry' }, 'artifact-registry'],
    ['images.corp', { provider: 'acr' }, 'acr'],
    // The API is elsewhere than the name says.
    ['gcr.io', { endpoint: 'https://mirror.corp' }, undefined],
    ['docker.io', { endpoint: 'https://gcr.io' }, 'artifact-registry'],
    ['gcr.io', { plainHttp: true }, undefined],
    ['gcr.io', { plainHttp: true, provider: 'artifact-registry' }, 'artifact-registry'],
  ];
  for (const [host, settings, provider] of rows) {
    it(`signs in to ${host} ${JSON.stringify(settings)} with ${provider}`, async (context) => {
      const name = `POST https://${host.replace(':443', '')}/oauth2/exchange`;
      const cloud = await openCloud(context, {
        env,
        files,
        routes: { ...routes, [name]: giveRefresh },
        hosts: (asked) => (asked === host ? settings : {}),
      });
      const found = await cloud.find(host);
      const username = found !== undefined && 'username' in found ? found.username : undefined;
      assert.equal(username, provider && users[provider]);
      if (provider === undefined) assert.deepEqual(cloud.asked, []);
    });
  }

  it('exchanges once for all who ask at the same time, and again after forget', async (context) => {
    const cloud = await openCloud(context, { env, files, routes });
    const found = await Promise.all(Array.from({ length: 50 }, () => cloud.find('gcr.io')));
    assert.equal(new Set(found).size, 1);
    assert.equal(cloud.asked.length, 1);
    cloud.forget('ghcr.io');
    cloud.forget('acme.azurecr.io');
    await cloud.find('gcr.io');
    assert.equal(cloud.asked.length, 1);
    cloud.forget('gcr.io');
    await cloud.find('gcr.io');
    assert.equal(cloud.asked.length, 2);
  });

  it('lets one caller leave without taking the credential from the other', async (context) => {
    const cloud = await openCloud(context, { env, files, routes });
    const controller = new AbortController();
    const leaving = cloud.find('gcr.io', controller.signal);
    const staying = cloud.find('gcr.io');
    controller.abort(new Error('enough'));
    await assert.rejects(leaving, /enough/);
    assert.deepEqual(await staying, { username: 'oauth2accesstoken', password: 'access' });
  });

  it('asks again after a failure', async (context) => {
    const cloud = await openCloud(context, { env, files, routes: { 'POST https://google/': () => ({ status: 401 }) } });
    await assert.rejects(cloud.find('gcr.io'), { code: 'RegistryDenied' });
    cloud.routes['POST https://google/'] = giveAccess;
    assert.deepEqual(await cloud.find('gcr.io'), { username: 'oauth2accesstoken', password: 'access' });
  });
});
