/** What one policy makes of one tag, whatever the others are. */
import { type Pattern, parsePattern } from '../policy/pattern.ts';
import type { Policy } from '../policy/policy.ts';
import type { SelectContext } from './select-tag.ts';
import type { TagFacts } from './tag-facts.ts';
import { createVersionOrder, type VersionOrder } from './version-order.ts';

/** A tag that may be chosen has a version and no reason; one that may be chosen later has both. */
export type Admission =
  | { readonly kind: 'admitted'; readonly version: unknown }
  | { readonly kind: 'waiting' | 'held'; readonly version: unknown; readonly reason: string; readonly wakeMs?: number }
  | { readonly kind: 'rejected'; readonly reason: string };

export interface TagReader {
  readonly order: VersionOrder;
  /** The version in a tag, after extraction; undefined where there is none. */
  read(tag: string, facts: TagFacts | undefined): unknown;
  admit(tag: string, context: SelectContext): Admission;
}

/** What a policy compiles to, kept for as long as the policy is. */
const readers = new WeakMap<Policy, TagReader>();

/** The reader of a policy; throws `PolicyInvalid` where a range, layout or pattern cannot be used. */
export function createTagReader(policy: Policy): TagReader {
  const known = readers.get(policy);
  if (known !== undefined) return known;
  const reader = compileReader(policy);
  readers.set(policy, reader);
  return reader;
}

function compileReader(policy: Policy): TagReader {
  const order = createVersionOrder(policy);
  const include = policy.include.map(parsePattern);
  const exclude = policy.exclude.map(parsePattern);
  const extract = createExtractor(policy);
  const skip = new Set(policy.skip);
  const unmatched = `not matched by extract "${policy.extract?.pattern}"`;
  return {
    order,
    read(tag, facts) {
      const text = extract(tag);
      return text === undefined ? undefined : order.parse(text, facts);
    },
    admit(tag, context) {
      const filtered = filterTag(tag, include, exclude);
      if (filtered !== undefined) return { kind: 'rejected', reason: filtered };
      const text = extract(tag);
      if (text === undefined) return { kind: 'rejected', reason: unmatched };
      if (skip.has(tag) || skip.has(text)) return { kind: 'rejected', reason: 'skip' };
      const facts = context.facts?.get(tag);
      const version = order.parse(text, facts);
      if (version === undefined) return { kind: 'rejected', reason: order.unparsed };
      const reason = order.reject(version);
      return reason === undefined
        ? admitVersion(policy, { tag, version, facts }, context)
        : { kind: 'rejected', reason };
    },
  };
}

function createExtractor({ extract }: Policy): (tag: string) => string | undefined {
  if (extract === undefined) return (tag) => tag;
  const pattern = parsePattern(extract.pattern);
  return (tag) => pattern.expand(tag, extract.template);
}

function filterTag(tag: string, include: readonly Pattern[], exclude: readonly Pattern[]): string | undefined {
  if (include.length > 0 && !include.some((pattern) => pattern.test(tag))) {
    return `not included by ${include.map((pattern) => `"${pattern.source}"`).join(' or ')}`;
  }
  const excluding = exclude.find((pattern) => pattern.test(tag));
  return excluding === undefined ? undefined : `excluded by "${excluding.source}"`;
}

interface Parsed {
  readonly tag: string;
  readonly version: unknown;
  readonly facts: TagFacts | undefined;
}

/** What keeps a wanted version from being written now. */
function admitVersion(policy: Policy, { tag, version, facts }: Parsed, context: SelectContext): Admission {
  const { held, nowMs } = context;
  if (held !== undefined && (held.has(tag) || (facts?.digest !== undefined && held.has(`${tag}@${facts.digest}`)))) {
    return { kind: 'held', version, reason: 'held' };
  }
  if (policy.mutation === 'block' && facts?.movedFrom !== undefined)
    return { kind: 'rejected', reason: `moved, it was ${facts.movedFrom} before` };
  if (policy.platforms.length > 0) {
    if (facts?.platforms === undefined) return { kind: 'waiting', version, reason: 'platforms are not known' };
    const missing = policy.platforms.filter((platform) => !facts.platforms?.includes(platform));
    if (missing.length > 0) return { kind: 'rejected', reason: `platform missing: ${missing.join(', ')}` };
  }
  if (policy.minimumAgeMs === 0) return { kind: 'admitted', version };
  if (facts?.agedFromMs === undefined || nowMs === undefined)
    return { kind: 'waiting', version, reason: 'age is not known' };
  const wakeMs = facts.agedFromMs + policy.minimumAgeMs;
  if (wakeMs <= nowMs) return { kind: 'admitted', version };
  return { kind: 'waiting', version, reason: `younger than ${formatAge(policy.minimumAgeMs)}`, wakeMs };
}

const units: readonly (readonly [string, number])[] = [
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
];

/** `24h`, `90m`, `5s`: the largest unit that divides it. */
function formatAge(ms: number): string {
  const [unit, size] = units.find(([, unitMs]) => ms % unitMs === 0) ?? ['ms', 1];
  return `${ms / size}${unit}`;
}
