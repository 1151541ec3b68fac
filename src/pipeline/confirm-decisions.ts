/** Asks manifests: what is selected can be pulled, runs where it shall, and is as old as it must be. */
import { groupBy } from '../collection/group-by.ts';
import type { Problem } from '../error/problem.ts';
import { formatCanonical } from '../image/reference.ts';
import type { Policy } from '../policy/policy.ts';
import type { Selection } from '../select/selection.ts';
import type { Answer } from './answer.ts';
import { type ImageSource, readImageSource } from './commit-message.ts';
import { type Decision, type Gathering, isAging, restsOnLedger, selectByFacts, startAge } from './decision.ts';
import { mapConcurrent } from './map-concurrent.ts';
import { pushTimeOf } from './pack-listing.ts';
import { describeEndless, maxTagsAsked, toPolicyProblem } from './policy-problems.ts';
import type { ManifestQuestion } from './poll-images.ts';
import type { ManifestInfo } from './ports.ts';
import { isWatchable } from './watch-tags.ts';

/** Decisions that stand. */
export interface ConfirmedDecisions {
  readonly selections: readonly Selection[];
  /** By `image:version` as updates name them: where the image says it comes from. */
  readonly sources: ReadonlyMap<string, ImageSource>;
}

/** The tag whose manifest decides how it goes on; undefined where the decision stands. */
function tagToAsk(decision: Decision, sources: TimeSources): string | undefined {
  const { policy, unpinned, asked, selection } = decision;
  const { kind, tag, waits } = selection;
  if (waits !== undefined && !asked.has(waits) && isToLookBehind(decision, waits, sources)) return waits;
  if (tag === undefined || asked.has(tag)) return undefined;
  return kind === 'update' || policy.select.kind === 'digest' || unpinned.has(tag) ? tag : undefined;
}

type TimeSources = Pick<Gathering, 'lookup' | 'firstSeen' | 'aheadMs'>;

/** The clock of what waits for its age begins with the first look behind the tag; where the registry tells times, that look shows later whether it was moved. */
function isToLookBehind(
  decision: Decision,
  waits: string,
  { lookup, firstSeen }: Pick<TimeSources, 'lookup' | 'firstSeen'>,
): boolean {
  const { policy, byLedger } = decision;
  if (!byLedger && !isAging(policy)) return false;
  const digestSeenMs = firstSeen.entryOf(policy.repository, waits)?.digestSeenMs;
  if (digestSeenMs === undefined) return true;
  const pushedMs = tellPushTime(decision, waits, lookup)?.pushedMs;
  return pushedMs !== undefined && digestSeenMs < pushedMs;
}

/** What the registry says of the tag's time; undefined where the ledger tells times. */
function tellPushTime(
  { policy, byLedger }: Decision,
  tag: string,
  lookup: Gathering['lookup'],
): { readonly pushedMs: number | undefined } | undefined {
  if (byLedger) return undefined;
  const answer = lookup.tagsOf(policy.repository);
  return { pushedMs: 'error' in answer ? undefined : pushTimeOf(answer.value, tag) };
}

/** Asks for manifests until each decision stands; a policy whose manifest is not to be had keeps what it has. */
export async function confirmDecisions(
  decisions: readonly Decision[],
  { problems, ...options }: Gathering,
): Promise<ConfirmedDecisions> {
  const sources = new Map<string, ImageSource>();
  const failed = new Map<Policy, Problem>();
  const { lookup } = options;
  let all = decisions;
  for (;;) {
    const asking = findQuestions(all, { ...options, failed });
    if (asking.size === 0) break;
    await lookup.fetchManifests([...asking.values()]);
    const isRecorded = ([{ policy, byLedger }]: [Decision, ManifestQuestion]) =>
      byLedger || isAging(policy) || isWatchable(policy);
    const recorded = [...asking].filter(isRecorded).map(([, question]) => question);
    await recordAnswers(recorded, options);
    const learned: Decision[] = [];
    for (const decision of all) {
      const question = asking.get(decision);
      const answer = question && answerOf(decision, question, options);
      if (question === undefined || answer === undefined) learned.push(decision);
      else if ('error' in answer) failed.set(decision.policy, toPolicyProblem(decision.policy, answer.error));
      else learned.push(await learn(decision, question.tag, { ...options, manifest: answer.value, sources }));
    }
    all = learned;
  }
  problems.push(...failed.values());
  const standing = all.filter(({ policy }) => !failed.has(policy));
  return { selections: standing.map(({ selection }) => selection), sources };
}

/** What is to be asked for decisions that are open; a policy that has asked for too much gets a problem. */
function findQuestions(
  decisions: readonly Decision[],
  { failed, ...times }: TimeSources & { failed: Map<Policy, Problem> },
): ReadonlyMap<Decision, ManifestQuestion> {
  const open = decisions.flatMap((decision) => {
    const tag = failed.has(decision.policy) ? undefined : tagToAsk(decision, times);
    return tag === undefined ? [] : [[decision, toQuestion(decision, tag, times)] as const];
  });
  for (const [{ policy, asked }] of open) if (asked.size >= maxTagsAsked) failed.set(policy, describeEndless(policy));
  return new Map(open.filter(([{ policy }]) => !failed.has(policy)));
}

/** The manifest; a failure also where the ledger could not take it in and the policy needs that. */
function answerOf(
  decision: Decision,
  question: ManifestQuestion,
  { lookup, firstSeen }: Pick<TimeSources, 'lookup' | 'firstSeen'>,
): Answer<ManifestInfo> {
  const fault = restsOnLedger(decision) ? firstSeen.faultOf(decision.policy.repository) : undefined;
  return fault ?? lookup.manifestOf(question);
}

/** A tag whose time has come is looked at anew: what was seen behind it before may be there no more. */
function toQuestion(decision: Decision, tag: string, { lookup, firstSeen, aheadMs }: TimeSources): ManifestQuestion {
  const { policy, selection } = decision;
  const { repository, platforms, minimumAgeMs } = policy;
  const isDue = isAging(policy) && tag !== selection.waits;
  const entry = firstSeen.entryOf(repository, tag);
  const agedFromMs = isDue ? startAge(entry, tellPushTime(decision, tag, lookup)) : undefined;
  const notBeforeMs = agedFromMs === undefined ? undefined : agedFromMs + minimumAgeMs - aheadMs;
  return { repository, tag, platforms: platforms.length > 0, ...(notBeforeMs !== undefined && { notBeforeMs }) };
}

interface Learning extends Omit<Gathering, 'problems'> {
  readonly manifest: ManifestInfo;
  readonly sources: Map<string, ImageSource>;
}

/** The decision with what a tag's manifest says: it stands, or another tag is chosen. */
async function learn(
  decision: Decision,
  tag: string,
  { lookup, sources, manifest: { digest, annotations, platforms }, ...options }: Learning,
): Promise<Decision> {
  const { policy, selection } = decision;
  const source = readImageSource(annotations);
  if (source !== undefined)
    sources.set(`${policy.image}:${tag}`, source).set(`${policy.image}:${tag}@${digest}`, source);
  const asked = new Map(decision.asked).set(tag, { digest, ...(platforms && { platforms }) });
  const held = options.holds?.has(policy.key) === true;
  const decides = policy.select.kind === 'digest' || policy.platforms.length > 0 || held || restsOnLedger(decision);
  const answer = decides ? lookup.tagsOf(policy.repository) : undefined;
  if (answer === undefined || 'error' in answer) return { ...decision, asked, selection: { ...selection, digest } };
  return { ...decision, asked, selection: await selectByFacts({ ...decision, asked }, answer.value, options) };
}

/** Together they share writes; not all at once, for what is known of them is unpacked meanwhile. */
export const recordedTogether = 32;

/** Has the ledger take in what is behind the tags, as far as the registry answered. */
export async function recordAnswers(
  questions: readonly ManifestQuestion[],
  { lookup, firstSeen, aheadMs }: TimeSources,
): Promise<void> {
  const byRepository = groupBy(questions, ({ repository }) => formatCanonical(repository));
  await mapConcurrent([...byRepository.values()], recordedTogether, async (same) => {
    const sightings = same.flatMap((question) => {
      const answer = lookup.manifestOf(question);
      if ('error' in answer) return [];
      const lookedMs = answer.sinceMs === undefined ? undefined : answer.sinceMs + aheadMs;
      return [{ tag: question.tag, digest: answer.value.digest, lookedMs }];
    });
    const [first] = same;
    if (first !== undefined && sightings.length > 0) await firstSeen.recordDigests(first.repository, sightings);
  });
}
