/** The daemon with webhooks. */
import assert from 'node:assert/strict';
import { type LogLine, type Running, until } from './run-program.ts';
import type { World } from './world.ts';

export const secret = 'tide-table-4711';
/** Far longer than a test: what happens, happens because of a webhook. */
const intervalSeconds = 3600;

/** The daemon, once it has made its first pass, and where it listens. */
export async function startListening(
  world: World,
  name: string,
  settings: object,
): Promise<{ daemon: Running; url: string }> {
  const webhooks = [
    { name: 'git', format: 'gitea', secretEnv: 'HOOK_SECRET' },
    { name: 'images', format: 'distribution', secretFile: world.write(`${name}-hook`, `${secret}\n`) },
  ];
  const server = { listen: '127.0.0.1:0', webhooks };
  const config = world.configure(name, { intervalSeconds, maxIntervalSeconds: intervalSeconds, server, ...settings });
  const daemon = world.start(['run', '--config', config], { HOOK_SECRET: secret });
  let url: string | undefined;
  await until(() => {
    url = /"url":"(http:\/\/127\.0\.0\.1:\d+)"/.exec(daemon.said())?.[1];
    return url !== undefined;
  }, daemon.said);
  const readiness = async (): Promise<number> => (await fetch(`${url}/readyz`)).status;
  while ((await readiness()) !== 200) await until(() => daemon.said().includes('"msg":"pass done"'), daemon.said);
  return { daemon, url: url ?? '' };
}

/** Ends it; its log's lines. It told no secret. */
export async function stop({ child, finished, said }: Running): Promise<readonly LogLine[]> {
  child.kill('SIGTERM');
  const { code, log } = await finished;
  assert.equal(code, 0, said());
  assert.ok(!said().includes(secret));
  return log;
}

/** Tells the daemon of a push to its registry, in the words of `distribution`; its answer. */
export async function notifyPush(
  url: string,
  { host, repository }: { host: string; repository: string },
): Promise<unknown> {
  // It is only a hint: the tag counts for nothing.
  const target = { mediaType: 'application/vnd.oci.image.manifest.v1+json', repository, tag: '9.9.9' };
  const body = JSON.stringify({ events: [{ action: 'push', target, request: { host } }] });
  const headers = {
    'content-type': 'application/vnd.docker.distribution.events.v2+json',
    authorization: `Bearer ${secret}`,
  };
  return await (await fetch(`${url}/webhooks/images`, { method: 'POST', headers, body })).json();
}
