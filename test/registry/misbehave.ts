/** A registry that does wrong in one place, and a client that must bear it. */
import assert from 'node:assert/strict';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { it, type TestContext } from 'node:test';
import { inspect } from 'node:util';
import type { ErrorCode } from '../../src/error/catalogue.ts';
import { TallymanError } from '../../src/error/tallyman-error.ts';
import type { Limits } from '../../src/registry/limits.ts';
import { openRegistry } from './open-registry.ts';

export interface Misdeed {
  readonly name: string;
  /** The part of the API where it happens, to those who have signed in; a listing is asked for, or a manifest. */
  readonly at: '/tags/list' | '/manifests/' | '/blobs/' | '/token';
  /** Answers in its own way, or leaves the client waiting. */
  readonly does: (request: IncomingMessage, response: ServerResponse) => unknown;
  readonly limits?: Partial<Limits>;
  /** How it ends: an error, or these tags. */
  readonly ends: readonly [code: ErrorCode, message: RegExp] | { readonly tags: readonly string[] };
  /** How often it happens; default once. */
  readonly times?: number;
}

const credential = { username: 'robot', password: 'pa55word-of-robot' };
const secrets = [credential.password, Buffer.from(`${credential.username}:${credential.password}`).toString('base64')];

/** One test for each; it ends as told, shows no secret, and a listing afterwards is as good as ever. */
export function bear(misdeeds: readonly Misdeed[]): void {
  for (const misdeed of misdeeds) it(misdeed.name, (t) => suffer(t, misdeed));
}

async function suffer(t: TestContext, { at, does, limits = {}, ends, times = 1 }: Misdeed): Promise<void> {
  const scene = { isBad: true, count: 0, aheadMs: 0 };
  const sent: string[] = [...secrets];
  const { server, client, repository, signal, events } = await openRegistry(t, {
    settings: { credential },
    limits,
    now: () => Date.now() + scene.aheadMs,
    server: {
      auth: 'bearer',
      user: credential,
      intercept: (request, response) => {
        const { url = '', headers } = request;
        if (!scene.isBad || !url.includes(at) || headers.authorization === undefined) return false;
        scene.count += 1;
        sent.push(headers.authorization.replace(/^\w+ /, ''));
        does(request, response);
        return true;
      },
    },
  });
  server.publishImage('acme/web', '1.0', {});
  const ask = async (): Promise<readonly string[]> => {
    if (at === '/tags/list' || at === '/token') return (await client.listTags(repository, { signal })).tags;
    return [(await client.fetchManifest(repository, '1.0', { signal, platforms: true })).digest];
  };
  if ('tags' in ends) assert.deepEqual(await ask(), ends.tags);
  else await assert.rejects(ask(), (error: unknown) => checkError(error, { ends, sent }));
  for (const secret of sent) assert.ok(!JSON.stringify(events).includes(secret), 'a secret is told');
  assert.equal(scene.count, times);
  scene.isBad = false;
  scene.aheadMs = 2 * 3_600_000;
  server.publish('acme/web', '2.0');
  assert.deepEqual((await client.listTags(repository, { signal })).tags, ['1.0', '2.0'], 'afterwards');
}

function checkError(
  error: unknown,
  { ends: [code, message], sent }: { ends: readonly [ErrorCode, RegExp]; sent: readonly string[] },
): true {
  assert.ok(error instanceof TallymanError, inspect(error));
  assert.equal(error.code, code, error.message);
  assert.match(error.message, message);
  assert.match(error.message, /^Cannot [a-z ]+ "127\.0\.0\.1:\d+\/acme\/web(?::1\.0)?": .+ wanted$/);
  const printed = inspect(error, { depth: 10, showHidden: true });
  for (const secret of sent) assert.ok(!printed.includes(secret), 'a secret is in the error');
  return true;
}

/** Writes bytes that Node's server would not, and ends the connection. */
export const sendRaw =
  (text: string): Misdeed['does'] =>
  ({ socket }) =>
    socket.end(text);

export const sendBody =
  (body: string, headers: Readonly<Record<string, string>> = {}, status = 200): Misdeed['does'] =>
  (_request, response) =>
    response.writeHead(status, headers).end(body);
