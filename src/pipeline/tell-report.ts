/** What a pass did, as lines of the log. */
import { catalogue } from '../error/catalogue.ts';
import type { Problem } from '../error/problem.ts';
import type { WholeReport } from './commit-and-propose.ts';
import type { Log } from './ports.ts';
import type { Proposal } from './propose-step.ts';

/** One line for each commit, each selection worth one and each pull request that changed; problems as they come and go. */
export function tellReport(report: WholeReport, log: Log, teller: ProblemTeller): void {
  const { commit, commits, updates, snapshot, policies, tries } = report;
  for (const made of commits) {
    for (const update of made.updates) {
      log.info(
        { code: 'ImageUpdated', commit: made.commit, ...update },
        `${update.policy}: ${update.from ?? 'no version'} → ${update.to}`,
      );
    }
  }
  for (const proposal of report.proposals) tellProposal(proposal, log);
  log.debug(
    { commit: commit ?? snapshot.commit, policies: policies.length, updates: updates.length, tries },
    'pass done',
  );
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

/** For a part that one thing at a time keeps from working: told once, and when it is over (undefined). */
export function createSingleTeller(log: Log): (problem: Problem | undefined) => void {
  const teller = createProblemTeller(log);
  return (problem) => teller.tell(problem === undefined ? [] : [problem]);
}

function identify({ code, policy, place, message }: Problem): string {
  return JSON.stringify([code, policy, place, message.replace(/[0-9]+/g, '#')]);
}

/** One line. */
export function tellProblem(log: Log, { code, policy, place, remedy, message }: Problem): void {
  log.warn({ code, disposition: catalogue[code].disposition, policy, ...place, remedy }, message);
}
