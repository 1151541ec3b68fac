/** How long it takes from the look that saw something new to the commit of it. */
import { formatCanonical, parseImageReference } from '../image/reference.ts';
import type { WholeReport } from './commit-and-propose.ts';

export interface LeadTimes {
  /** A look saw the tags of the repository change (canonical name); by default now. */
  see(repository: string, lookedMs?: number): void;
  /**
   * A pass over the Yaml repo did its work: the spans of its updates that were seen coming here, in milliseconds, by image
   * as the updates name it. What it did not write does not count later either: that it waits for its age or for a person says
   * nothing of the work.
   */
  settle(
    subject: string,
    pass: { readonly report: Pick<WholeReport, 'commits'>; readonly beganMs: number },
  ): ReadonlyMap<string, number>;
}

interface LeadOptions {
  readonly nowMs: () => number;
  /** Whether all passes are made here. Of a pass elsewhere nobody is told, nor that a change needs no commit any more. */
  readonly isAlone: boolean;
}

/** More are forgotten, the oldest first. */
const maxSeen = 50_000;
/** A pass is made of a change at once, wherever: what was seen so long ago others have committed, or found too young. */
const othersMs = 30 * 60_000;

/** For these Yaml repos; nothing was seen yet. */
export function createLeadTimes(subjects: readonly string[], { nowMs, isAlone }: LeadOptions): LeadTimes {
  /** When the change was seen that the next pass here is about, by repository: the oldest, or where others make passes the newest. */
  const seen = new Map(subjects.map((subject) => [subject, new Map<string, number>()]));
  const maxSpanMs = isAlone ? Number.MAX_VALUE : othersMs;
  return {
    see(repository, lookedMs = nowMs()) {
      for (const changes of seen.values()) {
        const knownMs = changes.get(repository);
        if (isAlone && knownMs !== undefined) continue;
        changes.delete(repository);
        changes.set(repository, Math.max(lookedMs, knownMs ?? lookedMs));
        const [oldest] = changes.keys();
        if (changes.size > maxSeen && oldest !== undefined) changes.delete(oldest);
      }
    },
    settle(subject, { report, beganMs }) {
      const changes = seen.get(subject) ?? new Map<string, number>();
      const spans = new Map<string, number>();
      for (const { image } of report.commits.flatMap(({ updates }) => updates)) {
        const spanMs = nowMs() - (changes.get(nameOf(image)) ?? Number.NEGATIVE_INFINITY);
        changes.delete(nameOf(image));
        if (spanMs <= maxSpanMs) spans.set(image, spanMs);
      }
      for (const [image, seenMs] of changes) if (seenMs < beganMs) changes.delete(image);
      return spans;
    },
  };
}

/** As looks name it. */
function nameOf(image: string): string {
  const { host, path } = parseImageReference(image);
  return formatCanonical({ host, path });
}
