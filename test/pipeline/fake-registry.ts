/** A registry in memory that counts what it is asked. */
import { TallymanError } from '../../src/error/tallyman-error.ts';
import type { Answer } from '../../src/pipeline/answer.ts';
import type { Clock, ManifestInfo, Registry, TagListing } from '../../src/pipeline/ports.ts';

/** A time that tests move; no chance in it, unless `random` is set. */
export interface TestClock extends Clock {
  time: number;
  chance: number;
}

export function testClock(startMs = 1_700_000_000_000): TestClock {
  const clock: TestClock = {
    time: startMs,
    chance: 0.5,
    nowMs: () => clock.time,
    wallMs: () => clock.time,
    random: () => clock.chance,
    sleep: async () => undefined,
  };
  return clock;
}

/** A time that tests let pass; who sleeps wakes then. */
export interface HandClock extends TestClock {
  pass(ms: number): void;
  /** How many sleep. */
  readonly sleepers: number;
}

export function handClock(): HandClock {
  const sleepers = new Map<() => void, number>();
  const clock: HandClock = {
    time: testClock().time,
    chance: 0.5,
    nowMs: () => clock.time,
    wallMs: () => clock.time,
    random: () => clock.chance,
    sleep: (ms, { signal }) =>
      new Promise((resolve) => {
        const wake = () => {
          sleepers.delete(wake);
          resolve();
        };
        sleepers.set(wake, clock.time + ms);
        signal.addEventListener('abort', wake, { once: true });
      }),
    pass(ms) {
      clock.time += ms;
      for (const [wake, endMs] of sleepers) if (endMs <= clock.time) wake();
    },
    get sleepers() {
      return sleepers.size;
    },
  };
  return clock;
}

/** `1.0.0`, `RegistryDenied Cannot list`, or `1.0.0, but RegistryDenied Cannot list` for an earlier answer. */
export function describeAnswer(answer: Answer<unknown>): string {
  const describe = (error: unknown) =>
    error instanceof TallymanError ? `${error.code} ${error.message}` : String(error);
  if ('error' in answer) return describe(answer.error);
  return `${answer.value}${answer.stale === undefined ? '' : `, but ${describe(answer.stale.error)}`}`;
}

export const unavailable = new TallymanError('RegistryUnavailable', 'Cannot reach it');

export const listingOf = (...tags: string[]): TagListing => ({ tags, pushedMs: undefined });

export const manifestWith = (parts: Partial<ManifestInfo> = {}): ManifestInfo => ({
  digest: `sha256:${'ab'.repeat(32)}`,
  annotations: {},
  platforms: undefined,
  ...parts,
});

export interface FakeRegistry extends Registry {
  /** `list ghcr.io/acme/web`, with ` times` or ` platforms` where they were wanted too. */
  readonly asked: string[];
}

/** Its answers are those of the functions; by default one tag, whose manifest is there. */
export function fakeRegistry(parts: Partial<Registry> = {}): FakeRegistry {
  const { listTags = async () => listingOf('1.0.0'), fetchManifest = async () => manifestWith() } = parts;
  const asked: string[] = [];
  return {
    asked,
    listTags(repository, options) {
      asked.push(`list ${repository.host}/${repository.path}${options.pushTimes ? ' times' : ''}`);
      return listTags(repository, options);
    },
    fetchManifest(repository, tag, options) {
      asked.push(`get ${repository.host}/${repository.path}:${tag}${options.platforms ? ' platforms' : ''}`);
      return fetchManifest(repository, tag, options);
    },
  };
}

/** A registry that never answers. */
export const hang: Registry['listTags'] = (_repository, { signal }) =>
  new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
