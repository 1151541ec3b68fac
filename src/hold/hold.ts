/** What keeps a policy's versions from being written: a person. */
import type { Policy } from '../policy/policy.ts';
import type { Selection } from '../select/selection.ts';
import type { TagFacts } from '../select/tag-facts.ts';
import { createTagReader } from '../select/tag-reader.ts';
import { parseVersionText } from './find-lost.ts';
import type { AskedHold } from './policy-record.ts';

/** A version that is not written again. */
export interface HeldVersion {
  /** `1.5.0`, or with its digest. */
  readonly version: string;
  /** Where it was lost; undefined where an earlier commit of ours says so. */
  readonly lost?: { readonly file: string; readonly line: number | undefined; readonly place: string } | undefined;
  /** Of ours: wrote the version, or says that it is held. */
  readonly commit: string;
}

/** Why a policy is left alone. Plain data. */
export interface Hold {
  readonly policy: string;
  /** By `tallyman hold`. */
  readonly asked: AskedHold | undefined;
  /** The commit at which a shallow history ends before it could say whether there is a hold; undefined where it says. */
  readonly endsAt: string | undefined;
  /** Oldest first. */
  readonly versions: readonly HeldVersion[];
}

/** One commit carries no more of them; the oldest are dropped. */
export const maxHeldVersions = 100;

/**
 * The selection as the hold leaves it: nothing is written where a person asked so or nobody knows, and of other updates only what is above
 * every version taken away. Else the next best version would follow at once where somebody went back.
 */
export function holdBack(
  policy: Policy,
  selection: Selection,
  { hold, facts }: { hold: Hold; facts?: ReadonlyMap<string, TagFacts> | undefined },
): Selection {
  const { asked, endsAt, versions } = hold;
  const { kind, tag } = selection;
  // Beside a current version a digest may be written.
  const writes = kind === 'update' || (kind === 'current' && policy.pin === 'digest');
  if (asked !== undefined && writes) return toHeld(selection, describeAsked(asked));
  if (endsAt !== undefined && writes) return toHeld(selection, describeEnd(endsAt));
  if (kind !== 'update') return selection;
  const over = versions.find(({ version }) => tag !== undefined && !isAbove(policy, tag, { version, facts }));
  if (over === undefined) return selection;
  return toHeld(selection, `${tag}: not above ${over.version}, which a person took away`);
}

/** `held since 2025-03-01: until the audit is done` */
export function describeAsked({ sinceMs, reason }: AskedHold): string {
  const since = `held since ${new Date(sinceMs).toISOString().slice(0, 10)}`;
  return reason === '' ? since : `${since}: ${reason}`;
}

/** What a shallow history leaves unknown. */
export function describeEnd(commit: string): string {
  return `the history here ends at commit ${commit.slice(0, 7)}, before what was written for it`;
}

/**
 * A digest has no order, and neither has a tag that is no version: only those very versions are held then. So is one that
 * the policy does not admit any more, as when somebody went back and narrowed the range: what it admits now may go on.
 */
function isAbove(
  policy: Policy,
  tag: string,
  { version, facts }: { version: string; facts: ReadonlyMap<string, TagFacts> | undefined },
): boolean {
  const held = parseVersionText(version).tag;
  if (policy.select.kind === 'digest' || held === undefined || held === tag) return true;
  const { order, read } = createTagReader(policy);
  const [next, floor] = [read(tag, facts?.get(tag)), read(held, facts?.get(held))];
  if (next === undefined || floor === undefined || order.reject(floor) !== undefined) return true;
  return order.compare(next, floor) > 0;
}

/** The selection with nothing to write, and why. */
export function toHeld(selection: Selection, reason: string): Selection {
  const tags = selection.tags.map((verdict) =>
    verdict.verdict === 'selected' ? { ...verdict, verdict: 'held' as const, reason } : verdict,
  );
  return { ...selection, kind: 'held', tag: undefined, digest: undefined, reason, tags };
}
