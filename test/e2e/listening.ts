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
