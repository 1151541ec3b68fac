/** Asks the registry, once in a pass for each question, and keeps a failure to the policies it concerns. */
import { formatCanonical, type ImageRepository } from '../image/reference.ts';
import { mapConcurrent } from './map-concurrent.ts';
import type { ManifestInfo, Registry } from './ports.ts';

/** An answer, or why there is none. */
export type Answer<Value> = { readonly value: Value } | { readonly error: unknown };

/** The registry's answers of one pass. */
export interface ImageLookup {
  /** Asks for all repositories not asked for yet. */
  listTags(repositories: readonly ImageRepository[]): Promise<void>;
  /** Asks for all manifests not asked for yet. */
  fetchManifests(images: readonly { repository: ImageRepository; tag: string }[]): Promise<void>;
  tagsOf(repository: ImageRepository): Answer<readonly string[]>;
  manifestOf(repository: ImageRepository, tag: string): Answer<ManifestInfo>;
}

interface LookupOptions {
  readonly concurrency: number;
  readonly signal: AbortSignal;
}

/** A lookup that asks each question once. */
export function createImageLookup(registry: Registry, { concurrency, signal }: LookupOptions): ImageLookup {
  const tags = new Map<string, Answer<readonly string[]>>();
  const manifests = new Map<string, Answer<ManifestInfo>>();
  const askAll = async <Value>(
    answers: Map<string, Answer<Value>>,
    questions: ReadonlyMap<string, () => Promise<Value>>,
  ) => {
    const open = [...questions].filter(([name]) => !answers.has(name));
    await mapConcurrent(open, concurrency, async ([name, ask]) => answers.set(name, await settle(ask)));
    signal.throwIfAborted();
  };
  return {
    listTags: (repositories) =>
      askAll(
        tags,
        new Map(
          repositories.map((repository) => [
            formatCanonical(repository),
            () => registry.listTags(repository, { signal }),
          ]),
        ),
      ),
    fetchManifests: (images) =>
      askAll(
        manifests,
        new Map(
          images.map(({ repository, tag }) => [
            nameManifest(repository, tag),
            () => registry.fetchManifest(repository, tag, { signal }),
          ]),
        ),
      ),
    tagsOf: (repository) => answerOf(tags, formatCanonical(repository)),
    manifestOf: (repository, tag) => answerOf(manifests, nameManifest(repository, tag)),
  };
}

function nameManifest({ host, path }: ImageRepository, tag: string): string {
  return formatCanonical({ host, path, tag });
}

function answerOf<Value>(answers: ReadonlyMap<string, Answer<Value>>, name: string): Answer<Value> {
  return answers.get(name) ?? { error: new Error(`${name} was not asked for`) };
}

async function settle<Value>(ask: () => Promise<Value>): Promise<Answer<Value>> {
  try {
    return { value: await ask() };
  } catch (error) {
    return { error };
  }
}
