import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type FakeCloudOptions, openCloud } from './fake-cloud.ts';
import {
  account,
  answerToken,
  checkAssertion,
  checkExchange,
  checkFlavor,
  checkImpersonation,
  checkSource,
  checkUser,
  env,
  external,
  flavor,
  giveToken,
  host,
  impersonation,
  keyFile,
  metadata,
  metadataRoutes,
  oauth,
  sourceHeaders,
  sts,
  tokenPath,
  urlSource,
  user,
  wanted,
  withSubject,
} from './google-endpoints.ts';

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
