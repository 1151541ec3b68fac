/** AWS, as far as ECR is concerned: faithful as to what they check. */
import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import type { CloudRequest, Route } from './fake-cloud.ts';

export const host = '123456789012.dkr.ecr.eu-west-1.amazonaws.com';
export const api = 'POST https://api.ecr.eu-west-1.amazonaws.com/';
export const sts = 'POST https://sts.eu-west-1.amazonaws.com/';
export const instance = 'http://169.254.169.254/latest';
export const keys = { AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE', AWS_SECRET_ACCESS_KEY: 'wJalr/XUtn+FEMI' };
const temporary = { AccessKeyId: 'ASIATEMP', SecretAccessKey: 'temporary/secret', Token: 'session==token' };
export const hourMs = 3_600_000;

export const giveToken: Route = (request) => {
  assert.equal(request.body, '{}');
  assert.equal(request.headers['content-type'], 'application/x-amz-json-1.1');
  assert.equal(request.headers['x-amz-target'], 'AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken');
  const authorizationToken = Buffer.from('AWS:ecr-password').toString('base64');
  const expiresAt = Date.parse('2026-01-01T12:00:00Z') / 1000 + 12 * 3600 + 0.5;
  return { json: { authorizationData: [{ authorizationToken, expiresAt, proxyEndpoint: `https://${host}` }] } };
};
export const giveWebKeys: Route = ({ form, query }) => {
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
export const giveContainerKeys =
  (authorization: string | undefined): Route =>
  ({ headers }) => {
    assert.equal(headers.authorization, authorization);
    return { json: { ...temporary, Expiration: '2026-01-01T13:00:00Z', RoleArn: 'arn' } };
  };
export const instanceRoutes: Readonly<Record<string, Route>> = {
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
export function verifySignature({ headers, body, path, method }: CloudRequest, secret: string): void {
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

export const webEnv = {
  AWS_WEB_IDENTITY_TOKEN_FILE: '/var/token',
  AWS_ROLE_ARN: 'arn:aws:iam::123456789012:role/tallyman',
};
export const webFiles = { '/var/token': 'web.identity.token\n' };
export const pod = 'http://169.254.170.23/v1/credentials';
export const task = 'http://169.254.170.2/v2/credentials/id';
