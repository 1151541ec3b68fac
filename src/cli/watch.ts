/** The daemon: passes over each Yaml repo, and a server that says when to make one. */
import type { Config } from '../config/schema.ts';
import { toProblem } from '../error/problem.ts';
import type { Log } from '../pipeline/ports.ts';
import { takeHint } from '../pipeline/take-hint.ts';
import { createWake } from '../pipeline/wake.ts';
import { createProblemTeller, watchRepo } from '../pipeline/watch-repo.ts';
import { exitCodes, type ServerNeeds, type Session } from './session.ts';

interface WatchOptions {
  readonly config: Config;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** Resolves to an exit code once the signal aborts; at once where the server's address cannot be had. */
export async function watchRepos(session: Session, { config, log, signal }: WatchOptions): Promise<number> {
  const { repos, poller } = session;
  const batchMs = config.batchSeconds * 1000;
  const watched = repos.map(({ name, context }, index) => ({
    address: name,
    branch: config.repos[index]?.branch,
    context: { ...context, poller },
    wake: createWake({ batchMs }),
  }));
  const passed = new Set<number>();
  const server = await startServer(session, log, {
    onHint: (hint) => takeHint(hint, { repos: watched, poller }),
    isReady: () => passed.size === watched.length,
  });
  if (server === 'failed') return exitCodes.usage;
  const intervalMs = config.intervalSeconds * 1000;
  const watch = ({ context, wake }: (typeof watched)[number], index: number): Promise<void> =>
    watchRepo(context, { intervalMs, log, signal, wake, onPass: () => passed.add(index) });
  try {
    await Promise.all(watched.map(watch));
  } finally {
    await server?.close();
  }
  log.info({}, 'stopped');
  return exitCodes.ok;
}

async function startServer(session: Session, log: Log, needs: ServerNeeds) {
  try {
    return await session.startServer(needs);
  } catch (error) {
    createProblemTeller(log).tell([toProblem(error)]);
    return 'failed';
  }
}
