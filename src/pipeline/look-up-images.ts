/** Asks the registry, once in a pass for each question, and keeps a failure to the policies it concerns. */
import { setMaxListeners } from 'node:events';
import { groupBy } from '../collection/group-by.ts';
import { TallymanError } from '../error/tallyman-error.ts';
import { formatCanonical, type ImageRepository } from '../image/reference.ts';
import { type Answer, failureOf } from './answer.ts';
import type { TagQuestion } from './kept-listings.ts';
import { limitTime } from './limit-time.ts';
import { mapConcurrent } from './map-concurrent.ts';
import { type PackedListing, unpackListing } from './pack-listing.ts';
import type { ImagePoller } from './poll-images.ts';
import type { ManifestInfo, Registry, TagListing } from './ports.ts';

/** A tag, and whether the platforms of its image are wanted too. */
export interface ManifestQuestion {
  readonly repository: ImageRepository;
  readonly tag: string;
  readonly platforms: boolean;
}

/** The registry's answers of one pass. */
export interface ImageLookup {
  /** Looks at all repositories not looked at yet in this pass. */
  listTags(questions: readonly TagQuestion[]): Promise<void>;
  /** Asks for all manifests not asked for yet. */
  fetchManifests(questions: readonly ManifestQuestion[]): Promise<void>;
  /** Unpacked at each call: not to be held for longer than a decision takes. */
  tagsOf(repository: ImageRepository): Answer<TagListing>;
  manifestOf(question: ManifestQuestion): Answer<ManifestInfo>;
}

interface LookupOptions {
  /** Questions that one host is asked at the same time. */
  readonly concurrency: number;
  /** Longest wait for one manifest, with all retries. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** A lookup that asks each question once, each host in a queue of its own. */
export function createImageLookup(
  { registry, poller }: { registry: Pick<Registry, 'fetchManifest'>; poller: ImagePoller },
  options: LookupOptions,
): ImageLookup {
  const listings = new Map<string, Answer<PackedListing>>();
  const manifests = new Map<string, Answer<ManifestInfo>>();
  // Each question under way listens for the end; Node would take eleven for a leak.
  setMaxListeners(0, options.signal);
  return {
    async listTags(questions) {
      const open = mergeQuestions(questions).filter(({ repository }) => !listings.has(formatCanonical(repository)));
      for (const question of open) {
        const known = poller.recall(question);
        if (known !== undefined) listings.set(formatCanonical(question.repository), known);
      }
      await askAll(
        listings,
        open.map((question) => toTagQuestion(question, poller, options)),
        options,
      );
    },
    fetchManifests: (questions) =>
      askAll(
        manifests,
        questions.map((question) => toManifestQuestion(question, registry, options)),
        options,
      ),
    tagsOf(repository) {
      const answer = answerOf(listings, formatCanonical(repository));
      return 'error' in answer ? answer : { ...answer, value: unpackListing(answer.value) };
    },
    manifestOf: (question) => answerOf(manifests, nameManifest(question)),
  };
}

/** One question for each repository; push times are wanted as soon as one wants them. */
function mergeQuestions(questions: readonly TagQuestion[]): readonly TagQuestion[] {
  const groups = groupBy(questions, ({ repository }) => formatCanonical(repository));
  return [...groups.values()].flatMap((same) =>
    same.slice(0, 1).map(({ repository }) => ({ repository, pushTimes: same.some(({ pushTimes }) => pushTimes) })),
  );
}

interface Question<Value> {
  readonly name: string;
  readonly host: string;
  /** With `unreachable` the host is not asked: that is why. */
  ask(unreachable: unknown): Promise<Answer<Value>>;
}

function toTagQuestion(question: TagQuestion, poller: ImagePoller, { signal }: LookupOptions): Question<PackedListing> {
  const { repository } = question;
  return {
    name: formatCanonical(repository),
    host: repository.host,
    ask: (unreachable) => poller.look(question, { signal, unreachable }),
  };
}

function toManifestQuestion(
  { repository, tag, platforms }: ManifestQuestion,
  registry: Pick<Registry, 'fetchManifest'>,
  { signal, timeoutMs }: LookupOptions,
): Question<ManifestInfo> {
  return {
    name: nameManifest({ repository, tag, platforms }),
    host: repository.host,
    async ask(unreachable) {
      if (unreachable !== undefined) return { error: unreachable };
      const name = formatCanonical({ ...repository, tag });
      const call = (limit: AbortSignal) => registry.fetchManifest(repository, tag, { signal: limit, platforms });
      return { value: await limitTime(call, { timeoutMs, signal, name }) };
    },
  };
}

async function askAll<Value>(
  answers: Map<string, Answer<Value>>,
  questions: readonly Question<Value>[],
  { concurrency, signal }: LookupOptions,
): Promise<void> {
  const open = new Map(questions.filter(({ name }) => !answers.has(name)).map((question) => [question.name, question]));
  const byHost = groupBy(open.values(), ({ host }) => host);
  await Promise.all([...byHost.values()].map((queue) => askHost(answers, queue, concurrency)));
  signal.throwIfAborted();
}

/** Once as many questions as are asked at a time found nobody there, the host's others are not asked in this pass. */
async function askHost<Value>(
  answers: Map<string, Answer<Value>>,
  queue: readonly Question<Value>[],
  concurrency: number,
): Promise<void> {
  let failures = 0;
  let lastFailure: unknown;
  await mapConcurrent(queue, concurrency, async ({ name, ask }) => {
    const answer = await ask(failures >= concurrency ? lastFailure : undefined).catch((error: unknown) => ({ error }));
    const failure = failureOf(answer);
    if (failure instanceof TallymanError && failure.code === 'RegistryUnavailable') {
      failures += 1;
      lastFailure = failure;
    }
    answers.set(name, answer);
  });
}

function nameManifest({ repository: { host, path }, tag, platforms }: ManifestQuestion): string {
  return `${formatCanonical({ host, path, tag })}${platforms ? ' with platforms' : ''}`;
}

function answerOf<Value>(answers: ReadonlyMap<string, Answer<Value>>, name: string): Answer<Value> {
  return answers.get(name) ?? { error: new Error(`${name} was not asked for`) };
}
