/** Lists, selects, and makes sure that what is selected can be pulled. */
import { setImmediate } from 'node:timers/promises';
import { groupBy } from '../collection/group-by.ts';
import { createProblem, type Problem, toProblem } from '../error/problem.ts';
import type { Policy } from '../policy/policy.ts';
import { selectTag } from '../select/select-tag.ts';
import type { Selection } from '../select/selection.ts';
import { formatVersion, readCurrent, type Target } from '../target/target.ts';
import { type ImageSource, readImageSource } from './commit-message.ts';
import type { ImageLookup } from './look-up-images.ts';

/** What was decided in one pass. */
export interface SelectedImages {
  readonly selections: readonly Selection[];
  /** By `image:version` as updates name them: where the image says it comes from. */
  readonly sources: ReadonlyMap<string, ImageSource>;
  readonly problems: readonly Problem[];
}

interface Decided {
  readonly policy: Policy;
  readonly selection: Selection;
}

/**
 * A selection for each policy and each different version that its targets have. A tag is selected only if its manifest is
 * there; where the registry does not answer, the policies concerned have a problem and no selection.
 */
export async function selectImages(
  targets: readonly Target[],
  lookup: ImageLookup,
  allowedRegistries: readonly string[] | undefined,
): Promise<SelectedImages> {
  const byPolicy = groupBy(
    targets.filter(({ policy }) => !policy.suspend),
    ({ policy }) => policy,
  );
  const problems: Problem[] = [];
  const usable = [...byPolicy.keys()].filter((policy) => {
    const fault = describeUnusable(policy, allowedRegistries);
    if (fault !== undefined) problems.push(fault);
    return fault === undefined;
  });
  await lookup.listTags(usable.map((policy) => policy.repository));
  const decided: Decided[] = [];
  for (const policy of usable) {
    decided.push(...decide(policy, byPolicy.get(policy) ?? [], { lookup, problems }));
    // A decision over 100,000 tags takes a while: let signals and answers in between.
    await setImmediate();
  }
  const wanted = decided.filter((entry) => needsManifest(entry, byPolicy.get(entry.policy) ?? []));
  await lookup.fetchManifests(
    wanted.map(({ policy, selection }) => ({ repository: policy.repository, tag: selection.tag ?? '' })),
  );
  return { ...confirm(decided, new Set(wanted), { lookup, problems }), problems };
}

interface Gathering {
  readonly lookup: ImageLookup;
  readonly problems: Problem[];
}

function decide(policy: Policy, targets: readonly Target[], { lookup, problems }: Gathering): Decided[] {
  const tags = lookup.tagsOf(policy.repository);
  if ('error' in tags) {
    problems.push(toProblem(tags.error, { place: policy.source, policy: policy.key }));
    return [];
  }
  const currents = new Set(targets.map((target) => formatVersion(readCurrent(target))));
  return [...currents].map((current) => ({ policy, selection: selectTag(policy, tags.value.tags, current) }));
}

function needsManifest({ policy, selection }: Decided, targets: readonly Target[]): boolean {
  const { kind, tag } = selection;
  if (tag === undefined) return false;
  if (kind === 'update' || policy.select.kind === 'digest') return true;
  return (
    policy.pin === 'digest' &&
    targets.map(readCurrent).some((current) => current.tag === tag && current.digest === undefined)
  );
}

/** Puts the digests in; a policy whose manifest is not to be had keeps what it has. */
function confirm(
  decided: readonly Decided[],
  wanted: ReadonlySet<Decided>,
  { lookup, problems }: Gathering,
): Pick<SelectedImages, 'selections' | 'sources'> {
  const sources = new Map<string, ImageSource>();
  const failed = new Map<Policy, Problem>();
  const selections = decided.flatMap((entry) => {
    const { policy, selection } = entry;
    if (!wanted.has(entry) || selection.tag === undefined) return [entry];
    const manifest = lookup.manifestOf(policy.repository, selection.tag);
    if ('error' in manifest) {
      failed.set(policy, toProblem(manifest.error, { place: policy.source, policy: policy.key }));
      return [];
    }
    const { digest, annotations } = manifest.value;
    const source = readImageSource(annotations);
    if (source !== undefined) {
      sources.set(`${policy.image}:${selection.tag}`, source).set(`${policy.image}:${selection.tag}@${digest}`, source);
    }
    return [{ policy, selection: withDigest(policy, selection, digest) }];
  });
  problems.push(...failed.values());
  return {
    selections: selections.filter(({ policy }) => !failed.has(policy)).map(({ selection }) => selection),
    sources,
  };
}

/** Only a policy that follows a digest decides by it. */
function withDigest(policy: Policy, selection: Selection, digest: string): Selection {
  const { tag, current } = selection;
  if (policy.select.kind !== 'digest' || tag === undefined) return { ...selection, digest };
  return selectTag(
    policy,
    selection.tags.map((verdict) => verdict.tag),
    current,
    { facts: new Map([[tag, { digest }]]) },
  );
}

/** What this program cannot do for the policy, however the registry answers; undefined where there is nothing. */
export function describeUnusable(
  policy: Policy,
  allowedRegistries: readonly string[] | undefined,
): Problem | undefined {
  if (allowedRegistries?.includes(policy.repository.host) === false) return describeForbidden(policy);
  const wants = [
    policy.minimumAgeMs > 0 ? 'minimumAge' : undefined,
    policy.select.kind === 'newest' ? 'newest' : undefined,
    policy.platforms.length > 0 ? 'platforms' : undefined,
  ].filter((field) => field !== undefined);
  if (wants.length === 0) return undefined;
  const message = `Cannot judge policy "${policy.key}": it asks for ${wants.join(' and ')}, which the daemon does not know of images yet`;
  return createProblem('PolicyUnsupported', message, { place: policy.source, policy: policy.key });
}

function describeForbidden(policy: Policy): Problem {
  const message = `Cannot use image "${policy.image}": registry "${policy.repository.host}" is not allowed here, one of allowedRegistries was wanted`;
  return createProblem('PolicyInvalid', message, { place: policy.source, policy: policy.key });
}
