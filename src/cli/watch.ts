/** The daemon: passes over each Yaml repo, looks at images, and a server that says when to make one. */
import type { Config } from '../config/schema.ts';
import { toProblem } from '../error/problem.ts';
import type { Log } from '../pipeline/ports.ts';
import { createWorker } from '../pipeline/run-jobs.ts';
import { createProblemTeller } from '../pipeline/tell-report.ts';
import { exitCodes, type ServerNeeds, type Session } from './session.ts';

interface WatchOptions {
  readonly config: Config;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** A pass that waits for nobody ends well in that time; one that is cut off on the way has written all or nothing. */
const drainMs = 1000;
/** Deciding and editing are work for one processor; what more is under way waits for Git. */
const passConcurrency = 4;
const scanConcurrency = 64;

/** Resolves to an exit code once the signal aborts; at once where the server's address cannot be had. */
export async function watchRepos(session: Session, { config, log, signal }: WatchOptions): Promise<number> {
  const poller = session.openPoller();
  const repos = session.repos.map(({ name, context }, index) => {
    const branch = config.repos[index]?.branch;
    return { subject: `${name} ${branch ?? ''}`.trimEnd(), address: name, branch, context: { ...context, poller } };
  });
  const passed = new Set<string>();
  const worker = createWorker(repos, {
    queues: session.queues,
    poller,
    clock: session.clock,
    log,
    intervalMs: config.intervalSeconds * 1000,
    batchMs: config.batchSeconds * 1000,
    passConcurrency,
    scanConcurrency,
    drainMs,
    onPass: (subject) => passed.add(subject),
  });
  const server = await startServer(session, log, {
    onHint: (hint) => worker.takeHint(hint, { signal }),
    isReady: () => passed.size === repos.length,
  });
  if (server === 'failed') return exitCodes.usage;
  try {
    await worker.run({ signal });
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
