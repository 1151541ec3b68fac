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

/** More are forgotten, the oldest first. */
const maxSeen = 50_000;

/** For these Yaml repos; nothing was seen yet. */
export function createLeadTimes(subjects: readonly string[], { nowMs }: { nowMs: () => number }): LeadTimes {
  /** When the oldest change was seen that a pass over the Yaml repo may still be about, by repository. */
  const seen = new Map(subjects.map((subject) => [subject, new Map<string, number>()]));
  return {
    see(repository, lookedMs = nowMs()) {
      for (const changes of seen.values()) {
        if (!changes.has(repository)) changes.set(repository, lookedMs);
        const [oldest] = changes.keys();
        if (changes.size > maxSeen && oldest !== undefined) changes.delete(oldest);
      }
    },
    settle(subject, { report, beganMs }) {
      const changes = seen.get(subject) ?? new Map<string, number>();
      const spans = new Map<string, number>();
      for (const { image } of report.commits.flatMap(({ updates }) => updates)) {
        const seenMs = changes.get(nameOf(image));
        changes.delete(nameOf(image));
        if (seenMs !== undefined) spans.set(image, nowMs() - seenMs);
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
