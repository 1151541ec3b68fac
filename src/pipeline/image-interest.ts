/** Which Yaml repos have policies for an image repository, as their last passes found. */
import { formatCanonical, type ImageRepository } from '../image/reference.ts';

export interface ImageInterest {
  /** What the Yaml repo's policies look at, in place of what was known of it. */
  learn(subject: string, repositories: readonly ImageRepository[]): void;
  /** The Yaml repos that are concerned; also those no pass over which was made here, for they may be. */
  concerned(repository: ImageRepository): readonly string[];
}

/** Nothing is known of these Yaml repos at first. */
export function createImageInterest(subjects: readonly string[]): ImageInterest {
  const known = new Map<string, ReadonlySet<string>>();
  return {
    learn(subject, repositories) {
      known.set(subject, new Set(repositories.map(formatCanonical)));
    },
    concerned(repository) {
      const name = formatCanonical(repository);
      return subjects.filter((subject) => known.get(subject)?.has(name) !== false);
    },
  };
}
