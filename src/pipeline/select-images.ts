/** Lists, selects, and makes sure that what is selected can be pulled and runs where it shall. */
import { setImmediate } from 'node:timers/promises';
import { groupBy } from '../collection/group-by.ts';
import type { Problem } from '../error/problem.ts';
import { type Hold, holdBack } from '../hold/hold.ts';
import type { Policy } from '../policy/policy.ts';
import { selectTag } from '../select/select-tag.ts';
import type { Selection } from '../select/selection.ts';
import type { TagFacts } from '../select/tag-facts.ts';
import { formatVersion, readCurrent, type Target } from '../target/target.ts';
import { type ImageSource, readImageSource } from './commit-message.ts';
import type { ImageLookup } from './look-up-images.ts';
import { type PackedListing, unpackListing } from './pack-listing.ts';
import {
  describeEndless,
  describeForbidden,
  describeStale,
  describeTimeless,
  describeTimesFault,
  maxTagsAsked,
  needsPushTimes,
  toPolicyProblem,
} from './policy-problems.ts';
import type { ManifestQuestion } from './poll-images.ts';
import type { ManifestInfo, TagListing } from './ports.ts';
import { recallSelection, rememberSelection, type SelectionQuestion } from './remember-selection.ts';

/** What was decided in one pass. */
export interface SelectedImages {
  readonly selections: readonly Selection[];
  /** By `image:version` as updates name them: where the image says it comes from. */
  readonly sources: ReadonlyMap<string, ImageSource>;
  readonly problems: readonly Problem[];
}

export interface SelectOptions {
  readonly lookup: ImageLookup;
  /** Hosts that policies may name; undefined allows all. */
  readonly allowedRegistries: readonly string[] | undefined;
  /** The moment that ages are counted to, in milliseconds since 1970. */
  readonly nowMs: number;
  /** Also why each tag was not chosen; else `tags` of the selections are empty, for thousands of policies keep them. */
  readonly verdicts: boolean;
  /** By the keys of the policies that a person holds, as far as they were asked for. */
  readonly holds?: ReadonlyMap<string, Hold> | undefined;
}

/** One decision on its way. */
interface Decision {
  readonly policy: Policy;
  readonly current: string | undefined;
  /** Tags that its targets have without a digest, where the policy pins digests. */
  readonly unpinned: ReadonlySet<string>;
  /** What manifests said, by tag. */
  readonly asked: ReadonlyMap<string, TagFacts>;
  readonly selection: Selection;
}

/**
 * A selection for each policy and each different version that its targets have. A tag is selected only if its manifest is
 * there and has the platforms; where the registry does not answer, the policies concerned have a problem and no selection,
 * or one by the tags that were last known.
 */
export async function selectImages(targets: readonly Target[], options: SelectOptions): Promise<SelectedImages> {
  const { lookup, allowedRegistries } = options;
  const byPolicy = groupBy(
    targets.filter(({ policy }) => !policy.suspend),
    ({ policy }) => policy,
  );
  const problems: Problem[] = [];
  const usable = [...byPolicy.keys()].filter((policy) => {
    const fault = describeForbidden(policy, allowedRegistries);
    if (fault !== undefined) problems.push(fault);
    return fault === undefined;
  });
  await lookup.listTags(usable.map((policy) => ({ repository: policy.repository, pushTimes: needsPushTimes(policy) })));
  const decisions: Decision[] = [];
  for (const policy of usable)
    decisions.push(...(await decide(policy, byPolicy.get(policy) ?? [], { ...options, problems })));
  return { ...(await confirm(decisions, { ...options, problems })), problems };
}

type Gathering = SelectOptions & { readonly problems: Problem[] };

async function decide(policy: Policy, targets: readonly Target[], options: Gathering): Promise<Decision[]> {
  const { lookup, problems } = options;
  const answer = lookup.tagsOf(policy.repository);
  if ('error' in answer) {
    problems.push(toPolicyProblem(policy, answer.error));
    return [];
  }
  if (answer.stale !== undefined) problems.push(describeStale(policy, answer.stale));
  if (needsPushTimes(policy) && answer.value.times === undefined) {
    if (answer.stale === undefined) problems.push(describeTimeless(policy));
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
    const selection = await select({ policy, current, asked }, answer.value, options);
    decisions.push({ policy, current, unpinned, asked, selection });
  }
  return decisions;
}

/** As it was selected before from the same, or anew. */
async function select(
  { policy, current, asked }: Pick<Decision, 'policy' | 'current' | 'asked'>,
  listing: PackedListing,
  { nowMs, verdicts, holds }: Pick<SelectOptions, 'nowMs' | 'verdicts' | 'holds'>,
): Promise<Selection> {
  const hold = holds?.get(policy.key);
  const question = { policy, listing, current, asked, nowMs };
  const isUsual = hold === undefined && !verdicts;
  const known = isUsual ? recallSelection(question) : undefined;
  if (known !== undefined) return known;
  const selection = selectAnew(question, hold);
  // A decision over 100,000 tags takes a while: let signals and answers in between.
  await setImmediate();
  if (verdicts) return selection;
  const kept = { ...selection, tags: [] };
  if (isUsual) rememberSelection(question, kept);
  return kept;
}

function selectAnew({ policy, listing, current, asked, nowMs }: SelectionQuestion, hold: Hold | undefined): Selection {
  const held = hold && new Set(hold.versions.map(({ version }) => version));
  const unpacked = unpackListing(listing);
  const facts = gatherFacts(policy, unpacked, asked);
  const free = selectTag(policy, unpacked.tags, current, { nowMs, facts, ...(held && { held }) });
  return hold === undefined ? free : holdBack(policy, free, { hold, facts });
}

/** A tag whose manifest was not asked for is taken to have the platforms: if it is chosen then, it is asked. */
export function gatherFacts(
  policy: Policy,
  { tags, pushedMs }: TagListing,
  asked: ReadonlyMap<string, TagFacts> = new Map(),
): ReadonlyMap<string, TagFacts> {
  const { platforms } = policy;
  if (platforms.length === 0 && !needsPushTimes(policy)) return asked;
  return new Map(tags.map((tag) => [tag, { seenMs: pushedMs?.get(tag), platforms, ...asked.get(tag) }]));
}

function needsManifest({ policy, unpinned, asked, selection: { kind, tag } }: Decision): boolean {
  if (tag === undefined || asked.has(tag)) return false;
  return kind === 'update' || policy.select.kind === 'digest' || unpinned.has(tag);
}

/** Asks for manifests until each decision stands; a policy whose manifest is not to be had keeps what it has. */
async function confirm(
  decisions: readonly Decision[],
  { problems, ...options }: Gathering,
): Promise<Pick<SelectedImages, 'selections' | 'sources'>> {
  const sources = new Map<string, ImageSource>();
  const failed = new Map<Policy, Problem>();
  let all = decisions;
  for (;;) {
    const open = all.filter((decision) => !failed.has(decision.policy) && needsManifest(decision));
    for (const { policy, asked } of open) if (asked.size >= maxTagsAsked) failed.set(policy, describeEndless(policy));
    const asking = new Set(open.filter(({ policy }) => !failed.has(policy)));
    if (asking.size === 0) break;
    await options.lookup.fetchManifests([...asking].map(nameManifest));
    const learned: Decision[] = [];
    for (const decision of all) {
      const manifest = asking.has(decision) ? options.lookup.manifestOf(nameManifest(decision)) : undefined;
      if (manifest === undefined) learned.push(decision);
      else if ('value' in manifest) learned.push(await learn(decision, manifest.value, { ...options, sources }));
      else failed.set(decision.policy, toPolicyProblem(decision.policy, manifest.error));
    }
    all = learned;
  }
  problems.push(...failed.values());
  return { selections: all.filter(({ policy }) => !failed.has(policy)).map(({ selection }) => selection), sources };
}

function nameManifest({ policy, selection }: Decision): ManifestQuestion {
  return { repository: policy.repository, tag: selection.tag ?? '', platforms: policy.platforms.length > 0 };
}

/** The decision with what its tag's manifest says: it stands, or another tag is chosen. */
async function learn(
  decision: Decision,
  { digest, annotations, platforms }: ManifestInfo,
  { lookup, sources, ...options }: SelectOptions & { readonly sources: Map<string, ImageSource> },
): Promise<Decision> {
  const { policy, selection } = decision;
  const tag = selection.tag ?? '';
  const source = readImageSource(annotations);
  if (source !== undefined)
    sources.set(`${policy.image}:${tag}`, source).set(`${policy.image}:${tag}@${digest}`, source);
  const asked = new Map(decision.asked).set(tag, { digest, ...(platforms && { platforms }) });
  const held = options.holds?.has(policy.key) === true;
  const decides = policy.select.kind === 'digest' || policy.platforms.length > 0 || held;
  const answer = decides ? lookup.tagsOf(policy.repository) : undefined;
  if (answer === undefined || 'error' in answer) return { ...decision, asked, selection: { ...selection, digest } };
  return { ...decision, asked, selection: await select({ ...decision, asked }, answer.value, options) };
}
