/** Lists, selects, and makes sure that what is selected can be pulled. */
import { createProblem, type Problem, toProblem } from '../error/problem.ts';
import type { Policy } from '../policy/policy.ts';
import { selectTag } from '../select/select-tag.ts';
import type { Selection } from '../select/selection.ts';
import { readCurrent, type Target } from '../target/target.ts';
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
  const problems: Problem[] = [];
  const byPolicy = new Map<Policy, Target[]>();
  for (const target of targets) {
    if (!target.policy.suspend) byPolicy.set(target.policy, [...(byPolicy.get(target.policy) ?? []), target]);
  }
  const forbidden = [...byPolicy.keys()].filter(
    ({ repository }) => allowedRegistries?.includes(repository.host) === false,
  );
  for (const policy of forbidden) byPolicy.delete(policy);
  problems.push(...forbidden.map(describeForbidden));
  await lookup.listTags([...byPolicy.keys()].map((policy) => policy.repository));
  const decided = [...byPolicy].flatMap(([policy, own]) => decide(policy, own, { lookup, problems }));
  const wanted = decided.filter(({ policy, selection }) =>
    needsManifest(policy, selection, byPolicy.get(policy) ?? []),
  );
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
  const currents = new Set(targets.map((target) => readCurrent(target).tag));
  return [...currents].map((current) => ({ policy, selection: selectTag(policy, tags.value, current) }));
}

function needsManifest(policy: Policy, { kind, tag }: Selection, targets: readonly Target[]): boolean {
  if (tag === undefined) return false;
  if (kind === 'update') return true;
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
  const failed = new Map<string, Problem>();
  const selections = decided.flatMap((entry) => {
    const { policy, selection } = entry;
    if (!wanted.has(entry) || selection.tag === undefined) return [selection];
    const manifest = lookup.manifestOf(policy.repository, selection.tag);
    if ('error' in manifest) {
      failed.set(
        `${policy.key} ${selection.tag}`,
        toProblem(manifest.error, { place: policy.source, policy: policy.key }),
      );
      return [];
    }
    const { digest, annotations } = manifest.value;
    const source = readImageSource(annotations);
    if (source !== undefined) {
      sources.set(`${policy.image}:${selection.tag}`, source).set(`${policy.image}:${selection.tag}@${digest}`, source);
    }
    return [{ ...selection, digest }];
  });
  problems.push(...failed.values());
  const stuck = new Set([...failed.keys()].map((name) => name.split(' ')[0]));
  return { selections: selections.filter((selection) => !stuck.has(selection.policy)), sources };
}

function describeForbidden(policy: Policy): Problem {
  const message = `Cannot use image "${policy.image}": registry "${policy.repository.host}" is not allowed here, one of allowedRegistries was wanted`;
  return createProblem('PolicyInvalid', message, { place: policy.source, policy: policy.key });
}
