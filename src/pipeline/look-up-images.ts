/** The registry's answers of one pass: each question once, and a failure stays with the policies it concerns. */
import { formatCanonical, type ImageRepository } from '../image/reference.ts';
import { untilAborted } from '../signal/until-aborted.ts';
import type { Answer } from './answer.ts';
import { mergeQuestions } from './list-tag-questions.ts';
import type { PackedListing } from './pack-listing.ts';
import { type ImagePoller, type ManifestQuestion, nameManifest, type TagQuestion } from './poll-images.ts';
import type { ManifestInfo } from './ports.ts';

/** The registry's answers of one pass. */
export interface ImageLookup {
  /** Looks at all repositories not looked at yet in this pass. */
  listTags(questions: readonly TagQuestion[]): Promise<void>;
  /** Asks for all manifests not asked for yet. */
  fetchManifests(questions: readonly ManifestQuestion[]): Promise<void>;
  tagsOf(repository: ImageRepository): Answer<PackedListing>;
  /** Never an earlier one where the last look failed: a tag is written only if it can be pulled. */
  manifestOf(question: ManifestQuestion): Answer<ManifestInfo>;
}

/** A lookup that keeps its answers: what is planned again is planned with the same. Rejects where the signal aborts. */
export function createImageLookup(
  poller: Pick<ImagePoller, 'tags' | 'manifests'>,
  { signal }: { signal: AbortSignal },
): ImageLookup {
  const listings = new Map<string, Answer<PackedListing>>();
  const manifests = new Map<string, Answer<ManifestInfo>>();
  return {
    async listTags(questions) {
      const open = mergeQuestions(questions).filter(({ repository }) => !listings.has(formatCanonical(repository)));
      const asking = open.map(
        async (question) => [formatCanonical(question.repository), await poller.tags.look(question)] as const,
      );
      for (const [name, answer] of await untilAborted(Promise.all(asking), signal)) listings.set(name, answer);
    },
    async fetchManifests(questions) {
      const open = new Map(questions.map((question) => [nameQuestion(question), question]));
      for (const name of manifests.keys()) open.delete(name);
      const asking = [...open].map(async ([name, question]) => [name, await poller.manifests.look(question)] as const);
      for (const [name, answer] of await untilAborted(Promise.all(asking), signal)) manifests.set(name, answer);
    },
    tagsOf: (repository) => answerOf(listings, formatCanonical(repository)),
    manifestOf(question) {
      const answer = answerOf(manifests, nameQuestion(question));
      return 'error' in answer || answer.stale === undefined ? answer : { error: answer.stale.error };
    },
  };
}

/** What is asked anew has an answer of its own. */
function nameQuestion(question: ManifestQuestion): string {
  return `${nameManifest(question)}${question.notBeforeMs === undefined ? '' : ` since ${question.notBeforeMs}`}`;
}

function answerOf<Value>(answers: ReadonlyMap<string, Answer<Value>>, name: string): Answer<Value> {
  return answers.get(name) ?? { error: new Error(`${name} was not asked for`) };
}
