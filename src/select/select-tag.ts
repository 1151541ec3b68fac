/** Chooses the version that one policy wants of the tags a registry has. Same inputs, same answer, in any order of tags. */
import { type Pattern, parsePattern } from '../policy/pattern.ts';
import type { Policy } from '../policy/policy.ts';
import type { Selection, SelectionKind, TagVerdict } from './selection.ts';
import { createVersionOrder, type VersionOrder } from './version-order.ts';

/** What is known besides the names of the tags. */
export interface SelectContext {
  /** Digest of each tag for which it was asked: `{ '1.5.0' => 'sha256:…' }` */
  readonly digests?: ReadonlyMap<string, string>;
}

interface Candidate {
  readonly tag: string;
  readonly version: unknown;
}

interface Ranked {
  /** Best first; equal versions next to each other. */
  readonly candidates: readonly Candidate[];
  readonly rejected: readonly TagVerdict[];
}

/**
 * The decision for one policy, with the reason for every tag. Only a version above `current` by the policy's own order is
 * an update, unless the policy allows downgrades; a `current` that is no version is below every candidate. Throws
 * `PolicyInvalid` where the policy's range or a pattern cannot be used.
 *
 * @example
 * selectTag(policy, ['1.4.2', '1.5.0', '2.0.0'], '1.4.2').tag // '1.5.0' with range "^1.4.0"
 */
export function selectTag(
  policy: Policy,
  tags: Iterable<string>,
  current?: string,
  context: SelectContext = {},
): Selection {
  const reader = createReader(policy);
  const { candidates, rejected } = rankTags(reader, tags);
  const best = chooseSpelling(reader.order, candidates, current);
  const { kind, reason } = decide(policy, reader, { best, current });
  const verdicts = candidates.map(({ tag }): TagVerdict => {
    if (tag === best?.tag) return { tag, verdict: kind === 'update' ? 'selected' : 'candidate', reason };
    return { tag, verdict: 'candidate', reason: `not above ${best?.tag}` };
  });
  return {
    kind,
    policy: policy.key,
    current,
    tag: best?.tag,
    digest: best === undefined ? undefined : context.digests?.get(best.tag),
    reason,
    tags: [...verdicts, ...rejected],
  };
}

/** Whether `next` may take the place of `current`: above it in the policy's order, or any other where downgrades are allowed. */
export function isUpgrade(policy: Policy, next: string, current: string | undefined): boolean {
  if (current === undefined) return true;
  if (next === current) return false;
  const { order, read } = createReader(policy);
  const [nextVersion, currentVersion] = [read(next), read(current)];
  if (currentVersion === undefined || nextVersion === undefined) return true;
  const difference = order.compare(nextVersion, currentVersion);
  return policy.allowDowngrade ? difference !== 0 : difference > 0;
}

interface Reader {
  readonly order: VersionOrder;
  /** The version in a tag, after extraction; undefined where there is none. */
  read(tag: string): unknown;
  /** Why the tag is no candidate, or its version. */
  admit(tag: string): { readonly version: unknown } | { readonly reason: string };
}

/** What a policy compiles to, kept for as long as the policy is. */
const readers = new WeakMap<Policy, Reader>();

function createReader(policy: Policy): Reader {
  const known = readers.get(policy);
  if (known !== undefined) return known;
  const reader = compileReader(policy);
  readers.set(policy, reader);
  return reader;
}

function compileReader(policy: Policy): Reader {
  const order = createVersionOrder(policy);
  const include = policy.include.map(parsePattern);
  const exclude = policy.exclude.map(parsePattern);
  const extract = policy.extract === undefined ? undefined : parsePattern(policy.extract);
  const skip = new Set(policy.skip);
  const versionText = (tag: string) => (extract === undefined ? tag : extract.group(tag, 'version'));
  const read = (tag: string) => {
    const text = versionText(tag);
    return text === undefined ? undefined : order.parse(text);
  };
  return {
    order,
    read,
    admit(tag) {
      const filtered = filterTag(tag, include, exclude);
      if (filtered !== undefined) return { reason: filtered };
      const text = versionText(tag);
      if (text === undefined) return { reason: `not matched by extract "${extract?.source}"` };
      if (skip.has(tag) || skip.has(text)) return { reason: 'skip' };
      const version = order.parse(text);
      if (version === undefined) return { reason: 'not a version' };
      const reason = order.reject(version);
      return reason === undefined ? { version } : { reason };
    },
  };
}

function filterTag(tag: string, include: readonly Pattern[], exclude: readonly Pattern[]): string | undefined {
  if (include.length > 0 && !include.some((pattern) => pattern.test(tag))) {
    return `not included by ${include.map((pattern) => `"${pattern.source}"`).join(' or ')}`;
  }
  const excluding = exclude.find((pattern) => pattern.test(tag));
  return excluding === undefined ? undefined : `excluded by "${excluding.source}"`;
}

function rankTags(reader: Reader, tags: Iterable<string>): Ranked {
  const candidates: Candidate[] = [];
  const rejected: TagVerdict[] = [];
  for (const tag of new Set(tags)) {
    const answer = reader.admit(tag);
    if ('version' in answer) candidates.push({ tag, version: answer.version });
    else rejected.push({ tag, verdict: 'rejected', reason: answer.reason });
  }
  candidates.sort((a, b) => reader.order.compare(b.version, a.version) || compareSpelling(a.tag, b.tag));
  rejected.sort((a, b) => compareText(a.tag, b.tag));
  return { candidates, rejected };
}

/** Of the candidates that tie for best: the one Git has now, else one spelled the same way, else the shortest, then code-unit order. */
function chooseSpelling(
  order: VersionOrder,
  candidates: readonly Candidate[],
  current: string | undefined,
): Candidate | undefined {
  const [best] = candidates;
  if (best === undefined || current === undefined) return best;
  const ties = candidates.filter((other) => order.compare(other.version, best.version) === 0);
  return ties.find(({ tag }) => tag === current) ?? ties.find(({ tag }) => hasV(tag) === hasV(current)) ?? best;
}

function decide(
  policy: Policy,
  reader: Reader,
  { best, current }: { best: Candidate | undefined; current: string | undefined },
): { kind: SelectionKind; reason: string } {
  if (best === undefined) return { kind: 'none', reason: 'no tag is a candidate' };
  if (current === undefined)
    return { kind: 'update', reason: `${best.tag} is the best candidate, Git has no version yet` };
  if (best.tag === current) return { kind: 'current', reason: `${current} is the best candidate already` };
  const currentVersion = reader.read(current);
  if (currentVersion === undefined) {
    return { kind: 'update', reason: `${best.tag} is the best candidate, "${current}" is not a version` };
  }
  const difference = reader.order.compare(best.version, currentVersion);
  if (difference === 0) return { kind: 'current', reason: `${best.tag} is the same version as ${current}` };
  if (difference > 0) return { kind: 'update', reason: `${best.tag} is above ${current}` };
  if (policy.allowDowngrade)
    return { kind: 'update', reason: `${best.tag} is below ${current}, downgrades are allowed` };
  return { kind: 'current', reason: `${current} is above the best candidate ${best.tag}` };
}

function hasV(tag: string): boolean {
  return tag.startsWith('v');
}

function compareSpelling(a: string, b: string): number {
  return a.length - b.length || compareText(a, b);
}

/** Code-unit order, the same on every machine. */
function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
