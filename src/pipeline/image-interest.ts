/** Which Yaml repos have policies for an image repository, as their last passes found. */
import { formatCanonical, type ImageRepository } from '../image/reference.ts';
import type { Clock } from './ports.ts';

export interface ImageInterest {
  /** What the Yaml repo's policies look at, in place of what was known of it. */
  learn(subject: string, repositories: readonly ImageRepository[]): void;
  /** The Yaml repos that are concerned; also those no pass over which was made here of late, for they may be. */
  concerned(repository: ImageRepository): readonly string[];
  /** Those no pass over which was ever made here: what their policies look at only others may know. */
  unknown(): readonly string[];
}

/** Nothing is known of these Yaml repos at first; what is older than `maxAgeMs` counts as not known: others make passes too. */
export function createImageInterest(
  subjects: readonly string[],
  { clock, maxAgeMs }: { clock: Pick<Clock, 'nowMs'>; maxAgeMs: number },
): ImageInterest {
  const known = new Map<string, { readonly names: ReadonlySet<string>; readonly sinceMs: number }>();
  return {
    learn(subject, repositories) {
      known.set(subject, { names: new Set(repositories.map(formatCanonical)), sinceMs: clock.nowMs() });
    },
    unknown: () => subjects.filter((subject) => !known.has(subject)),
    concerned(repository) {
      const name = formatCanonical(repository);
      return subjects.filter((subject) => {
        const last = known.get(subject);
        return last === undefined || clock.nowMs() - last.sinceMs > maxAgeMs || last.names.has(name);
      });
    },
  };
}
