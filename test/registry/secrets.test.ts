import assert from 'node:assert/strict';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { describe, it } from 'node:test';
import { inspect } from 'node:util';
import { TallymanError } from '../../src/error/tallyman-error.ts';
import { openRegistry, sendJson } from './open-registry.ts';

const credential = { username: 'robot', password: 'pa55 word/with+signs' };
const basic = Buffer.from(`${credential.username}:${credential.password}`).toString('base64');
const token = 'eyJhbGciOi.secret-token.value';
const signature = 'X-Amz-Signature=5160a7u4e';
const secrets = [credential.password, encodeURIComponent(credential.password), basic, token, '5160a7u4e'];

/** All that a logger, a reporter or a debugger could print of an error. */
function printAll(error: unknown): string {
  const parts = [inspect(error, { depth: 10, showHidden: true }), JSON.stringify(error)];
  for (let link = error; link instanceof Error; link = link.cause)
    parts.push(link.message, link.stack ?? '', String(link));
  return parts.join('\n');
}

type Answer = (request: IncomingMessage, response: ServerResponse) => unknown;

/** A complaint that repeats whatever it was sent. */
function complain(status: number): Answer {
  return ({ headers, url }, response) => {
    const message = `bad header ${headers.authorization} (${credential.password}) at https://x${url}&${signature}`;
    sendJson(
      response,
      { errors: [{ code: 'DENIED', message }] },
      { status, headers: { warning: `299 - "${message}"` } },
    );
  };
}

const rows: [name: string, answers: { token?: Answer; registry?: Answer }, code: string][] = [
  ['the registry repeats the token', { registry: complain(403) }, 'RegistryDenied'],
  ['the registry repeats the token, and is down', { registry: complain(503) }, 'RegistryUnavailable'],
  ['the token server repeats the password', { token: complain(401) }, 'RegistryDenied'],
  [
    'the token server repeats the password in what is no JSON',
    { token: (_, response) => response.end(`{"token":"${token}`) },
    'RegistryInvalid',
  ],
  [
    'the token server sends a token that no header can carry',
    { token: (_, response) => sendJson(response, { token: `${token}\n` }) },
    'RegistryInvalid',
  ],
  ['the token server cuts the connection', { token: (request) => request.socket.destroy() }, 'RegistryUnavailable'],
  [
    'the token server redirects to a signed address',
    { token: (_, response) => response.writeHead(302, { location: `http://169.254.1.1/?${signature}` }).end() },
    'RegistryInvalid',
  ],
  [
    'the registry redirects to a signed address that is no URL',
    { registry: (_, response) => response.writeHead(302, { location: `http://[/?${signature}` }).end() },
    'RegistryInvalid',
  ],
  [
    'a signed address answers with an error',
    {
      registry: ({ url = '' }, response) =>
        url.includes('Signature')
          ? sendJson(response, { errors: [{ code: 'X', message: `no https://h/x?${signature}` }] }, { status: 400 })
          : response.writeHead(302, { location: `/blob?${signature}` }).end(),
    },
    'RegistryInvalid',
  ],
  [
    'the registry sends what is no HTTP',
    {
      registry: ({ socket, headers }) =>
        socket.end(`HTTP/1.1 200 OK\r\nBad Header ${headers.authorization} ${signature}\r\n\r\n`),
    },
    'RegistryInvalid',
  ],
  [
    'a link carries the token',
    {
      registry: (_, response) =>
        sendJson(
          response,
          { tags: ['a'] },
          { headers: { link: `<http://${token.slice(0, 5)}.example/?t=${token}>; rel="next"` } },
        ),
    },
    'RegistryInvalid',
  ],
];

describe('secrets', () => {
  for (const [name, answers, code] of rows) {
    it(`stay out of errors and events when ${name}`, async (t) => {
      let sentToken = false;
      const { server, client, repository, signal, events } = await openRegistry(t, {
        settings: { credential },
        server: {
          intercept: (request, response) => {
            const { url = '', headers } = request;
            if (url.startsWith('/token')) {
              if (answers.token) answers.token(request, response);
              else sendJson(response, { token });
            } else if (headers.authorization === undefined && !url.includes('Signature')) {
              const challenge = `Bearer realm="http://${headers.host}/token?${signature}",service="s"`;
              sendJson(response, {}, { status: 401, headers: { 'www-authenticate': challenge } });
            } else {
              sentToken ||= headers.authorization === `Bearer ${token}`;
              answers.registry?.(request, response);
            }
            return true;
          },
        },
      });
      const error: unknown = await client.listTags(repository, { signal }).then(
        () => assert.fail('it was to fail'),
        (reason) => reason,
      );
      assert.ok(error instanceof TallymanError);
      assert.equal(error.code, code, error.message);
      assert.equal(sentToken, answers.token === undefined);
      const printed = `${printAll(error)}\n${JSON.stringify(events)}`;
      for (const secret of secrets) assert.ok(!printed.includes(secret), `${JSON.stringify(secret)} is in ${printed}`);
      for (const { url } of server.requests) {
        for (const secret of secrets.slice(0, 4)) assert.ok(!url.includes(secret), url);
      }
    });
  }
});
