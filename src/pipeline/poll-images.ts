/** Looks at image repositories for all Yaml repos of the process: each once in an interval, however many ask. */
import { findImageReference, formatCanonical, type ImageRepository } from '../image/reference.ts';
import type { AnswerStore } from './job-ports.ts';
import type { KeptAnswers } from './kept-answers.ts';
import { createLooks, type LookOptions, type Looks } from './look-once.ts';
import { isSameListing, type PackedListing, packListing, readListing, writeListing } from './pack-listing.ts';
import { packManifest, readManifest, writeManifest } from './pack-manifest.ts';
import type { ManifestInfo, Registry } from './ports.ts';
import { type ShareOptions, shareAnswers } from './share-answers.ts';

/** A repository, and whether the times of its pushes are wanted too. */
export interface TagQuestion {
  readonly repository: ImageRepository;
  readonly pushTimes: boolean;
}

/** A tag, and whether the platforms of its image are wanted too. */
export interface ManifestQuestion {
  readonly repository: ImageRepository;
  readonly tag: string;
  readonly platforms: boolean;
  /** Only what the registry says at this time or later will do, in milliseconds since 1970; absent: what was last known. */
  readonly notBeforeMs?: number | undefined;
}

/** What is known of repositories. Answers have the earlier one, marked as stale, where the last look failed. */
export interface ImagePoller {
  readonly tags: Looks<TagQuestion, PackedListing>;
  readonly manifests: Looks<ManifestQuestion, ManifestInfo>;
  /** Something new is said to be in the repositories concerned: the next look at each asks the registry, of whichever worker. Those of them that were ever asked for. */
  expect(concerns: (repository: ImageRepository) => boolean): Promise<readonly ImageRepository[]>;
  /** Has the registry asked at the next look where the last one here failed: what kept it from answering may be over. */
  expectFailed(): void;
  /** Has each repository told whose tags are others than at the look before, until what is given back is called. */
  watch(onChange: (repository: ImageRepository) => void): () => void;
}

/** `onLook` is called for tag lists alone. */
export interface PollOptions extends Omit<LookOptions, 'onChange'> {
  /** What all workers know; absent: there is but one. */
  readonly store?: AnswerStore | undefined;
}

/** A poller around a registry; with intervals of 0 every look asks. Only tag lists are refreshed, and their changes told. */
export function createImagePoller(
  registry: Registry,
  { refreshed, onLook, store, ...options }: PollOptions,
): ImagePoller {
  const { clock, signal } = options;
  const watchers = new Set<(repository: ImageRepository) => void>();
  const onChange = (repository: ImageRepository) => {
    for (const tell of watchers) tell(repository);
  };
  const shareBy = <Value extends object>(text: Pick<ShareOptions<Value>, 'kind' | 'write' | 'read'>) =>
    store && ((kept: KeptAnswers<Value>) => shareAnswers(kept, { ...text, store, clock, signal }));
  const tags = createLooks<TagQuestion, PackedListing>(
    {
      topicOf: ({ repository, pushTimes }) => ({ name: formatCanonical(repository), repository, more: pushTimes }),
      ask: async ({ repository }, { more, signal }) =>
        packListing(await registry.listTags(repository, { signal, pushTimes: more })),
      isSame: isSameListing,
      share: shareBy({ kind: 'tags', write: writeListing, read: readListing }),
    },
    { ...options, refreshed, onLook, onChange: ({ repository }) => onChange(repository) },
  );
  const manifests = createLooks<ManifestQuestion, ManifestInfo>(
    {
      // Platforms cost a request more, which may fail: nobody else is to suffer from that.
      topicOf: (question) => ({
        name: nameManifest(question),
        repository: question.repository,
        more: false,
        notBeforeMs: question.notBeforeMs,
      }),
      ask: async ({ repository, tag, platforms }, { signal }) =>
        packManifest(await registry.fetchManifest(repository, tag, { signal, platforms })),
      isSame: (a, b) => a.digest === b.digest,
      share: shareBy({ kind: 'manifest', write: writeManifest, read: readManifest }),
    },
    options,
  );
  return {
    tags,
    manifests,
    async expect(concerns) {
      const elsewhere = store === undefined ? [] : await expectElsewhere(concerns, { store, signal });
      manifests.expect(concerns);
      const all = [...tags.expect(concerns), ...elsewhere];
      return [...new Map(all.map((repository) => [formatCanonical(repository), repository])).values()];
    },
    expectFailed() {
      for (const looks of [manifests, tags]) looks.expect((_repository, isFailing) => isFailing);
    },
    watch(onChange) {
      watchers.add(onChange);
      return () => watchers.delete(onChange);
    },
  };
}

async function expectElsewhere(
  concerns: (repository: ImageRepository) => boolean,
  { store, signal }: { store: AnswerStore; signal: AbortSignal },
): Promise<readonly ImageRepository[]> {
  const isConcerned = (name: string): boolean => {
    const repository = findImageReference(name);
    return repository !== undefined && concerns(repository);
  };
  const names = (await store.expect(isConcerned, { signal })) ?? [];
  return names.flatMap((name) => findImageReference(name) ?? []).map(({ host, path }) => ({ host, path }));
}

/** `ghcr.io/acme/web:1.4.2`, or `ghcr.io/acme/web:1.4.2 with platforms` */
export function nameManifest({ repository: { host, path }, tag, platforms }: ManifestQuestion): string {
  return `${formatCanonical({ host, path, tag })}${platforms ? ' with platforms' : ''}`;
}
