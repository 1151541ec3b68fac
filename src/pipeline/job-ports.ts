/** What running for months needs from the outside world: work that waits for its time, and a memory of what was seen when. */
import type { LedgerEntry, RepositoryLook } from '../sighting/sighting.ts';

interface CallOptions {
  readonly signal: AbortSignal;
}

/** Work of one kind on one subject. `{ subject: 'ghcr.io/acme/web', delayMs: 60000, urgent: false }` */
export interface JobRequest {
  /** What is to be worked on; at most 4,096 characters. What waits is not added twice. */
  readonly subject: string;
  /** From now on. */
  readonly delayMs: number;
  /** Goes before all that is due and not urgent: somebody is waiting. */
  readonly urgent: boolean;
  /** Changes nothing where the subject waits or runs already: its own time stays, and it runs no second time. Default false. */
  readonly ifAbsent?: boolean;
}

/** A job whose time has come. */
export interface RunningJob {
  readonly subject: string;
  /** When it was to run, in milliseconds since 1970, by the queue's clock. */
  readonly dueMs: number;
}

/** What becomes of a job that has run. */
export interface JobOutcome {
  /** It runs again after that time, or sooner where somebody adds it meanwhile; undefined: not by itself. */
  readonly againMs: number | undefined;
}

/** Works on one subject; what it throws is a defect, and has the job run again after a minute. The signal aborts where there is no time left to end well. */
export type RunJob = (job: RunningJob, options: CallOptions) => Promise<JobOutcome>;

export interface WorkOptions extends CallOptions {
  /** Jobs under way here at the same time. */
  readonly concurrency: number;
  /** After `signal` aborts nothing new begins, and what is under way has so long before its own signal aborts. */
  readonly drainMs: number;
}

/** Jobs of a queue at one moment. */
export interface QueueCounts {
  /** Due, and not begun. */
  readonly waiting: number;
  /** Not due yet. */
  readonly delayed: number;
  readonly running: number;
  /** How long the one that is due longest has been waiting, in milliseconds; 0 where none is. */
  readonly oldestMs: number;
}

/**
 * Jobs of one kind, each subject at most once: one that waits runs at the sooner of the times asked for, one that is running
 * runs once more afterwards. At least once: where a process dies, another begins its jobs again. Failures are
 * TallymanErrors: QueueUnavailable.
 */
export interface JobQueue {
  add(jobs: readonly JobRequest[], options: CallOptions): Promise<void>;
  /** Runs what becomes due until the signal aborts; resolves once nothing is under way here. A queue that cannot be reached is waited for. */
  work(run: RunJob, options: WorkOptions): Promise<void>;
  /** Rejects also where nothing could be added. */
  count(options: CallOptions): Promise<QueueCounts>;
  close(): Promise<void>;
}

/** What was first seen when, by repository (canonical name, `docker.io/library/nginx`). Failures are TallymanErrors: LedgerUnavailable. */
export interface Ledger {
  /**
   * The time that is recorded and that ages count to, in milliseconds since 1970, where those who share the ledger have one
   * clock; undefined where the caller's own serves. Throws LedgerUnavailable where no clock is to be trusted.
   */
  nowMs(options: CallOptions): Promise<number | undefined>;
  /** All entries of the repository, by tag; as fast as memory, for it is asked in each pass. */
  read(repository: string, options: CallOptions): Promise<ReadonlyMap<string, LedgerEntry>>;
  /**
   * Takes in what was seen, all or nothing, and never loses what another process takes in at the same time; kept on disk
   * once it resolves. An entry only ever gets a later time by another digest. All entries of the repository as they are now.
   */
  record(repository: string, look: RepositoryLook, options: CallOptions): Promise<ReadonlyMap<string, LedgerEntry>>;
  close(): Promise<void>;
}

/** What looks at a registry gave, as text that only workers read. */
export interface SharedAnswer {
  /** Of two of one name the greater is the newer: digits and a dot, compared by code units; at most 64 of them. */
  readonly order: string;
  readonly state: string;
  /** Which value: the same for the same; empty for none. */
  readonly version: string;
}

export interface SharedQuestion {
  /** At most 2,000 characters. */
  readonly name: string;
  /** Canonical name of the image repository that it is about. */
  readonly repository: string;
  /** Whether somebody wants the answer now, and all of it. */
  readonly use: 'none' | 'some' | 'more';
}

/** What is known of a name but for the value. */
export interface SharedState {
  readonly answer: SharedAnswer | undefined;
  /** Rises each time when something new is expected of the repository; 0: nothing is. */
  readonly expectations: number;
  /** How long ago somebody wanted the answer, and all of it; Infinity: nobody did. */
  readonly usedAgeMs: number;
  readonly moreAgeMs: number;
}

/**
 * Registries' answers that all workers share, each for two days after somebody wanted it. Never rejects but with the
 * signal's reason: undefined where it cannot be asked, and each worker goes on with what it knows.
 */
export interface AnswerStore {
  /** One for each question; `nowMs`: in milliseconds since 1970, by the one clock that all workers go by. */
  read(
    questions: readonly SharedQuestion[],
    options: CallOptions,
  ): Promise<{ readonly nowMs: number; readonly states: readonly SharedState[] } | undefined>;
  /** One for each name; undefined where there is none with a value. */
  readValues(
    names: readonly string[],
    options: CallOptions,
  ): Promise<readonly ((SharedAnswer & { readonly value: string }) | undefined)[] | undefined>;
  /** Replaces what is known, unless that is newer and of another order than `over`. */
  write(
    name: string,
    answer: SharedAnswer & { readonly value: string; readonly over?: string | undefined },
    options: CallOptions,
  ): Promise<void>;
  /** Says that something new is expected of the repositories concerned; those of them that anybody wanted. */
  expect(concerns: (repository: string) => boolean, options: CallOptions): Promise<readonly string[] | undefined>;
}

/** One request that wants to go out. */
export interface PaceQuestion {
  /** `https://ghcr.io` */
  readonly origin: string;
  /** Most that all workers together send there; undefined: no limit. */
  readonly requestsPerSecond: number | undefined;
  /** Whose pulls are counted; empty for everybody who does not sign in. */
  readonly account: string;
}

/** Pulls that a host says are left, as long as that counts. */
export interface SharedPulls {
  readonly left: number;
  readonly limit: number | undefined;
  readonly windowMs: number;
  /** How long ago the host said so. */
  readonly ageMs: number;
}

/** Times in milliseconds from now on. */
export interface PaceAnswer {
  /** So long the host wants to be left alone: ask again then. 0: the request may go out, after `waitMs`. */
  readonly pausedMs: number;
  readonly waitMs: number;
  readonly pulls: SharedPulls | undefined;
}

/** What workers tell each other of a registry host. Never rejects but with the signal's reason: where the others cannot be asked, each goes on by its own limits. */
export interface HostPace {
  /** Takes the next place in the rate; undefined where the others cannot be asked. */
  enter(question: PaceQuestion, options: CallOptions): Promise<PaceAnswer | undefined>;
  /** Tells all that the host wants to be left alone so long. */
  pause(origin: string, pausedMs: number): Promise<void>;
  /** Tells all what the host says of an account's pulls. */
  notePulls(question: Pick<PaceQuestion, 'origin' | 'account'>, pulls: Omit<SharedPulls, 'ageMs'>): Promise<void>;
}
