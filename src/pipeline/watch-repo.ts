/** Passes over one Yaml repo, one after the other, until told to stop. */
import { catalogue } from '../error/catalogue.ts';
import { type Problem, toProblem } from '../error/problem.ts';
import { commitAndPropose, type WholeReport } from './commit-and-propose.ts';
import type { Log } from './ports.ts';
import type { Proposal } from './propose-step.ts';
import type { ProposingContext } from './proposing-context.ts';
import { createWake, type Wake } from './wake.ts';

export interface WatchOptions {
  /** Between the end of one pass and the start of the next; each varies by a tenth. */
  readonly intervalMs: number;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** Ends the pause between two passes. */
  readonly wake?: Wake;
  /** Called after each pass, also after one that failed. */
  readonly onPass?: () => void;
}

const maxBackoffMs = 15 * 60_000;

/** Resolves once the signal aborts; a pass that fails is told and tried again, later each time. */
export async function watchRepo(context: ProposingContext, options: WatchOptions): Promise<void> {
  const { intervalMs, log, signal, wake = createWake() } = options;
  const teller = createProblemTeller(log);
  const passTeller = createProblemTeller(log);
  let failures = 0;
  while (!signal.aborted) {
    try {
      tellReport(await commitAndPropose(context, { signal }), log, teller);
      passTeller.tell([]);
      failures = 0;
    } catch (error) {
      if (signal.aborted) break;
      failures += 1;
      passTeller.tell([toProblem(error)]);
    }
    options.onPass?.();
    const pauseMs = Math.min(intervalMs * 2 ** Math.min(failures, 10), Math.max(intervalMs, maxBackoffMs));
    await wake.pause(pauseMs * (0.9 + 0.2 * context.clock.random()), { clock: context.clock, signal });
  }
}

/** One line for each commit, each selection worth one and each pull request that changed; problems as they come and go. */
export function tellReport(report: WholeReport, log: Log, teller: ProblemTeller): void {
  const { commit, commits, updates, snapshot, policyCount, tries } = report;
  for (const made of commits) {
    for (const update of made.updates) {
      log.info(
        { code: 'ImageUpdated', commit: made.commit, ...update },
        `${update.policy}: ${update.from ?? 'no version'} → ${update.to}`,
      );
    }
  }
  for (const proposal of report.proposals) tellProposal(proposal, log);
  log.debug({ commit: commit ?? snapshot.commit, policies: policyCount, updates: updates.length, tries }, 'pass done');
  teller.tell(report.problems);
}

const quietStates: readonly Proposal['state'][] = ['waiting', 'held', 'taken', 'doubtful'];

function tellProposal({ branch, state, url, updates }: Proposal, log: Log): void {
  const level = quietStates.includes(state) ? 'debug' : 'info';
  const versions = updates.map(({ policy, to }) => `${policy} ${to}`);
  log[level]({ branch, state, url, updates: versions }, `pull request of ${branch}: ${state}`);
}

export interface ProblemTeller {
  /** Tells what is new since the last call, and what is over. */
  tell(problems: readonly Problem[]): void;
}

/** A problem that stays is told once, not at every pass; numbers in its message may change meanwhile. */
export function createProblemTeller(log: Log): ProblemTeller {
  let known = new Map<string, Problem>();
  return {
    tell(problems) {
      const now = new Map(problems.map((problem) => [identify(problem), problem]));
      for (const [id, problem] of now) if (!known.has(id)) tellProblem(log, problem);
      for (const [id, { code, policy, message }] of known)
        if (!now.has(id)) log.info({ code, policy }, `over: ${message}`);
      known = now;
    },
  };
}

function identify({ code, policy, place, message }: Problem): string {
  return JSON.stringify([code, policy, place, message.replace(/[0-9]+/g, '#')]);
}

function tellProblem(log: Log, { code, policy, place, remedy, message }: Problem): void {
  log.warn({ code, disposition: catalogue[code].disposition, policy, ...place, remedy }, message);
}
