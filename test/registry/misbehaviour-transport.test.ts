import { describe } from 'node:test';
import { bear, type Misdeed, sendRaw } from './misbehave.ts';

const oci = 'application/vnd.oci.image.manifest.v1+json';
const noTagList = ['RegistryInvalid', /is no tag list, a JSON object with "tags" was wanted/] as const;
const notHttp = ['RegistryInvalid', /the answer is not HTTP/] as const;
const cutShort = ['RegistryUnavailable', /the answer was cut short/] as const;
const tooSlow = ['RegistryUnavailable', /no whole answer came from "127\.0\.0\.1:\d+" within 1\.5 s/] as const;

const length = (announced: string): string => `HTTP/1.1 200 OK\r\nContent-Length: ${announced}\r\n`;
const tags = '{"tags":["1.0","1.1"]}';

const framing: Misdeed[] = [
  {
    name: 'a length that is too short cuts the JSON',
    at: '/tags/list',
    does: sendRaw(`${length('10')}\r\n${tags}`),
    ends: noTagList,
  },
  { name: 'no length below nought', at: '/tags/list', does: sendRaw(`${length('-5')}\r\n${tags}`), ends: notHttp },
  {
    name: 'two lengths are none',
    at: '/tags/list',
    does: sendRaw(`${length('22')}Content-Length: 5\r\n\r\n${tags}`),
    ends: cutShort,
    times: 3,
  },
  {
    name: 'a length besides chunks is none',
    at: '/tags/list',
    does: sendRaw(`${length('22')}Transfer-Encoding: chunked\r\n\r\n${tags}`),
    ends: cutShort,
    times: 3,
  },
  {
    name: 'chunks that are none are no HTTP',
    at: '/tags/list',
    does: sendRaw(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n${tags}`),
    ends: notHttp,
  },
  {
    name: 'HTTP/1.0 without a length is read to its end',
    at: '/tags/list',
    does: sendRaw(`HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n${tags}`),
    ends: { tags: ['1.0', '1.1'] },
  },
  {
    name: 'HTTP/1.0 without a length that ends too soon is seen by the JSON',
    at: '/tags/list',
    does: sendRaw(`HTTP/1.0 200 OK\r\n\r\n${tags.slice(0, -4)}`),
    ends: noTagList,
  },
  { name: 'HTTP/0.9 is not HTTP', at: '/tags/list', does: sendRaw(tags), ends: notHttp },
];

/** Sends a piece at once and then another one every few milliseconds, for ever. */
const drip =
  (start: string, piece: string): Misdeed['does'] =>
  ({ socket }) => {
    socket.write(start);
    const timer = setInterval(() => socket.write(piece), 5);
    socket.on('close', () => clearInterval(timer));
    socket.on('error', () => {});
  };
const impatient = { attemptMs: 1500, maxTries: 1 };
const stalls = { headersMs: 100, bodyMs: 100, maxTries: 1 };
const half =
  (type: string): Misdeed['does'] =>
  (_request, response) =>
    response.writeHead(200, { 'content-type': type, 'content-length': 90 }).write('{"a');

const slow: Misdeed[] = [
  {
    name: 'headers that come letter by letter end with the time of a try',
    at: '/tags/list',
    does: drip('HTTP/1.1 200 OK\r\nX-Slow: ', 'a'),
    limits: impatient,
    ends: tooSlow,
  },
  {
    name: 'a manifest that comes letter by letter ends with the time of a try',
    at: '/manifests/',
    does: drip(`HTTP/1.1 200 OK\r\nContent-Type: ${oci}\r\n\r\n`, ' '),
    limits: impatient,
    ends: tooSlow,
  },
  {
    name: 'an error that comes letter by letter ends with the time of a try',
    at: '/tags/list',
    does: drip('HTTP/1.1 404 Not Found\r\n\r\n', ' '),
    limits: impatient,
    ends: tooSlow,
  },
  {
    name: 'a redirect whose body never ends ends with the time of a try',
    at: '/tags/list',
    does: drip('HTTP/1.1 302 Found\r\nLocation: /login\r\n\r\n', ' '),
    limits: impatient,
    ends: tooSlow,
  },
  {
    name: 'a manifest that stops half-way',
    at: '/manifests/',
    does: half(oci),
    limits: stalls,
    ends: ['RegistryUnavailable', /stopped half-way/],
  },
  {
    name: 'a configuration that stops half-way',
    at: '/blobs/',
    does: half('text/plain'),
    limits: stalls,
    ends: ['RegistryUnavailable', /stopped half-way/],
  },
  {
    name: 'a token that stops half-way',
    at: '/token',
    does: half('text/plain'),
    limits: stalls,
    ends: ['RegistryUnavailable', /get a pull token .* stopped half-way/],
  },
  {
    name: 'a token server that says nothing',
    at: '/token',
    does: () => {},
    limits: stalls,
    ends: ['RegistryUnavailable', /get a pull token .* no answer began in time/],
  },
];

describe('a registry that does not keep to HTTP', { concurrency: true }, () => bear(framing));
describe('a registry that takes its time', { concurrency: true }, () => bear(slow));
