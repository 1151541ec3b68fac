/** Looks at image repositories for all Yaml repos of the process: each once in an interval, however many ask. */
import { formatCanonical, type ImageRepository } from '../image/reference.ts';
import type { Answer } from './answer.ts';
import { createKeptListings, type TagQuestion } from './kept-listings.ts';
import { limitTime } from './limit-time.ts';
import { type PackedListing, packListing } from './pack-listing.ts';
import type { LookIntervals } from './plan-next-look.ts';
import type { Clock, Registry } from './ports.ts';
import { createCallSharer } from './share-calls.ts';

/** What is known of repositories' tags. Answers have the earlier listing, marked as stale, where the last look failed. */
export interface ImagePoller {
  /** What is known, or what the last look failed with; undefined where the registry is to be asked. */
  recall(question: TagQuestion): Answer<PackedListing> | undefined;
  /** The same, and asks where it is time. With `unreachable` the registry is not asked: that is what the look failed with. */
  look(question: TagQuestion, options: LookOptions): Promise<Answer<PackedListing>>;
  /** Something new is said to be in the repositories concerned: the next look at each asks the registry. How many of them were ever asked for. */
  expect(concerns: (repository: ImageRepository) => boolean): number;
}

interface LookOptions {
  readonly signal: AbortSignal;
  readonly unreachable?: unknown;
}

export interface PollOptions extends LookIntervals {
  readonly clock: Pick<Clock, 'nowMs' | 'random'>;
  /** Longest time of one look, with all retries. */
  readonly timeoutMs: number;
}

/** A poller around a registry; with intervals of 0 every look asks. */
export function createImagePoller(registry: Pick<Registry, 'listTags'>, options: PollOptions): ImagePoller {
  const { timeoutMs, ...keeping } = options;
  const kept = createKeptListings(keeping);
  const share = createCallSharer<Answer<PackedListing>>();
  const ask = async ({ repository, pushTimes }: TagQuestion, signal: AbortSignal): Promise<Answer<PackedListing>> => {
    try {
      const call = (limit: AbortSignal) => registry.listTags(repository, { signal: limit, pushTimes });
      return { value: packListing(await limitTime(call, { timeoutMs, signal, name: formatCanonical(repository) })) };
    } catch (error) {
      // Nobody waits any more: that says nothing about the registry.
      if (signal.aborted) throw error;
      return { error };
    }
  };
  return {
    recall: kept.recall,
    expect: kept.expect,
    async look(question, { signal, unreachable }) {
      const known = kept.recall(question);
      if (known !== undefined) return known;
      const asked = kept.widen(question);
      if (unreachable !== undefined) return kept.learn({ ...asked, ...question }, { error: unreachable });
      // Who expects something new joins no look that began before.
      const name = `${formatCanonical(asked.repository)} ${asked.pushTimes} ${asked.expectations}`;
      return await share(name, signal, async (shared) => kept.learn(asked, await ask(asked, shared)));
    },
  };
}
