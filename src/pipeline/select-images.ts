/** Lists, selects, and makes sure that what is selected can be pulled and runs where it shall. */
import { earliest } from '../collection/earliest.ts';
import { groupBy } from '../collection/group-by.ts';
import type { Problem } from '../error/problem.ts';
import { formatCanonical } from '../image/reference.ts';
import type { Policy } from '../policy/policy.ts';
import type { Selection } from '../select/selection.ts';
import type { TagFacts } from '../select/tag-facts.ts';
import { waitForWindow } from '../select/write-window.ts';
import { formatVersion, readCurrent, type Target } from '../target/target.ts';
import type { ImageSource } from './commit-message.ts';
import { confirmDecisions, recordAnswers, recordedTogether } from './confirm-decisions.ts';
import {
  type Decision,
  type Gathering,
  isAging,
  isBlocking,
  restsOnLedger,
  type SelectOptions,
  selectByFacts,
} from './decision.ts';
import { askTime, createFirstSeen, needsLedger } from './first-seen.ts';
import { mapConcurrent } from './map-concurrent.ts';
import { unpackListing } from './pack-listing.ts';
import {
  describeForbidden,
  describeStale,
  describeTimesFault,
  needsPushTimes,
  toPolicyProblem,
} from './policy-problems.ts';
import { describeMoved, nameWatched, type WatchedTag } from './watch-tags.ts';

/** What was decided in one pass. */
export interface SelectedImages {
  readonly selections: readonly Selection[];
  /** By `image:version` as updates name them: where the image says it comes from. */
  readonly sources: ReadonlyMap<string, ImageSource>;
  readonly problems: readonly Problem[];
  /** When the first version that waits may be written, in milliseconds since 1970 by the clock here; undefined where none waits for a time. */
  readonly wakeMs: number | undefined;
}

/**
 * A selection for each policy and each different version that its targets have. A tag is selected only if its manifest is
 * there and has the platforms; where the registry does not answer, the policies concerned have a problem and no selection,
 * or one by the tags that were last known.
 */
export async function selectImages(targets: readonly Target[], given: SelectOptions): Promise<SelectedImages> {
  const { lookup, allowedRegistries, ledger, clock, signal } = given;
  const byPolicy = groupBy(
    targets.filter(({ policy }) => !policy.suspend),
    ({ policy }) => policy,
  );
  const problems: Problem[] = [];
  const allowed = [...byPolicy.keys()].filter((policy) => {
    const fault = describeForbidden(policy, allowedRegistries);
    if (fault !== undefined) problems.push(fault);
    return fault === undefined;
  });
  const now = await askTime(ledger, given);
  const usable = 'error' in now ? leaveOutTimed(allowed, { error: now.error, problems }) : allowed;
  const { nowMs, aheadMs } = 'error' in now ? { nowMs: clock.nowMs(), aheadMs: 0 } : now.value;
  await lookup.listTags(usable.map((policy) => ({ repository: policy.repository, pushTimes: needsPushTimes(policy) })));
  const firstSeen = createFirstSeen(ledger, { now, clock, signal });
  const gathering = { ...given, problems, firstSeen, nowMs, aheadMs };
  await recordListings(usable, { lookup, firstSeen });
  const decisions: Decision[] = [];
  for (const policy of usable) decisions.push(...(await decide(policy, byPolicy.get(policy) ?? [], gathering)));
  const watched = usable.flatMap((policy) => nameWatched(policy, byPolicy.get(policy) ?? [], lookup));
  if (given.watches) await watchTags(watched, gathering);
  const confirmed = await confirmDecisions(decisions, gathering);
  problems.push(...describeMoved(watched, { ...gathering, policies: usable }));
  return { ...confirmed, ...waitForWindows(confirmed.selections, usable, gathering), problems };
}

/** Where the ledger has no clock that is to be trusted, policies that need one decide nothing. */
function leaveOutTimed(
  policies: readonly Policy[],
  { error, problems }: { readonly error: unknown } & Pick<Gathering, 'problems'>,
): readonly Policy[] {
  const timed = new Set(policies.filter((policy) => needsPushTimes(policy) || isBlocking(policy)));
  problems.push(...[...timed].map((policy) => toPolicyProblem(policy, error)));
  return policies.filter((policy) => !timed.has(policy));
}

/**
 * What is decided is written only in the windows of its policy. Those are of the day, ages are by the ledger's clock: neither
 * may go as the clock here does, by which the next pass is made.
 */
function waitForWindows(
  selections: readonly Selection[],
  policies: readonly Policy[],
  { clock, aheadMs }: Pick<Gathering, 'clock' | 'aheadMs'>,
): Pick<SelectedImages, 'selections' | 'wakeMs'> {
  const windowed = new Map(
    policies.filter(({ windows }) => windows !== undefined).map((policy) => [policy.key, policy]),
  );
  const wallMs = clock.wallMs();
  const wallAheadMs = wallMs - clock.nowMs();
  const waited = selections.map((selection) => {
    const policy = windowed.get(selection.policy);
    const next = policy === undefined ? selection : waitForWindow(policy, selection, { nowMs: wallMs });
    // What windows let wait has their time.
    const fastMs = next.kind === selection.kind ? aheadMs : wallAheadMs;
    return { selection: next, wakeMs: next.wakeMs === undefined ? undefined : next.wakeMs - fastMs };
  });
  return { selections: waited.map(({ selection }) => selection), wakeMs: earliest(waited.map(({ wakeMs }) => wakeMs)) };
}

/** Tags begin to age when they are first listed, whether or not one of them is chosen. */
async function recordListings(
  policies: readonly Policy[],
  { lookup, firstSeen }: Pick<Gathering, 'lookup' | 'firstSeen'>,
): Promise<void> {
  const repositories = new Map(policies.map((policy) => [formatCanonical(policy.repository), policy]));
  const timed = new Set(policies.filter(needsPushTimes).map((policy) => formatCanonical(policy.repository)));
  const blocking = new Set(policies.filter(isBlocking).map((policy) => formatCanonical(policy.repository)));
  const record = async ([name, { repository }]: [string, Policy]): Promise<void> => {
    const answer = timed.has(name) || blocking.has(name) ? lookup.tagsOf(repository) : undefined;
    if (answer === undefined || 'error' in answer || answer.stale !== undefined) return;
    const isNeeded = timed.has(name) && answer.value.times === undefined;
    await firstSeen.recordTags(repository, isNeeded ? unpackListing(answer.value).tags : []);
  };
  await mapConcurrent([...repositories], recordedTogether, record);
}

async function watchTags(watched: readonly WatchedTag[], gathering: Gathering): Promise<void> {
  const questions = watched.map(({ policy, tag }) => ({ repository: policy.repository, tag, platforms: false }));
  await gathering.lookup.fetchManifests(questions);
  await recordAnswers(questions, gathering);
}

async function decide(policy: Policy, targets: readonly Target[], options: Gathering): Promise<Decision[]> {
  const { lookup, problems, firstSeen } = options;
  const answer = lookup.tagsOf(policy.repository);
  if ('error' in answer) {
    problems.push(toPolicyProblem(policy, answer.error));
    return [];
  }
  const byLedger = needsLedger(policy, answer.value);
  if (answer.stale !== undefined) {
    // A look that failed does not say that the registry tells no times, and tags may have been moved since the last one.
    const isRefused = byLedger || isAging(policy);
    problems.push(isRefused ? toPolicyProblem(policy, answer.stale.error) : describeStale(policy, answer.stale));
    if (isRefused) return [];
  }
  const fault = restsOnLedger({ policy, byLedger }) ? firstSeen.faultOf(policy.repository) : undefined;
  if (fault !== undefined) {
    problems.push(toPolicyProblem(policy, fault.error));
    return [];
  }
  const { pushTimesFault } = answer.value;
  if (needsPushTimes(policy) && pushTimesFault !== undefined && answer.stale === undefined)
    problems.push(describeTimesFault(policy, pushTimesFault));
  const versions = targets.map(readCurrent);
  const unpinned = new Set(
    versions.flatMap(({ tag, digest }) => (policy.pin === 'digest' && digest === undefined ? (tag ?? []) : [])),
  );
  const asked = new Map<string, TagFacts>();
  const decisions: Decision[] = [];
  for (const current of new Set(versions.map(formatVersion))) {
    const open = { policy, current, unpinned, asked, byLedger };
    decisions.push({ ...open, selection: await selectByFacts(open, answer.value, options) });
  }
  return decisions;
}
