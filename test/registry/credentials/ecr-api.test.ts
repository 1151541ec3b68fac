import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { giveToken, host, keys, verifySignature } from './aws-endpoints.ts';
import { openCloud } from './fake-cloud.ts';

describe('the API of ECR', () => {
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
});
