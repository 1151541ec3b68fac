/** What every command is given: the ports, ready to use, and how to end them. */

import { loadConfig } from '../config/load-config.ts';
import type { Config } from '../config/schema.ts';
import { describeUrlFault } from '../config/url-schema.ts';
import { formatProblem, toProblem } from '../error/problem.ts';
import { TallymanError } from '../error/tallyman-error.ts';
import type { CheckReport } from '../pipeline/check-repo.ts';
import type { ClusterSession } from '../pipeline/cluster-ports.ts';
import type { Metrics } from '../pipeline/metrics-ports.ts';
import type { ImagePoller, PollOptions } from '../pipeline/poll-images.ts';
import type { Clock, Log } from '../pipeline/ports.ts';
import type { Probes } from '../pipeline/probes.ts';
import type { ProposingContext } from '../pipeline/proposing-context.ts';
import type { Queues } from '../pipeline/run-jobs.ts';
import type { Hint } from '../webhook/delivery.ts';
import { createLog } from './log.ts';

/** One configured Yaml repo, ready to use. */
export interface RepoSession {
  /** As the configuration names it: address or path. */
  readonly name: string;
  readonly context: ProposingContext;
  /** Where people look at a commit; undefined where it is not known what forge it is. */
  formatCommitUrl(commit: string): string | undefined;
  /** Validates files as they are: of a local work tree those on disk, committed or not. */
  check(options: { signal: AbortSignal }): Promise<CheckReport>;
}

export interface Session {
  readonly repos: readonly RepoSession[];
  /** Looks at image repositories for all Yaml repos; for passes that follow each other, and scans in between. */
  openPoller(options?: Pick<PollOptions, 'onLook'>): ImagePoller;
  /** Jobs of the daemon. */
  readonly queues: Queues;
  readonly clock: Clock;
  /** Undefined where the configuration has none. */
  readonly cluster: ClusterSession | undefined;
  /** Tries the signing key, if one is configured; throws `ConfigInvalid`. */
  tryToSign(): Promise<void>;
  /** Measures from now on, for a server to show; nothing where the configuration has none. */
  openMetrics(): Promise<Metrics>;
  /** Listens for webhooks, probes and who reads metrics; undefined where the configuration has no server. */
  startServer(needs: ServerNeeds): Promise<{ readonly url: string; close(): Promise<void> }> | undefined;
  close(): Promise<void>;
}

export interface ServerNeeds {
  /** Acts on what a webhook said; how many Yaml repos are looked at for it. */
  readonly onHint: (hint: Hint) => Promise<number>;
  readonly probes: Probes;
}

/** Makes the adapters that a configuration asks for. */
export type OpenSession = (config: Config, log: Log) => Promise<Session>;

export interface CommonFlags {
  readonly config?: string;
  readonly repo?: string;
  readonly branch?: string;
}

/** Exit codes of every command; what each means is in the README. */
export const exitCodes = { ok: 0, problems: 1, usage: 2, failed: 3 } as const;

/** Of a command about one policy: `problems` where no Yaml repo has it as it can be used, `failed` where one could not be asked. */
export function judgeFailures(failures: readonly unknown[]): number {
  return failures.every(isPolicyInvalid) ? exitCodes.problems : exitCodes.failed;
}

export function isPolicyInvalid(failure: unknown): boolean {
  return failure instanceof TallymanError && failure.code === 'PolicyInvalid';
}

interface Command {
  readonly session: Session;
  readonly config: Config;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/**
 * Runs a command with a session, which is closed in the end; the result is the exit code. SIGTERM and SIGINT abort the
 * signal once; a second one ends the process at once.
 */
export async function withSession(
  flags: CommonFlags,
  open: OpenSession,
  run: (command: Command) => Promise<number>,
): Promise<number> {
  const loaded = await loadConfig(flags.config ?? process.env.TALLYMAN_CONFIG);
  if ('problems' in loaded) return fail(loaded.problems.map(formatProblem));
  if (flags.repo !== undefined && isAddress(flags.repo)) {
    const fault = describeUrlFault(flags.repo);
    if (fault !== undefined) return fail([`Cannot use --repo: ${fault} was wanted`]);
  }
  const config = withRepo(loaded.config, flags);
  if (config.repos.length === 0) {
    return fail(['Cannot start: no Yaml repo is named, --repo URL-or-PATH or `repos` in the configuration was wanted']);
  }
  const log = createLog(config.log);
  const abort = new AbortController();
  const stop = () => abort.abort(new Error('stopped'));
  process.once('SIGTERM', stop).once('SIGINT', stop);
  let session: Session;
  try {
    session = await open(config, log);
  } catch (error) {
    return fail([formatProblem(toProblem(error))]);
  }
  try {
    const code = await run({ session, config, log, signal: abort.signal });
    if (abort.signal.aborted) endInAnyCase(code);
    return code;
  } finally {
    process.off('SIGTERM', stop).off('SIGINT', stop);
    await session.close();
  }
}

/** Connections that do not end by themselves keep no process from ending that was told to. */
const maxCloseMs = 5000;

function endInAnyCase(code: number): void {
  setTimeout(() => process.exit(code), maxCloseMs).unref();
}

/** Anything with a scheme, and `user@host:path` as SSH has it; the others are folders. */
function isAddress(repo: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(repo) || /^[^/\s]+@[^/\s]+:/.test(repo);
}

/** `--repo` takes the place of the configured repos; where one of them has that address or path, its settings stay. */
function withRepo(config: Config, { repo, branch }: CommonFlags): Config {
  if (repo === undefined) return config;
  const known = config.repos.find((configured) => configured.url === repo || configured.path === repo);
  const place = isAddress(repo) ? { url: repo } : { path: repo };
  return { ...config, repos: [{ paths: ['.'], ...known, ...place, ...(branch !== undefined && { branch }) }] };
}

/** The lines on standard error, and the exit code of a wrong use or configuration. */
export function fail(lines: readonly string[]): number {
  process.stderr.write(`${lines.join('\n')}\n`);
  return exitCodes.usage;
}
