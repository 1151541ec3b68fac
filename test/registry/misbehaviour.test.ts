import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { bear, type Misdeed, sendBody } from './misbehave.ts';

const json = { 'content-type': 'application/json' };
const oci = 'application/vnd.oci.image.manifest.v1+json';
const index = 'application/vnd.oci.image.index.v1+json';
const html = '<!doctype html><title>Sign in</title><form action="/login">';
const noTagList = ['RegistryInvalid', /is no tag list, a JSON object with "tags" was wanted/] as const;
const noManifest = ['RegistryInvalid', /the answer is no JSON object, a manifest was wanted/] as const;
const noToken = [
  'RegistryInvalid',
  /get a pull token for .* holds no token, a JSON object with one was wanted/,
] as const;
const noConfig = ['RegistryInvalid', /its bytes are not those of its digest/] as const;

const empty: Misdeed[] = [
  { name: 'a body of no bytes is no tag list', at: '/tags/list', does: sendBody('', json), ends: noTagList },
  {
    name: 'a body of no bytes is no manifest',
    at: '/manifests/',
    does: sendBody('', { 'content-type': oci }),
    ends: noManifest,
  },
  { name: 'a body of no bytes is no configuration', at: '/blobs/', does: sendBody(''), ends: noConfig },
  { name: 'a body of no bytes is no token', at: '/token', does: sendBody('', json), ends: noToken },
  { name: 'a sign-in page with 200 is no tag list', at: '/tags/list', does: sendBody(html), ends: noTagList },
  { name: 'a sign-in page with 200 is no manifest', at: '/manifests/', does: sendBody(html), ends: noManifest },
  { name: 'a sign-in page with 200 is no configuration', at: '/blobs/', does: sendBody(html), ends: noConfig },
  { name: 'a sign-in page with 200 is no token', at: '/token', does: sendBody(html), ends: noToken },
  {
    name: 'a redirect to a sign-in page is no tag list',
    at: '/tags/list',
    does: ({ url = '' }, response) =>
      url.startsWith('/login') ? response.end(html) : response.writeHead(302, { location: `/login?next=${url}` }).end(),
    ends: noTagList,
    times: 2,
  },
  {
    name: 'half a manifest is none',
    at: '/manifests/',
    does: sendBody(`{"mediaType":"${oci}","conf`),
    ends: noManifest,
  },
  { name: 'half a token is none', at: '/token', does: sendBody('{"token":"eyJhbGciOi'), ends: noToken },
  {
    name: 'nothing at all with 204 is no tag list',
    at: '/tags/list',
    does: sendBody('', {}, 204),
    ends: ['RegistryInvalid', /answered 204, 200 was wanted/],
  },
  {
    name: 'a part of the list with 206 is none',
    at: '/tags/list',
    does: sendBody('{"tags":["1.0"]}', { 'content-range': 'bytes 0-15/900' }, 206),
    ends: ['RegistryInvalid', /answered 206, 200 was wanted/],
  },
  {
    name: '304 to a question without a condition is no list',
    at: '/tags/list',
    does: sendBody('', { etag: '"1"' }, 304),
    ends: ['RegistryInvalid', /answered 304, 200 was wanted/],
  },
];

const tags = '{"tags":["1.0","1.1"]}';
const many = (count: number, entry: (at: number) => string): string =>
  `{"name":"acme/web","tags":[${Array.from({ length: count }, (_, at) => entry(at)).join(',')}]}`;
const headerLines = (count: number): Record<string, string> =>
  Object.fromEntries(Array.from({ length: count }, (_, at) => [`x-header-${at}`, 'some value or other']));

const huge: Misdeed[] = [
  {
    name: 'a list of a million tags is more than a list may have',
    at: '/tags/list',
    does: sendBody(
      many(1_000_000, (at) => `"t${at}"`),
      json,
    ),
    ends: ['ListingTruncated', /more tags than 500000, the whole list was wanted/],
  },
  {
    name: 'a list of a million times the same tag is a list of one',
    at: '/tags/list',
    does: sendBody(
      many(1_000_000, () => '"1.0"'),
      json,
    ),
    ends: { tags: ['1.0'] },
  },
  {
    name: 'a list of a million times nothing is an empty one',
    at: '/tags/list',
    does: sendBody(
      many(1_000_000, () => 'null'),
      json,
    ),
    ends: { tags: [] },
  },
  {
    name: 'lists a million deep are no tag list',
    at: '/tags/list',
    does: sendBody(`{"tags":${'['.repeat(1_000_000)}`, json),
    ends: noTagList,
  },
  {
    name: 'a thousand headers are too many',
    at: '/tags/list',
    does: sendBody(tags, headerLines(1000)),
    ends: ['RegistryInvalid', /headers are too long/],
  },
  {
    name: 'a token server’s headers can be too long, too',
    at: '/token',
    does: sendBody('{"token":"abc"}', { 'x-long': 'x'.repeat(40_000) }),
    ends: ['RegistryInvalid', /get a pull token .* headers are too long/],
  },
  ...['; a', '</x', '<x>;rel="', '\\"', ' ;  ='].map((piece) => ({
    name: `a link of many ${JSON.stringify(piece)} costs no time and leads nowhere`,
    at: '/tags/list' as const,
    does: sendBody(tags, { link: `</v2/${piece.repeat(14_000 / piece.length)}` }),
    ends: { tags: ['1.0', '1.1'] },
  })),
];

const poisons: Misdeed[] = [
  {
    name: '__proto__ gives no tags to a list without',
    at: '/tags/list',
    does: sendBody('{"__proto__":{"tags":["9.9"],"manifest":{}}}', json),
    ends: noTagList,
  },
  {
    name: '__proto__ changes no list with tags',
    at: '/tags/list',
    does: sendBody(
      '{"tags":["1.0"],"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}',
      json,
    ),
    ends: { tags: ['1.0'] },
  },
  {
    name: '__proto__ makes no token',
    at: '/token',
    does: sendBody('{"__proto__":{"token":"abc"}}', json),
    ends: noToken,
  },
  {
    name: '__proto__ makes no manifest',
    at: '/manifests/',
    does: sendBody(`{"__proto__":{"mediaType":"${oci}"},"annotations":{"__proto__":"x"}}`, json),
    ends: ['RegistryInvalid', /media type is "application\/json", an OCI or Docker v2 manifest or index was wanted/],
  },
];

const lies: Misdeed[] = [
  {
    name: 'a platform’s manifest has other bytes than the index says',
    at: '/manifests/',
    does: ({ url = '' }, response) =>
      url.includes('sha256:')
        ? response.writeHead(200, { 'content-type': oci }).end('{}')
        : response
            .writeHead(200, { 'content-type': index })
            .end(JSON.stringify({ mediaType: index, manifests: [{ digest: `sha256:${'0'.repeat(64)}` }] })),
    ends: ['RegistryInvalid', /manifest of one platform does not have the bytes of its digest/],
    times: 2,
  },
  {
    name: 'a configuration has other bytes than the manifest says',
    at: '/blobs/',
    does: sendBody('{"os":"linux"}'),
    ends: noConfig,
  },
];

describe('a registry that sends nothing of use', { concurrency: true }, () => bear(empty));
describe('a registry that sends too much', () => bear(huge));
describe('a registry that sends other than it says', () => bear(lies));
describe('a registry that sends poison', () => {
  bear(poisons);
  it('has changed no object', () => assert.equal('polluted' in {}, false));
});
