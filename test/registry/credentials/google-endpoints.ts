/** Google's token servers and their clients' key files: faithful as to what they check. */
import assert from 'node:assert/strict';
import { generateKeyPairSync, verify } from 'node:crypto';
import type { Route } from './fake-cloud.ts';

export const host = 'europe-west4-docker.pkg.dev';
export const wanted = { username: 'oauth2accesstoken', password: 'ya29.token' };
const scope = 'https://www.googleapis.com/auth/cloud-platform';
export const env = { GOOGLE_APPLICATION_CREDENTIALS: '/key.json' };
export const oauth = 'POST https://oauth2.googleapis.com/token';
export const sts = 'POST https://sts.googleapis.com/v1/token';
export const impersonation =
  'https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/t@p.iam.gserviceaccount.com:generateAccessToken';
export const metadata = 'GET http://metadata.google.internal';
export const tokenPath = '/computeMetadata/v1/instance/service-accounts/default/token';
export const flavor = { 'metadata-flavor': 'Google' };

const pair = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  publicKeyEncoding: { type: 'spki', format: 'pem' },
});
export const { privateKey } = pair;
export const account = {
  type: 'service_account',
  client_email: 't@p.iam.gserviceaccount.com',
  private_key: privateKey,
  private_key_id: 'key-1',
  token_uri: 'https://oauth2.googleapis.com/token',
};
export const user = {
  type: 'authorized_user',
  client_id: 'id',
  client_secret: 'client/secret',
  refresh_token: '1//refresh',
};
export const external = {
  type: 'external_account',
  audience: '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q',
  subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
  token_url: 'https://sts.googleapis.com/v1/token',
  credential_source: { file: '/var/subject' },
};
export const keyFile = (content: object): Record<string, string> => ({ '/key.json': JSON.stringify(content) });
export const withSubject = (content: object): Record<string, string> => ({
  ...keyFile(content),
  '/var/subject': 'subject.jwt\n',
});

export const answerToken = { json: { access_token: 'ya29.token', expires_in: 3600, token_type: 'Bearer' } };
export const giveToken: Route = () => answerToken;
export const checkAssertion: Route = ({ form }) => {
  assert.deepEqual(Object.keys(form).sort(), ['assertion', 'grant_type']);
  assert.equal(form.grant_type, 'urn:ietf:params:oauth:grant-type:jwt-bearer');
  const [header = '', claims = '', signature = ''] = form.assertion?.split('.') ?? [];
  const read = (part: string): unknown => JSON.parse(Buffer.from(part, 'base64url').toString());
  assert.deepEqual(read(header), { alg: 'RS256', typ: 'JWT', kid: 'key-1' });
  const iat = Date.parse('2026-01-01T12:00:00Z') / 1000;
  const aud = 'https://oauth2.googleapis.com/token';
  assert.deepEqual(read(claims), { iss: 't@p.iam.gserviceaccount.com', scope, aud, iat, exp: iat + 3600 });
  const text = Buffer.from(`${header}.${claims}`);
  assert.ok(verify('RSA-SHA256', text, pair.publicKey, Buffer.from(signature, 'base64url')));
  return answerToken;
};
export const checkUser: Route = ({ form }) => {
  const { type: _type, ...rest } = user;
  assert.deepEqual(form, { grant_type: 'refresh_token', ...rest });
  return answerToken;
};
export const checkExchange =
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
export const checkImpersonation: Route = ({ body, headers }) => {
  assert.equal(headers.authorization, 'Bearer federated');
  assert.equal(headers['content-type'], 'application/json');
  assert.deepEqual(JSON.parse(body), { scope: [scope], lifetime: '3600s' });
  return { json: { accessToken: 'ya29.token', expireTime: '2026-01-01T13:00:00Z' } };
};
export const checkFlavor =
  (reply: object): Route =>
  ({ headers }) => {
    assert.equal(headers['metadata-flavor'], 'Google');
    return { headers: flavor, ...reply };
  };
export const metadataRoutes = {
  [`${metadata}/`]: checkFlavor({}),
  [`${metadata}${tokenPath}`]: checkFlavor(answerToken),
};
export const urlSource = (extra: object) => ({
  ...external,
  credential_source: { url: 'https://ci.example/token?a=b', ...extra },
});
export const checkSource =
  (reply: object): Route =>
  ({ query, headers }) => {
    assert.deepEqual(query, { a: 'b' });
    assert.equal(headers.authorization, 'Bearer ci-secret');
    return reply;
  };
export const sourceHeaders = { headers: { Authorization: 'Bearer ci-secret' } };
