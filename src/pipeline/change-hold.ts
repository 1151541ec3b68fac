/** Begins or ends a hold, as a commit that changes no file: Git's history is the memory. */
import type { Problem } from '../error/problem.ts';
import { describeAsked, describeEnd, type Hold } from '../hold/hold.ts';
import { formatHoldMark, formatReason, formatResumeMark } from '../hold/marks.ts';
import type { Policy } from '../policy/policy.ts';
import type { ClosedVersion } from '../propose/hold-closed.ts';
import { findPolicy } from './find-policy.ts';
import { type Informed, informFor } from './inform-context.ts';
import { describeHeld } from './policy-problems.ts';
import type { Snapshot } from './ports.ts';
import { resumeClosed } from './propose-resume.ts';
import type { ProposingContext } from './proposing-context.ts';
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
  const { repo, clock, author, proposing } = context;
  const freed: string[] = [];
  for (let tries = 1; ; tries += 1) {
    const base = await repo.fetch(options);
    const facts = await findFacts(context, { change, base }, options);
    const { policy, informed } = facts;
    const hold = await facts.findHold(base.commit);
    const frees = change.verb === 'resume' && hold?.asked === undefined;
    if (frees && hold?.endsAt !== undefined)
      return { commit: undefined, told: '', problem: describeHeld(policy, hold) };
    if (frees && proposing !== undefined && informed !== undefined)
      freed.push(...(await resumeClosed(proposing, { ...informed, policy: policy.key }, options)));
    const done = describeDone(change, { hold, freed });
    if (done !== undefined) return { commit: undefined, told: done };
    const message = formatMessage(change, hold);
    const commit = { base, changes: new Map(), message, author, whenMs: clock.wallMs() };
    const outcome = await repo.push(commit, options);
    if (outcome.kind === 'pushed') {
      const left = change.verb === 'resume' && !frees ? await findLeft(facts, outcome.commit) : undefined;
      return { commit: outcome.commit, told: describeChange(change, outcome.commit, left) };
    }
    if (tries === maxPushTries) return { commit: undefined, told: '', problem: describeRace(tries) };
    await pauseBeforeTry(clock, tries, options);
  }
}

interface Facts {
  readonly policy: Policy;
  /** Undefined where the forge has nothing to say. */
  readonly informed: Informed | undefined;
  findHold(commit: string): Promise<Hold | undefined>;
}

/** To hold, nothing but Git is asked. */
async function findFacts(
  context: ProposingContext,
  { change, base }: { change: HoldChange; base: Snapshot },
  options: { signal: AbortSignal },
): Promise<Facts> {
  const { repo, memory } = context;
  const contents = await memory.read(repo, base, options);
  const policy = findPolicy(change.policy, contents, change.verb);
  const policies = [policy];
  const targets = contents.targets.filter((target) => target.policy === policy);
  const informed =
    change.verb === 'hold' ? undefined : await informFor(context, { policies, baseBranch: base.branch }, options);
  const { holds } = informed?.context ?? context;
  return {
    policy,
    informed,
    findHold: async (commit) => (await holds.find(repo, { commit, policies, targets }, options)).holds.get(policy.key),
  };
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

/** What holds the policy after its hold is ended. */
interface Left {
  readonly hold: Hold | undefined;
  readonly closed: readonly ClosedVersion[];
}

async function findLeft({ policy, informed, findHold }: Facts, commit: string): Promise<Left> {
  const closed = (informed?.closed ?? []).filter((version) => version.policy === policy.key);
  return { hold: await findHold(commit), closed };
}

function describeChange({ verb, policy }: HoldChange, commit: string, left: Left | undefined): string {
  const asOf = `as of commit ${commit}`;
  if (verb === 'hold') return `${policy} is held until \`tallyman resume ${policy}\`, ${asOf}`;
  if (left?.hold?.endsAt !== undefined)
    return `the hold of ${policy} is ended, ${asOf}; nothing is written all the same: ${describeEnd(left.hold.endsAt)}`;
  const versions = new Set([...(left?.hold?.versions ?? []), ...(left?.closed ?? [])].map(({ version }) => version));
  if (versions.size === 0) return `${policy} is updated again, ${asOf}`;
  const why = `a person took ${[...versions].join(', ')} away`;
  return `the hold of ${policy} is ended, ${asOf}; ${why}: \`tallyman resume ${policy}\` once more lets that be written again`;
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
