/** Joins what files hold with what policies want: which policy may write where. */
import { groupBy } from '../collection/group-by.ts';
import { createProblem, type Problem } from '../error/problem.ts';
import { createGlob } from '../policy/glob.ts';
import type { Policy } from '../policy/policy.ts';
import type { FileSites } from './find-sites.ts';
import type { Site } from './site.ts';
import type { Target } from './target.ts';

/** The targets of all policies, and what kept a marker or a policy from having one. */
export interface TargetFindings {
  readonly targets: readonly Target[];
  /** MarkerUnknown, TargetMissing and TargetConflict. */
  readonly problems: readonly Problem[];
}

interface Located {
  readonly file: string;
  readonly site: Site;
}

/**
 * Places that the policy names itself always count. Of the others markers come first: a policy that any marker names has no
 * structural targets, and a place that is marked or named for one policy is no structural target of another. Markers count
 * within `write.paths` where a person wrote them, else anywhere; structure always within the paths. A scalar is in one target
 * of a policy only, that of the first site that has it; one that two policies claim belongs to neither. `broken` holds the keys of policies that exist but cannot be used.
 */
export function matchTargets(
  sites: ReadonlyMap<string, FileSites>,
  policies: readonly Policy[],
  broken: ReadonlySet<string> = new Set(),
): TargetFindings {
  const problems: Problem[] = [];
  const byKey = new Map(policies.map((policy) => [policy.key, policy]));
  const located = [...sites].flatMap(([file, found]) => found.sites.map((site) => ({ file, site })));
  const claimed = located.filter(({ site }) => site.claim.by === 'policy');
  const within = createPathCheck();
  const targets: Target[] = [];
  for (const { file, site } of claimed) {
    const key = site.claim.by === 'policy' ? site.claim.policy : '';
    const policy = byKey.get(key);
    const inside = policy === undefined || site.kind === 'explicit' || within(policy, file);
    const fault = policy === undefined ? describeUnknown(key, broken) : describeOutside(policy, inside);
    if (fault !== undefined) problems.push(markerProblem({ file, site }, fault));
    else if (policy !== undefined) targets.push({ policy, file, site });
  }
  const withMarkers = new Set(targets.filter(({ site }) => site.kind === 'marker').map((target) => target.policy));
  const structural = matchStructure(located, policies, { within, claimed, withMarkers });
  const all = dropOverlaps([...targets.sort(byRank), ...structural]);
  const { settled, conflicts } = settleConflicts(all);
  problems.push(...conflicts);
  const found = new Set(all.map((target) => target.policy));
  problems.push(...policies.filter((policy) => !found.has(policy) && !policy.suspend).map(describeMissing));
  return { targets: settled, problems };
}

/** What the policy itself names before what markers name. */
function byRank(a: Target, b: Target): number {
  return Number(b.site.kind === 'explicit') - Number(a.site.kind === 'explicit');
}

/** The targets without those that share a scalar with an earlier one of the same policy. */
function dropOverlaps(targets: readonly Target[]): readonly Target[] {
  const taken = new Set<string>();
  return targets.filter(({ policy, file, site }) => {
    const places = placesOf({ file, site }).map((place) => `${policy.key} ${place}`);
    if (places.some((place) => taken.has(place))) return false;
    for (const place of places) taken.add(place);
    return true;
  });
}

/** Without the targets of which a scalar is claimed by another policy too, however alike what they want may be at the moment. */
function settleConflicts(targets: readonly Target[]): { settled: readonly Target[]; conflicts: readonly Problem[] } {
  const claiming = targets.filter(({ policy }) => !policy.suspend);
  const places = claiming.flatMap((target) => placesOf(target).map((place) => ({ place, target })));
  const disputed = new Map(
    [...groupBy(places, ({ place }) => place).values()]
      .filter((claims) => claims.length > 1)
      .map((claims) => claims.map(({ target }) => target))
      .flatMap((claims) => claims.map((claim) => [claim, claims] as const)),
  );
  return {
    settled: targets.filter((target) => !disputed.has(target)),
    conflicts: [...disputed].map(([target, claims]) => describeConflict(target, claims)),
  };
}

function describeConflict(target: Target, claims: readonly Target[]): Problem {
  const others = claims.filter((claim) => claim !== target).map((claim) => `"${claim.policy.key}"`);
  const [first] = target.site.scalars;
  const place = { file: target.file, ...(first && { line: first.line, column: first.column }) };
  const message = `Cannot write for policy "${target.policy.key}": ${others.join(' and ')} claims the same place, one policy for each place was wanted`;
  return createProblem('TargetConflict', message, { place, policy: target.policy.key });
}

type PathCheck = (policy: Policy, file: string) => boolean;

function createPathCheck(): PathCheck {
  const globs = new Map<string, (path: string) => boolean>();
  return (policy, file) =>
    policy.paths.globs.some((glob) => {
      const known = globs.get(glob) ?? createGlob(glob);
      globs.set(glob, known);
      return known(file);
    });
}

function matchStructure(
  located: readonly Located[],
  policies: readonly Policy[],
  rules: { within: PathCheck; claimed: readonly Located[]; withMarkers: ReadonlySet<Policy> },
): Target[] {
  const claimedPlaces = new Set(rules.claimed.flatMap(placesOf));
  const byRepository = groupBy(
    policies.filter((policy) => !policy.markersOnly && !rules.withMarkers.has(policy)),
    ({ repository }) => `${repository.host}/${repository.path}`,
  );
  return located.flatMap(({ file, site }) => {
    if (site.claim.by !== 'repository' || placesOf({ file, site }).some((place) => claimedPlaces.has(place))) return [];
    const { host, path } = site.claim.repository;
    const claiming = byRepository.get(`${host}/${path}`) ?? [];
    return claiming.filter((policy) => rules.within(policy, file)).map((policy) => ({ policy, file, site }));
  });
}

function placesOf({ file, site }: Located): string[] {
  return site.scalars.map((scalar) => `${scalar.start} ${file}`);
}

function describeUnknown(key: string, broken: ReadonlySet<string>): string | undefined {
  return broken.has(key) ? undefined : `there is no policy "${key}", the name of an ImagePolicy was wanted`;
}

function describeOutside(policy: Policy, inside: boolean): string | undefined {
  if (inside || !policy.paths.explicit) return undefined;
  return `the file is outside write.paths of policy "${policy.key}", a file inside them was wanted`;
}

function markerProblem({ file, site }: Located, fault: string): Problem {
  const [first] = site.scalars;
  const place = { file, ...(first && { line: first.line, column: first.column }) };
  return createProblem('MarkerUnknown', `Cannot follow the image policy marker: ${fault}`, { place });
}

function describeMissing(policy: Policy): Problem {
  const where = policy.paths.globs.map((glob) => `"${glob || '**'}"`).join(', ');
  const message = `Cannot find a place for policy "${policy.key}": nothing in ${where} is marked for it or holds image "${policy.image}", at least one was wanted`;
  return createProblem('TargetMissing', message, { place: policy.source, policy: policy.key });
}
