/** Why one policy does what it does: every tag, every place. Writes nothing. */
import type { Problem } from '../error/problem.ts';
import type { Place } from '../error/tallyman-error.ts';
import type { Hold } from '../hold/hold.ts';
import type { Policy, SelectRule } from '../policy/policy.ts';
import { selectTag, sortVerdicts } from '../select/select-tag.ts';
import type { TagVerdict } from '../select/selection.ts';
import { formatPlace, formatVersion, readCurrent, type Target } from '../target/target.ts';
import { gatherFacts } from './decision.ts';
import { findPolicy } from './find-policy.ts';
import { askTime, createFirstSeen, needsLedger } from './first-seen.ts';
import { planInformed } from './inform-context.ts';
import type { ImageLookup } from './look-up-images.ts';
import { unpackListing } from './pack-listing.ts';
import { needsPushTimes } from './policy-problems.ts';
import type { ProposingContext } from './proposing-context.ts';
import type { PassContext, PlannedPass } from './run-pass.ts';

/** One place that the policy may write, and what becomes of it now. */
export interface ExplainedPlace {
  /** `web.yaml:12 spec.containers[0].image` */
  readonly place: string;
  readonly current: string | undefined;
  /** What would be written now; undefined where the place stays. */
  readonly next: string | undefined;
  readonly reason: string;
}

/** Plain data, for `--output json` too. */
export interface Explanation {
  readonly policy: string;
  readonly image: string;
  readonly select: SelectRule;
  readonly source: Place;
  readonly suspend: boolean;
  /** Where a person holds the policy: what is not written, and why. */
  readonly hold: Hold | undefined;
  readonly places: readonly ExplainedPlace[];
  /** Best version first; as decided for the first place; without one, as for a place that has no version yet. */
  readonly tags: readonly TagVerdict[];
  /** What concerns this policy. */
  readonly problems: readonly Problem[];
}

/** The explanation of the policy named `namespace/name`; throws `PolicyInvalid` where the Yaml repo has no such policy. */
export async function explainPolicy(
  context: ProposingContext,
  lookup: ImageLookup,
  { key, signal }: { key: string; signal: AbortSignal },
): Promise<Explanation> {
  const { repo, memory } = context;
  const contents = await memory.read(repo, await repo.fetch({ signal }), { signal });
  const policy = findPolicy(key, contents, 'explain');
  const planned = await planInformed(context, lookup, { signal, wants: (other) => other.key === key, explain: true });
  const own = contents.targets.filter((target) => target.policy.key === key);
  const { image, select, source, suspend } = policy;
  const problems = planned.problems.filter((problem) => concerns(problem, policy));
  const places = own.map((target) => explainPlace(target, planned));
  const tags = await judgeTags(policy, planned, { context, lookup, signal });
  return { policy: key, image, select, source, suspend, hold: planned.holds.get(key), places, tags, problems };
}

function explainPlace(target: Target, { edits, selections }: PlannedPass): ExplainedPlace {
  const current = formatVersion(readCurrent(target));
  const written = edits.find(
    ({ file, line, path }) =>
      file === target.file && target.site.scalars.some((scalar) => scalar.path === path && scalar.line === line),
  );
  const reason =
    selections.find((selection) => selection.current === current)?.reason ?? describeSilence(target.policy);
  return { place: formatPlace(target), current, next: written?.update.to, reason };
}

/** As decided for the first place; without one, as for a place that has no version yet. */
async function judgeTags(
  policy: Policy,
  { selections }: PlannedPass,
  { context, lookup, signal }: { context: PassContext; lookup: ImageLookup; signal: AbortSignal },
): Promise<readonly TagVerdict[]> {
  await lookup.listTags([{ repository: policy.repository, pushTimes: needsPushTimes(policy) }]);
  const answer = lookup.tagsOf(policy.repository);
  if ('error' in answer) return [];
  const listing = unpackListing(answer.value);
  const { ledger, clock } = context;
  const now = await askTime(ledger, { clock, signal });
  const nowMs = 'error' in now ? clock.nowMs() : now.value.nowMs;
  const firstSeen = createFirstSeen(ledger, { now, clock, signal });
  const isByLedger = needsLedger(policy, answer.value);
  if (needsPushTimes(policy)) await firstSeen.recordTags(policy.repository, isByLedger ? listing.tags : []);
  const facts = gatherFacts(policy, listing, { firstSeen });
  const [selection = selectTag(policy, listing.tags, undefined, { facts, nowMs })] = selections;
  return sortVerdicts(policy, selection.tags, facts);
}

function describeSilence(policy: Policy): string {
  return policy.suspend ? 'suspended' : 'no decision, see the problems';
}

function concerns({ policy: key, place }: Problem, policy: Policy): boolean {
  return key === policy.key || (key === undefined && place?.file === policy.source.file);
}
