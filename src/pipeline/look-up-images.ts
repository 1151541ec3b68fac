/** Asks the registry, once in a pass for each question, and keeps a failure to the policies it concerns. */
import { groupBy } from '../collection/group-by.ts';
import { TallymanError } from '../error/tallyman-error.ts';
import { formatCanonical, type ImageRepository } from '../image/reference.ts';
import { mapConcurrent } from './map-concurrent.ts';
import type { ManifestInfo, Registry, TagListing } from './ports.ts';

/** An answer, or why there is none. */
export type Answer<Value> = { readonly value: Value } | { readonly error: unknown };

/** The registry's answers of one pass. */
export interface ImageLookup {
  /** Asks for all repositories not asked for yet. */
  listTags(repositories: readonly ImageRepository[]): Promise<void>;
  /** Asks for all manifests not asked for yet. */
  fetchManifests(images: readonly { repository: ImageRepository; tag: string }[]): Promise<void>;
  tagsOf(repository: ImageRepository): Answer<TagListing>;
  manifestOf(repository: ImageRepository, tag: string): Answer<ManifestInfo>;
}

interface LookupOptions {
  readonly concurrency: number;
  /** Longest wait for one question with all its retries: a dead registry must not hold up the commits of the others. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** A lookup that asks each question once, each host in a queue of its own. */
export function createImageLookup(registry: Registry, options: LookupOptions): ImageLookup {
  const tags = new Map<string, Answer<TagListing>>();
  const manifests = new Map<string, Answer<ManifestInfo>>();
  return {
    listTags: (repositories) =>
      askAll(
        tags,
        repositories.map((repository) => ({
          name: formatCanonical(repository),
          host: repository.host,
          ask: (signal) => registry.listTags(repository, { signal }),
        })),
        options,
      ),
    fetchManifests: (images) =>
      askAll(
        manifests,
        images.map(({ repository, tag }) => ({
          name: nameManifest(repository, tag),
          host: repository.host,
          ask: (signal) => registry.fetchManifest(repository, tag, { signal }),
        })),
        options,
      ),
    tagsOf: (repository) => answerOf(tags, formatCanonical(repository)),
    manifestOf: (repository, tag) => answerOf(manifests, nameManifest(repository, tag)),
  };
}

interface Question<Value> {
  readonly name: string;
  readonly host: string;
  ask(signal: AbortSignal): Promise<Value>;
}

async function askAll<Value>(
  answers: Map<string, Answer<Value>>,
  questions: readonly Question<Value>[],
  options: LookupOptions,
): Promise<void> {
  const open = new Map(questions.filter(({ name }) => !answers.has(name)).map((question) => [question.name, question]));
  const byHost = groupBy(open.values(), ({ host }) => host);
  await Promise.all([...byHost.values()].map((queue) => askHost(answers, queue, options)));
  options.signal.throwIfAborted();
}

/** Once as many questions as are asked at a time found nobody there, the host's others are not asked in this pass. */
async function askHost<Value>(
  answers: Map<string, Answer<Value>>,
  queue: readonly Question<Value>[],
  options: LookupOptions,
): Promise<void> {
  let failures = 0;
  let lastFailure: Answer<Value> | undefined;
  await mapConcurrent(queue, options.concurrency, async (question) => {
    const givenUp = failures >= options.concurrency ? lastFailure : undefined;
    const answer = givenUp ?? (await settle(question, options));
    if (isUnreachable(answer)) {
      failures += 1;
      lastFailure = answer;
    }
    answers.set(question.name, answer);
  });
}

function isUnreachable(answer: Answer<unknown>): boolean {
  return 'error' in answer && answer.error instanceof TallymanError && answer.error.code === 'RegistryUnavailable';
}

/** Not AbortSignal.any: on Node 20 each of its signals stays hooked to the daemon's own for ever. */
async function settle<Value>(
  { name, ask }: Question<Value>,
  { signal, timeoutMs }: LookupOptions,
): Promise<Answer<Value>> {
  const limit = new AbortController();
  const stop = () => limit.abort(signal.reason);
  const found = `there was no answer within ${timeoutMs / 1000} s, retries included`;
  const late = new TallymanError('RegistryUnavailable', `Cannot look up image "${name}": ${found}`);
  const timer = setTimeout(() => limit.abort(late), timeoutMs);
  signal.addEventListener('abort', stop, { once: true });
  try {
    signal.throwIfAborted();
    return { value: await ask(limit.signal) };
  } catch (error) {
    return { error };
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
  }
}

function nameManifest({ host, path }: ImageRepository, tag: string): string {
  return formatCanonical({ host, path, tag });
}

function answerOf<Value>(answers: ReadonlyMap<string, Answer<Value>>, name: string): Answer<Value> {
  return answers.get(name) ?? { error: new Error(`${name} was not asked for`) };
}
