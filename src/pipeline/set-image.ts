/** Records one image that an application's CI has just pushed, through the policies that watch it. */
import { groupBy } from '../collection/group-by.ts';
import type { Problem } from '../error/problem.ts';
import { TallymanError } from '../error/tallyman-error.ts';
import { parseVersionText } from '../hold/find-lost.ts';
import { type Hold, holdBack } from '../hold/hold.ts';
import { formatCanonical, type ImageRepository } from '../image/reference.ts';
import type { Policy } from '../policy/policy.ts';
import { isUpgrade, selectTag } from '../select/select-tag.ts';
import type { Selection } from '../select/selection.ts';
import { describeOpening, nextOpening } from '../select/write-window.ts';
import { formatVersion, readCurrent, type Target } from '../target/target.ts';
import { readImageSource } from './commit-message.ts';
import { describeForbidden } from './policy-problems.ts';
import type { ManifestInfo } from './ports.ts';
import { type ChooseVersions, type PassContext, type PassReport, runPass } from './run-pass.ts';
import type { SelectedImages } from './select-images.ts';

/** What is to be recorded. */
export interface ImageToSet {
  readonly repository: ImageRepository;
  readonly tag: string;
  /** Where the caller knows it: then the registry must have that very image under the tag. */
  readonly digest: string | undefined;
}

/** What one policy made of the image. `present`: all its places have it, or nothing had to move. */
export interface SetOutcome {
  readonly policy: string;
  readonly outcome: 'written' | 'present' | 'refused';
  readonly reason: string;
}

/** Plain data, for `--output json` too. */
export interface SetReport {
  /** `ghcr.io/acme/web:1.5.0` */
  readonly image: string;
  /** What the registry has under the tag; undefined where no policy wants to know. */
  readonly digest: string | undefined;
  readonly policies: readonly SetOutcome[];
  readonly commits: PassReport['commits'];
  /** What concerns these policies. */
  readonly problems: readonly Problem[];
}

/**
 * Writes the tag to the places of every policy of its image that admits it, with the planning, holds and pushes of a pass.
 * Its age is waived, for somebody says so; platforms and holds are not, and never is a version taken down unless the policy
 * allows it. Throws `ImageNotFound` where the registry does not have the tag, or has another digest under it.
 */
export async function setImage(
  context: PassContext,
  wanted: ImageToSet,
  options: { signal: AbortSignal },
): Promise<SetReport> {
  const { repo, memory, clock } = context;
  const wants = ({ repository: { host, path } }: Policy) =>
    host === wanted.repository.host && path === wanted.repository.path;
  const contents = await memory.read(repo, await repo.fetch(options), options);
  const policies = contents.policies.filter(wants);
  const image = formatCanonical({ ...wanted.repository, tag: wanted.tag });
  const usable = policies.filter((policy) => describeUnsettable(policy, context) === undefined);
  if (usable.length === 0) {
    const outcomes = policies.map((policy) => toRefused(policy, describeUnsettable(policy, context) ?? ''));
    return { image, digest: undefined, policies: outcomes, commits: [], problems: [] };
  }
  const platforms = usable.some((policy) => policy.platforms.length > 0);
  const manifest = await fetchImage(context, { ...wanted, image, platforms }, options);
  const nowMs = clock.nowMs();
  const choose: ChooseVersions = async (targets, holds) =>
    chooseImage(targets, { tag: wanted.tag, manifest, holds, nowMs });
  const isUsable = (policy: Policy) => wants(policy) && describeUnsettable(policy, context) === undefined;
  const report = await runPass(context, { ...options, wants: isUsable, choose });
  const keys = new Set(policies.map(({ key }) => key));
  return {
    image,
    digest: manifest.digest,
    policies: policies.map((policy) => toOutcome(policy, { report, context, tag: wanted.tag })),
    commits: report.commits,
    problems: report.problems.filter(({ policy, code }) => code === 'PushRaced' || keys.has(policy ?? '')),
  };
}

function describeUnsettable(policy: Policy, { allowedRegistries, clock }: PassContext): string | undefined {
  if (policy.suspend) return 'suspended';
  const wallMs = clock.wallMs();
  const opensMs = nextOpening(policy.windows ?? [], wallMs);
  if (opensMs !== wallMs) return `outside its windows, ${describeOpening(opensMs)}`;
  if (policy.mode === 'pull-request') return 'it asks for pull requests, a pass opens those';
  return describeForbidden(policy, allowedRegistries)?.message;
}

async function fetchImage(
  { registry }: PassContext,
  { repository, tag, digest, image, platforms }: ImageToSet & { image: string; platforms: boolean },
  { signal }: { signal: AbortSignal },
): Promise<ManifestInfo> {
  const manifest = await registry.fetchManifest(repository, tag, { signal, platforms });
  if (digest === undefined || digest === manifest.digest) return manifest;
  const message = `Cannot set image "${image}@${digest}": the registry has ${manifest.digest} under that tag, the digest given was wanted`;
  throw new TallymanError('ImageNotFound', message, {
    remedy: 'Push the image again under a tag of its own, or name the digest that the registry has.',
  });
}

interface Choosing {
  readonly tag: string;
  readonly manifest: ManifestInfo;
  readonly holds: ReadonlyMap<string, Hold> | undefined;
  readonly nowMs: number;
}

function chooseImage(targets: readonly Target[], choosing: Choosing): SelectedImages {
  const { tag, manifest } = choosing;
  const source = readImageSource(manifest.annotations);
  const byPolicy = [...groupBy(targets, ({ policy }) => policy)];
  const names = byPolicy.flatMap(([{ image }]) => [`${image}:${tag}`, `${image}:${tag}@${manifest.digest}`]);
  return {
    selections: byPolicy.flatMap(([policy, own]) =>
      [...new Set(own.map((target) => formatVersion(readCurrent(target))))].map((current) =>
        judgeTag(policy, current, choosing),
      ),
    ),
    sources: new Map(source === undefined ? [] : names.map((name) => [name, source])),
    problems: [],
    wakeMs: undefined,
  };
}

/** The decision about that one tag, as if it were the only one and old enough. */
function judgeTag(policy: Policy, current: string | undefined, { tag, manifest, holds, nowMs }: Choosing): Selection {
  const hold = holds?.get(policy.key);
  const held = hold && new Set(hold.versions.map(({ version }) => version));
  const { digest, platforms } = manifest;
  const facts = new Map([[tag, { digest, platforms, seenMs: nowMs }]]);
  const selection = selectTag({ ...policy, minimumAgeMs: 0 }, [tag], current, { nowMs, facts, ...(held && { held }) });
  const [verdict] = selection.tags;
  if (selection.tag === undefined) return { ...selection, reason: verdict?.reason ?? selection.reason };
  const moved = moveAnyway(policy, selection, { tag, digest });
  return hold === undefined ? moved : holdBack(policy, moved, { hold, facts });
}

/** Also down, where the policy allows it, and to the digest that the tag has now, where that is written. */
function moveAnyway(policy: Policy, selection: Selection, { tag, digest }: { tag: string; digest: string }): Selection {
  if (selection.kind !== 'current' || selection.current === undefined) return selection;
  const now = parseVersionText(selection.current);
  if (now.tag === tag && now.digest !== undefined && now.digest !== digest)
    return { ...selection, kind: 'update', reason: `${tag} is ${digest} now` };
  if (policy.allowDowngrade && isUpgrade(policy, tag, now.tag))
    return { ...selection, kind: 'update', reason: `${tag} is below ${now.tag}, downgrades are allowed` };
  return selection;
}

interface Judged {
  readonly report: PassReport;
  readonly context: PassContext;
  readonly tag: string;
}

function toOutcome(policy: Policy, { report, context, tag }: Judged): SetOutcome {
  const unsettable = describeUnsettable(policy, context);
  if (unsettable !== undefined) return toRefused(policy, unsettable);
  const { key } = policy;
  const written = report.commits.flatMap(({ updates }) => updates).filter((update) => update.policy === key);
  if (written.length > 0) {
    const changes = written.map(({ from, to }) => `${from ?? 'no version'} → ${to}`);
    return { policy: key, outcome: 'written', reason: changes.join(', ') };
  }
  const own = report.selections.filter((selection) => selection.policy === key);
  const problem = report.problems.find((one) => one.policy === key || one.code === 'PushRaced');
  const refusing = own.find(({ kind }) => kind !== 'current') ?? own.find((one) => !hasTag(one, tag));
  if (own.length === 0) return toRefused(policy, problem?.message ?? 'it has no place to write to');
  if (refusing === undefined) return { policy: key, outcome: 'present', reason: `${tag} is there already` };
  return toRefused(policy, refusing.kind === 'update' ? (problem?.message ?? refusing.reason) : refusing.reason);
}

/** Also the same version spelled another way. */
function hasTag({ current, reason }: Selection, tag: string): boolean {
  return current !== undefined && (parseVersionText(current).tag === tag || reason.includes('the same version as'));
}

function toRefused({ key }: Policy, reason: string): SetOutcome {
  return { policy: key, outcome: 'refused', reason };
}
