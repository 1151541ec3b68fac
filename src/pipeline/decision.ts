/** One policy's decision about one version in Git, by what is known until now. */
import { setImmediate } from 'node:timers/promises';
import type { Problem } from '../error/problem.ts';
import { type Hold, holdBack } from '../hold/hold.ts';
import type { Policy } from '../policy/policy.ts';
import { selectTag } from '../select/select-tag.ts';
import type { Selection } from '../select/selection.ts';
import type { TagFacts } from '../select/tag-facts.ts';
import type { LedgerEntry } from '../sighting/sighting.ts';
import { type FirstSeen, needsLedger } from './first-seen.ts';
import type { Ledger } from './job-ports.ts';
import type { ImageLookup } from './look-up-images.ts';
import { type PackedListing, unpackListing } from './pack-listing.ts';
import { needsPushTimes } from './policy-problems.ts';
import type { Clock, TagListing } from './ports.ts';
import { recallSelection, rememberSelection, type SelectionQuestion } from './remember-selection.ts';

export interface SelectOptions {
  readonly lookup: ImageLookup;
  readonly ledger: Ledger;
  readonly signal: AbortSignal;
  /** Also looks whether the tags in Git were moved; worth it only where looks follow each other. */
  readonly watches: boolean;
  /** Hosts that policies may name; undefined allows all. */
  readonly allowedRegistries: readonly string[] | undefined;
  readonly clock: Pick<Clock, 'nowMs' | 'wallMs'>;
  /** Also why each tag was not chosen; else `tags` of the selections are empty, for thousands of policies keep them. */
  readonly verdicts: boolean;
  /** By the keys of the policies that a person holds, as far as they were asked for. */
  readonly holds?: ReadonlyMap<string, Hold> | undefined;
}

/** One decision on its way. */
export interface Decision {
  readonly policy: Policy;
  readonly current: string | undefined;
  /** Tags that its targets have without a digest, where the policy pins digests. */
  readonly unpinned: ReadonlySet<string>;
  /** What manifests said, by tag. */
  readonly asked: ReadonlyMap<string, TagFacts>;
  /** Times are those of the ledger. */
  readonly byLedger: boolean;
  readonly selection: Selection;
}

/** What decisions are made of, and where their problems go. */
export interface Gathering extends SelectOptions {
  readonly problems: Problem[];
  readonly firstSeen: FirstSeen;
  /** The moment that ages are counted to, in milliseconds since 1970, by the ledger's clock. */
  readonly nowMs: number;
  /** So far is that clock ahead of the one here, by which answers of registries are dated. */
  readonly aheadMs: number;
}

/** The selection by what was asked until now: as it was made before from the same, or anew. */
export async function selectByFacts(
  { policy, current, asked, byLedger }: Omit<Decision, 'unpinned' | 'selection'>,
  listing: PackedListing,
  options: Pick<Gathering, 'nowMs' | 'verdicts' | 'holds' | 'firstSeen'>,
): Promise<Selection> {
  const { nowMs, verdicts, holds, firstSeen } = options;
  const hold = holds?.get(policy.key);
  const question = { policy, listing, current, asked, nowMs };
  // What the ledger knows is no part of the question: other processes write there.
  const hasMoves = isAging(policy) && firstSeen.knowsMoves(policy.repository);
  const isUsual = hold === undefined && !verdicts && !byLedger && !isBlocking(policy) && !hasMoves;
  const known = isUsual ? recallSelection(question) : undefined;
  if (known !== undefined) return known;
  const selection = selectAnew(question, { hold, firstSeen, byLedger });
  // A decision over 100,000 tags takes a while: let signals and answers in between.
  await setImmediate();
  if (verdicts) return selection;
  const kept = { ...selection, tags: [] };
  if (isUsual) rememberSelection(question, kept);
  return kept;
}

function selectAnew(
  { policy, listing, current, asked, nowMs }: SelectionQuestion,
  { hold, firstSeen, byLedger }: { hold: Hold | undefined; firstSeen: FirstSeen; byLedger: boolean },
): Selection {
  const held = hold && new Set(hold.versions.map(({ version }) => version));
  const unpacked = unpackListing(listing);
  const facts = gatherFacts(policy, unpacked, { asked, firstSeen });
  const free = selectTag(policy, unpacked.tags, current, {
    nowMs,
    facts,
    seenTogether: byLedger,
    ...(held && { held }),
  });
  return hold === undefined ? free : holdBack(policy, free, { hold, facts });
}

/** A tag whose manifest was not asked for is taken to have the platforms: if it is chosen then, it is asked. */
export function gatherFacts(
  policy: Policy,
  listing: TagListing,
  { asked = new Map(), firstSeen }: { asked?: ReadonlyMap<string, TagFacts>; firstSeen: FirstSeen },
): ReadonlyMap<string, TagFacts> {
  const { platforms } = policy;
  const { tags, pushedMs } = listing;
  if (platforms.length === 0 && !needsPushTimes(policy) && !isBlocking(policy)) return asked;
  const entries = firstSeen.entriesOf(policy.repository);
  // What vanished from the list may stand in Git: its time is compared with.
  const names = needsLedger(policy, { times: pushedMs }) ? new Set([...tags, ...(entries?.keys() ?? [])]) : tags;
  return new Map(
    [...names].map((tag) => {
      const entry = entries?.get(tag);
      const seenMs = pushedMs === undefined ? entry?.seenMs : pushedMs.get(tag);
      const found = asked.get(tag);
      const isOther = found?.digest !== undefined && entry?.digest !== undefined && found.digest !== entry.digest;
      const agedFromMs = isOther ? undefined : startAge(entry, pushedMs && { pushedMs: seenMs });
      return [tag, { seenMs, agedFromMs, movedFrom: entry?.movedFrom, platforms, ...found }];
    }),
  );
}

/** Whether a tag that was moved is not chosen any more. */
export function isBlocking({ mutation }: Policy): boolean {
  return mutation === 'block';
}

/** Whether the policy's tags have to be of an age: then it counts what is behind them, whoever tells times. */
export function isAging({ minimumAgeMs }: Policy): boolean {
  return minimumAgeMs > 0;
}

/** Whether the decision cannot be made without the ledger. */
export function restsOnLedger({ policy, byLedger }: Pick<Decision, 'policy' | 'byLedger'>): boolean {
  return byLedger || isAging(policy) || isBlocking(policy);
}

/**
 * From when on a tag's age counts; undefined where that is not known. Where the registry tells times, its own counts, but a
 * tag that was seen to move is no older than its image: the time may have been told before.
 */
export function startAge(
  entry: LedgerEntry | undefined,
  told: { readonly pushedMs: number | undefined } | undefined,
): number | undefined {
  if (told === undefined) return entry?.digestSeenMs;
  const { pushedMs } = told;
  if (pushedMs === undefined || entry?.movedFrom === undefined) return pushedMs;
  return Math.max(pushedMs, entry.digestSeenMs ?? pushedMs);
}
