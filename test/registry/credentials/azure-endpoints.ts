/** Azure's token servers and registries: faithful as to what they check. */
import assert from 'node:assert/strict';
import type { Route } from './fake-cloud.ts';

export const host = 'acme.azurecr.io';
export const exchange = 'POST https://acme.azurecr.io/oauth2/exchange';
export const username = '00000000-0000-0000-0000-000000000000';
export const authority = 'POST https://login.microsoftonline.com/tenant-1/oauth2/v2.0/token';
const ids = { AZURE_CLIENT_ID: 'client-1', AZURE_TENANT_ID: 'tenant-1' };
export const secretEnv = { ...ids, AZURE_CLIENT_SECRET: 'client~secret/1' };
export const workloadEnv = { ...ids, AZURE_FEDERATED_TOKEN_FILE: '/var/azure' };
export const workloadFiles = { '/var/azure': 'projected.token' };
export const instance = 'GET http://169.254.169.254/metadata/identity/oauth2/token';
export const appEnv = { IDENTITY_ENDPOINT: 'http://127.0.0.1:41/msi/token', IDENTITY_HEADER: 'app-secret' };
export const app = 'GET http://127.0.0.1:41/msi/token';
const resource = 'https://containerregistry.azure.net';
const nowMs = Date.parse('2026-01-01T12:00:00Z');

export const makeJwt = (claims: object): string =>
  `eyJ9.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.sig`;
export const refreshToken = makeJwt({ exp: nowMs / 1000 + 3 * 3600 });
export const giveRefreshToken =
  (tenant: string | undefined, text = refreshToken): Route =>
  ({ form, headers }) => {
    assert.equal(headers['content-type'], 'application/x-www-form-urlencoded');
    const fields = { grant_type: 'access_token', service: 'acme.azurecr.io', access_token: 'aad.token' };
    assert.deepEqual(form, tenant === undefined ? fields : { ...fields, tenant });
    return { json: { refresh_token: text } };
  };
const aadToken = { json: { access_token: 'aad.token', expires_in: 3599, token_type: 'Bearer' } };
const clientForm = { client_id: 'client-1', scope: `${resource}/.default`, grant_type: 'client_credentials' };
export const checkSecret: Route = ({ form }) => {
  assert.deepEqual(form, { ...clientForm, client_secret: 'client~secret/1' });
  return aadToken;
};
export const checkAssertion: Route = ({ form }) => {
  const type = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
  assert.deepEqual(form, { ...clientForm, client_assertion_type: type, client_assertion: 'projected.token' });
  return aadToken;
};
export const managed =
  (clientId: string | undefined, reply: object = { json: { access_token: 'aad.token', expires_in: '86399' } }): Route =>
  ({ query, headers }) => {
    const fields = { 'api-version': '2018-02-01', resource };
    assert.deepEqual(query, clientId === undefined ? fields : { ...fields, client_id: clientId });
    if (headers.metadata === undefined) return { status: 400, json: { error: 'bad_request_102' } };
    assert.equal(headers.metadata, 'true');
    return reply;
  };
export const checkApp: Route = ({ query, headers }) => {
  assert.deepEqual(query, { 'api-version': '2019-08-01', resource });
  assert.equal(headers['x-identity-header'], 'app-secret');
  return aadToken;
};
