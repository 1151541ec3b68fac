/** Begins or ends a hold, as a commit that changes no file: Git's history is the memory. */
import type { Problem } from '../error/problem.ts';
import { describeAsked, describeEnd, type Hold } from '../hold/hold.ts';
import { formatHoldMark, formatReason, formatResumeMark } from '../hold/marks.ts';
import { findPolicy } from './find-policy.ts';
import { describeHeld } from './policy-problems.ts';
import { isProposed, type ProposingContext } from './propose-changes.ts';
import { resumeClosed } from './propose-resume.ts';
import { describeRace, maxPushTries, pauseBeforeTry } from './push-plan.ts';

/** What is asked: `{ verb: 'hold', policy: 'shop/web', reason: 'until the audit is done' }` */
export interface HoldChange {
  readonly verb: 'hold' | 'resume';
  readonly policy: string;
  /** Empty where none is given. */
  readonly reason: string;
}

/** What came of it; `commit` is undefined where nothing had to be done. */
export interface ChangedHold {
  readonly commit: string | undefined;
  /** One line for people. */
  readonly told: string;
  /** `PushRaced`, `HistoryShallow`: nothing was written. */
  readonly problem?: Problem;
}

/**
 * Commits and pushes the change, again where the branch moved. A hold needs no past. `resume` ends a person's hold and nothing
 * else; where there is none, it frees the versions that persons took away. Throws `PolicyInvalid` where there is no such policy.
 */
export async function changeHold(
  context: ProposingContext,
  change: HoldChange,
  options: { signal: AbortSignal },
): Promise<ChangedHold> {
  const { repo, memory, holds, clock, author, proposing } = context;
  const freed: string[] = [];
  for (let tries = 1; ; tries += 1) {
    const base = await repo.fetch(options);
    const contents = await memory.read(repo, base, options);
    const policy = findPolicy(change.policy, contents, change.verb);
    const targets = contents.targets.filter((target) => target.policy === policy);
    const findHold = async (commit: string): Promise<Hold | undefined> =>
      (await holds.find(repo, { commit, policies: [policy], targets }, options)).holds.get(policy.key);
    const hold = await findHold(base.commit);
    const frees = change.verb === 'resume' && hold?.asked === undefined;
    if (frees && hold?.endsAt !== undefined)
      return { commit: undefined, told: '', problem: describeHeld(policy, hold) };
    if (frees && proposing !== undefined && isProposed(policy))
      freed.push(...(await resumeClosed(proposing, { policy, baseBranch: base.branch }, options)));
    const done = describeDone(change, { hold, freed });
    if (done !== undefined) return { commit: undefined, told: done };
    const message = formatMessage(change, hold);
    const commit = { base, changes: new Map(), message, author, whenMs: clock.nowMs() };
    const outcome = await repo.push(commit, options);
    if (outcome.kind === 'pushed') {
      const left = change.verb === 'resume' && !frees ? await findHold(outcome.commit) : undefined;
      return { commit: outcome.commit, told: describeChange(change, { commit: outcome.commit, left }) };
    }
    if (tries === maxPushTries) return { commit: undefined, told: '', problem: describeRace(tries) };
    await pauseBeforeTry(clock, tries, options);
  }
}

function describeDone(
  { verb, policy }: HoldChange,
  { hold, freed }: { hold: Hold | undefined; freed: readonly string[] },
): string | undefined {
  if (verb === 'hold') return hold?.asked && `${policy} is ${describeAsked(hold.asked)}: nothing to do`;
  if (hold !== undefined) return undefined;
  return freed.length === 0
    ? `${policy} is not held: nothing to do`
    : `${policy} is proposed again: closed pull requests hold its versions no more (${freed.join(', ')})`;
}

/** `left` is what holds the policy after its hold is ended. */
function describeChange(
  { verb, policy }: HoldChange,
  { commit, left }: { commit: string; left: Hold | undefined },
): string {
  const asOf = `as of commit ${commit}`;
  if (verb === 'hold') return `${policy} is held until \`tallyman resume ${policy}\`, ${asOf}`;
  if (left === undefined) return `${policy} is updated again, ${asOf}`;
  const why =
    left.endsAt !== undefined
      ? `nothing is written all the same: ${describeEnd(left.endsAt)}`
      : `a person took ${listVersions(left)} away: \`tallyman resume ${policy}\` once more lets that be written again`;
  return `the hold of ${policy} is ended, ${asOf}; ${why}`;
}

function listVersions({ versions }: Hold): string {
  return versions.map(({ version }) => version).join(', ');
}

/** `resume` names what may be written again. No line of it begins with what a person said: that could be a trailer. */
function formatMessage({ verb, policy, reason }: HoldChange, hold: Hold | undefined): string {
  const why = formatReason(reason);
  const freed =
    verb === 'resume' ? (hold?.versions ?? []).map(({ version }) => `- ${version} may be written again`) : [];
  const body = [...(why === '' ? [] : [`Reason: ${why}`]), ...freed];
  const trailer = verb === 'hold' ? formatHoldMark({ policy, reason }) : formatResumeMark(policy);
  const subject = verb === 'hold' ? `Hold ${policy}` : `Resume ${policy}`;
  return [subject, ...(body.length === 0 ? [] : [body.join('\n')]), trailer].join('\n\n').concat('\n');
}
