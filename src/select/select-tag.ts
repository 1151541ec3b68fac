/** Chooses the version that one policy wants of the tags a registry has. Same inputs, same answer, in any order of tags. */
import type { Policy } from '../policy/policy.ts';
import { compareText } from './compare-text.ts';
import type { Selection, SelectionKind, TagVerdict } from './selection.ts';
import type { TagFacts } from './tag-facts.ts';
import { createTagReader, type TagReader } from './tag-reader.ts';

/** What is known besides the names of the tags. */
export interface SelectContext {
  /** The moment that ages are counted to, in milliseconds since 1970. */
  readonly nowMs?: number;
  /** By tag. */
  readonly facts?: ReadonlyMap<string, TagFacts>;
  /** Versions that a person took away, as `tag` or `tag@digest`. */
  readonly held?: ReadonlySet<string>;
  /** The listing is not whole: then nothing is ever taken down. */
  readonly truncated?: boolean;
  /** Tags of one time were seen together, by who knows no more of them: then their order in time is not known. */
  readonly seenTogether?: boolean;
}

interface Candidate {
  readonly tag: string;
  readonly version: unknown;
}

interface Blocked extends Candidate {
  readonly kind: 'waiting' | 'held';
  readonly reason: string;
  readonly wakeMs?: number;
}

interface Sorted {
  /** The best of those admitted: several where they tie. */
  readonly ties: readonly Candidate[];
  readonly blocked: readonly Blocked[];
  /** One for each tag, in the order of the tags; undefined for those admitted. */
  readonly verdicts: readonly (TagVerdict | undefined)[];
}

interface Decision {
  readonly kind: SelectionKind;
  readonly reason: string;
}

/** The parts of a version as Git has it. */
interface Current {
  readonly tag: string | undefined;
  readonly digest: string | undefined;
}

/**
 * The decision for one policy, with the reason for every tag. Only a version above `current` (`1.4.2`, or with its digest
 * `1.4.2@sha256:…`) by the policy's own order is an update, unless the policy allows downgrades, the listing is whole and
 * the current tag is still in it; a `current` that is no version is below every candidate. Throws `PolicyInvalid` where the
 * policy's range, layout or a pattern cannot be used.
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
  const reader = createTagReader(policy);
  const names = sortUnique(tags);
  const { ties, blocked, verdicts } = sortTags(reader, names, context);
  const now = parseCurrent(current);
  const best = chooseSpelling(policy, ties, now.tag);
  const isGuess = context.seenTogether === true && policy.select.kind === 'newest' && ties.length > 1;
  const knowsNewest = !isGuess || isDated(now.tag, context);
  const listed = now.tag !== undefined && names.includes(now.tag);
  const mayGoDown = policy.allowDowngrade && context.truncated !== true && listed;
  const decision = knowsNewest
    ? decide(policy, { reader, best, now, mayGoDown, context })
    : {
        kind: 'waiting' as const,
        reason: `${ties.length} tags are equally new, which of them is the newest is not known`,
      };
  const above = blocked.filter((other) => isAbove(policy, other, { reader, best, now, context }));
  const { kind, reason } = decision.kind === 'update' || above.length === 0 ? decision : describeBlocked(reader, above);
  const wakes = above.flatMap(({ wakeMs }) => wakeMs ?? []);
  const waits = findTop(
    reader,
    above.filter((other) => other.kind === 'waiting'),
  );
  return {
    kind,
    policy: policy.key,
    current,
    tag: knowsNewest ? best?.tag : undefined,
    digest: best === undefined || !knowsNewest ? undefined : context.facts?.get(best.tag)?.digest,
    reason,
    wakeMs: wakes.length === 0 ? undefined : Math.min(...wakes),
    ...(waits !== undefined && { waits: waits.tag }),
    tags: judgeAll(names, verdicts, { best, decision }),
  };
}

/** Whether `next` may take the place of `current`: above it in the policy's order, or different where downgrades are allowed. */
export function isUpgrade(policy: Policy, next: string, current: string | undefined): boolean {
  if (current === undefined) return true;
  if (next === current) return false;
  const { order, read } = createTagReader(policy);
  const [nextVersion, currentVersion] = [read(next, undefined), read(current, undefined)];
  if (currentVersion === undefined || nextVersion === undefined) return true;
  const difference = order.compare(nextVersion, currentVersion);
  return policy.allowDowngrade ? difference !== 0 : difference > 0;
}

function sortTags(reader: TagReader, tags: readonly string[], context: SelectContext): Sorted {
  let ties: Candidate[] = [];
  const blocked: Blocked[] = [];
  const verdicts = tags.map((tag): TagVerdict | undefined => {
    const answer = reader.admit(tag, context);
    if (answer.kind === 'admitted') {
      const [best] = ties;
      const difference = best === undefined ? 1 : reader.order.compare(answer.version, best.version);
      if (difference > 0) ties = [{ tag, version: answer.version }];
      else if (difference === 0) ties.push({ tag, version: answer.version });
      return undefined;
    }
    if (answer.kind !== 'rejected') blocked.push({ tag, ...answer });
    return { tag, verdict: answer.kind, reason: answer.reason };
  });
  return { ties, blocked, verdicts };
}

/** Whether there is a time to compare with: only then are tags of the same time told from those before. */
function isDated(tag: string | undefined, { facts }: SelectContext): boolean {
  return tag !== undefined && facts?.get(tag)?.seenMs !== undefined;
}

/** In code-unit order, each once. Most registries list them so: then they are taken as they are. */
function sortUnique(tags: Iterable<string>): readonly string[] {
  const listed = [...tags];
  if (listed.every((tag, index) => index === 0 || tag > (listed[index - 1] ?? ''))) return listed;
  return listed.sort().filter((tag, index) => tag !== listed[index - 1]);
}

/** Of candidates that tie the one Git has now, else one spelled the same way, else as the policy says. */
function chooseSpelling(
  policy: Policy,
  ties: readonly Candidate[],
  current: string | undefined,
): Candidate | undefined {
  const byRule = (a: Candidate, b: Candidate) =>
    policy.ties === 'last' ? compareText(b.tag, a.tag) : a.tag.length - b.tag.length || compareText(a.tag, b.tag);
  const sorted = [...ties].sort(byRule);
  const [first] = sorted;
  if (current === undefined) return first;
  return sorted.find(({ tag }) => tag === current) ?? sorted.find(({ tag }) => hasV(tag) === hasV(current)) ?? first;
}

interface Question {
  readonly reader: TagReader;
  readonly best: Candidate | undefined;
  readonly now: Current;
  readonly mayGoDown: boolean;
  readonly context: SelectContext;
}

function decide(policy: Policy, question: Question): Decision {
  const { reader, best, now, mayGoDown, context } = question;
  if (best === undefined) return { kind: 'none', reason: 'no tag is a candidate' };
  if (policy.select.kind === 'digest') return decideDigest(best.tag, now, context);
  const current = now.tag;
  if (current === undefined)
    return { kind: 'update', reason: `${best.tag} is the best candidate, Git has no version yet` };
  if (best.tag === current) return { kind: 'current', reason: `${current} is the best candidate already` };
  const currentVersion = reader.read(current, context.facts?.get(current));
  if (currentVersion === undefined) {
    return { kind: 'update', reason: `${best.tag} is the best candidate, "${current}" is not a version` };
  }
  const difference = reader.order.compare(best.version, currentVersion);
  if (difference === 0) return { kind: 'current', reason: `${best.tag} is the same version as ${current}` };
  if (difference > 0) return { kind: 'update', reason: `${best.tag} is above ${current}` };
  if (mayGoDown) return { kind: 'update', reason: `${best.tag} is below ${current}, downgrades are allowed` };
  const why = policy.allowDowngrade ? ', and a tag that is not listed is never left for a lower one' : '';
  return { kind: 'current', reason: `${current} is above the best candidate ${best.tag}${why}` };
}

function decideDigest(tag: string, now: Current, { facts }: SelectContext): Decision {
  const digest = facts?.get(tag)?.digest;
  if (digest === undefined) return { kind: 'waiting', reason: `the digest behind ${tag} is not known` };
  if (now.digest !== digest) return { kind: 'update', reason: `${tag} is ${digest} now` };
  if (now.tag !== undefined && now.tag !== tag) return { kind: 'update', reason: `${tag} is followed, not ${now.tag}` };
  return { kind: 'current', reason: `${tag} is still ${digest}` };
}

/** Whether a blocked candidate would be better than what Git has and than what may be written. */
function isAbove(
  policy: Policy,
  blocked: Blocked,
  { reader, best, now, context }: Omit<Question, 'mayGoDown'>,
): boolean {
  const { order, read } = reader;
  if (policy.select.kind === 'digest') return context.facts?.get(blocked.tag)?.digest !== now.digest;
  if (best !== undefined && order.compare(blocked.version, best.version) <= 0) return false;
  if (now.tag === undefined) return true;
  const current = read(now.tag, context.facts?.get(now.tag));
  return current === undefined || order.compare(blocked.version, current) > 0;
}

function findTop({ order }: TagReader, above: readonly Blocked[]): Blocked | undefined {
  const [first, ...rest] = above;
  return rest.reduce((best, other) => (best && order.compare(other.version, best.version) > 0 ? other : best), first);
}

function describeBlocked(reader: TagReader, above: readonly Blocked[]): Decision {
  const top = findTop(reader, above);
  return { kind: top?.kind ?? 'waiting', reason: `${top?.tag}: ${top?.reason}` };
}

function judgeAll(
  names: readonly string[],
  verdicts: readonly (TagVerdict | undefined)[],
  { best, decision }: { best: Candidate | undefined; decision: Decision },
): readonly TagVerdict[] {
  const { kind, reason } = decision;
  const beaten = `not above ${best?.tag}`;
  return names.map((tag, index) => {
    if (tag === best?.tag) return { tag, verdict: kind === 'update' ? 'selected' : 'candidate', reason };
    return verdicts[index] ?? { tag, verdict: 'candidate', reason: beaten };
  });
}

function parseCurrent(text: string | undefined): Current {
  if (text === undefined) return { tag: undefined, digest: undefined };
  if (/^sha(?:256|384|512):/.test(text)) return { tag: undefined, digest: text };
  const [tag, digest] = text.split('@', 2);
  return { tag: tag === '' ? undefined : tag, digest };
}

function hasV(tag: string): boolean {
  return tag.startsWith('v');
}

/** The verdicts as people read them: the best version first, what is no version last. */
export function sortVerdicts(
  policy: Policy,
  verdicts: readonly TagVerdict[],
  facts?: ReadonlyMap<string, TagFacts>,
): readonly TagVerdict[] {
  const { order, read } = createTagReader(policy);
  const entries = verdicts.map((verdict) => ({ verdict, version: read(verdict.tag, facts?.get(verdict.tag)) }));
  entries.sort((a, b) => {
    if (a.version === undefined || b.version === undefined)
      return Number(a.version === undefined) - Number(b.version === undefined);
    return order.compare(b.version, a.version);
  });
  return entries.map(({ verdict }) => verdict);
}
