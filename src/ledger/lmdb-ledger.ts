/** The embedded ledger: one LMDB file in the state folder, which several processes of one machine may use at the same time. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { RootDatabase } from 'lmdb';
import { TallymanError } from '../error/tallyman-error.ts';
import type { Ledger } from '../pipeline/job-ports.ts';
import type { Clock } from '../pipeline/ports.ts';
import { mergeSightings } from '../sighting/merge-sighting.ts';
import { packEntries, unpackEntries } from '../sighting/pack-entries.ts';
import type { LedgerEntry, RepositoryLook } from '../sighting/sighting.ts';
import { untilAborted } from '../signal/until-aborted.ts';
import { checkDataFile } from './check-data-file.ts';
import { damaged, toLedgerFailure } from './failure.ts';
import { createLastLooks } from './last-looks.ts';
import { makeRoom, tryLockRoom } from './make-room.ts';
import { takeProcessLock } from './process-lock.ts';
import { createTurns } from './turns.ts';

type Entries = ReadonlyMap<string, LedgerEntry>;

interface Recording {
  readonly repository: string;
  readonly look: RepositoryLook;
  /** What was there when it was asked for, and what the look makes of it. */
  readonly before: string | undefined;
  readonly merged: Entries;
  readonly signal: AbortSignal;
  resolve(entries: Entries): void;
  reject(error: unknown): void;
}

/** Address space, not disk: the file is little larger than what is in it. 5,000 repositories of 1,000 tags are 125 MB. */
const mapSize = 16 * 2 ** 30;
/** Longest that what is recorded keeps everything else waiting. Those that share one write to the disk (some 10 ms) take no longer; what is left waits for the next. */
const maxBatchMs = 50;
/** Pages that change with each value, beside its own, and with each transaction. */
const pathBytes = 32 * 1024;
const transactionBytes = 256 * 1024;
/** LMDB takes keys up to 1,978 bytes. */
const maxKeyLength = 512;

/** `ledger.mdb` in the folder; opened, and made, at the first use; one that failed to open is tried again at the next. */
export function createLmdbLedger({ stateDir, clock }: { stateDir: string; clock: LedgerClock }): Ledger {
  const file = join(stateDir, 'ledger.mdb');
  const closing = new AbortController();
  let opening: Promise<RootDatabase<string, string>> | undefined;
  const giveWay = createTurns(maxBatchMs);
  const lastLooks = createLastLooks();
  const waiting: Recording[] = [];
  let writing: Promise<void> | undefined;

  async function open(signal: AbortSignal): Promise<RootDatabase<string, string>> {
    signal.throwIfAborted();
    opening ??= openFile(file, closing.signal);
    try {
      return await opening;
    } catch (error) {
      opening = undefined;
      throw error;
    }
  }

  async function writeWaiting(database: RootDatabase<string, string>): Promise<void> {
    while (waiting.length > 0) {
      // Who records in the same turn shares the write.
      await new Promise((resolve) => setImmediate(resolve));
      await attemptAlone(file, closing.signal, () => writeBatch({ database, file, lastLooks }, waiting)).catch(
        rejectWaiting,
      );
    }
    writing = undefined;
  }

  function rejectWaiting(error: unknown): void {
    for (const { reject } of waiting.splice(0)) reject(toLedgerFailure(file, 'write', error));
  }

  return {
    async nowMs() {
      const aheadMs = clock.wallMs() - clock.nowMs();
      if (Math.abs(aheadMs) > maxSetMs) throw clockWasSet(file, aheadMs);
      return undefined;
    },
    async read(repository, { signal }) {
      const place = { database: await open(signal), file };
      return unpack(file, repository, readText(place, repository));
    },
    async record(repository, look, { signal }) {
      const database = await open(signal);
      await giveWay();
      signal.throwIfAborted();
      const before = readText({ database, file }, repository);
      const known = unpack(file, repository, before);
      const merged = mergeSightings(known, look);
      const isNoted = () => !lastLooks.isDue(database, toKey(repository), look.nowMs);
      if (merged === known && attempt(file, 'read', isNoted)) return known;
      const recorded = new Promise<Entries>((resolve, reject) => {
        waiting.push({ repository, look, before, merged, signal, resolve, reject });
      });
      writing ??= writeWaiting(database);
      return await untilAborted(recorded, signal);
    },
    async close() {
      closing.abort();
      const database = await opening?.catch(() => undefined);
      opening = undefined;
      await writing;
      await database?.close();
    },
  };
}

/** Time as it passes, and what the machine's clock shows. */
type LedgerClock = Pick<Clock, 'nowMs' | 'wallMs'>;

/** Time services set clocks by less, but for the first time. */
const maxSetMs = 60_000;

function clockWasSet(file: string, aheadMs: number): TallymanError {
  const found = `this machine's clock was set ${aheadMs > 0 ? 'forward' : 'back'} by ${Math.round(Math.abs(aheadMs) / 1000)} s since Tallyman started`;
  return new TallymanError('LedgerUnavailable', `Cannot tell ages: ${found}, one that runs evenly was wanted`, {
    remedy: `Check the time service of the machine; once the time is right, restart Tallyman${aheadMs > 0 ? `. If it was wrong before, remove "${file}" with its "-lock" first: what was seen then is too old` : ''}.`,
  });
}

async function openFile(file: string, signal: AbortSignal): Promise<RootDatabase<string, string>> {
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    const { open } = await import('lmdb');
    return await attemptAlone(file, signal, () => {
      checkDataFile(file);
      if (!existsSync(`${file}-lock`)) tryLockRoom(file);
      // Without overlappingSync a commit is on the disk when it is done.
      const options = { path: file, noSubdir: true, encoding: 'string', overlappingSync: false, mapSize } as const;
      const database = open<string, string>(options);
      // The first read takes a lock of LMDB's, too.
      database.get('none');
      return database;
    });
  } catch (error) {
    throw toLedgerFailure(file, 'open', error);
  }
}

/** Longest wait for another process that writes: one takes some 10 ms at a time, unless it is stopped. */
const maxLockWaitMs = 10_000;

/**
 * Runs it while no other process writes. LMDB's own locks are never waited for: where a process is killed just as it is
 * given one (futex(2), robust list: the next of those that wait is not woken if the last holder has it again), another
 * stands still for ever, with all that it does.
 */
async function attemptAlone<Result>(file: string, signal: AbortSignal, run: () => Result): Promise<Result> {
  const release = await takeProcessLock(dirname(file), { signal, waitMs: maxLockWaitMs });
  if (release === undefined)
    throw new TallymanError(
      'LedgerUnavailable',
      `Cannot lock ledger "${file}": another process has been writing there for ${maxLockWaitMs / 1000} s, its end was wanted`,
      { remedy: 'End or continue the Tallyman that was stopped on this machine; it is tried again by itself.' },
    );
  try {
    return run();
  } finally {
    release();
  }
}

interface Place {
  readonly database: RootDatabase<string, string>;
  readonly file: string;
}

interface WritePlace extends Place {
  readonly lastLooks: ReturnType<typeof createLastLooks>;
}

function readText({ database, file }: Place, repository: string): string | undefined {
  return attempt(file, 'read', () => database.get(toKey(repository)));
}

function unpack(file: string, repository: string, text: string | undefined): Entries {
  if (text === undefined) return new Map();
  const unpacked = unpackEntries(repository, text);
  if ('fault' in unpacked) throw damaged(file, `what it has of "${repository}" is damaged (${unpacked.fault})`);
  return unpacked.entries;
}

/** Takes some of those that wait; in one transaction, synchronously: LMDB's own thread for writes leaves failures unhandled where the disk is full. */
function writeBatch(place: WritePlace, waiting: Recording[]): void {
  const batch: Recording[] = [];
  const settled: (() => void)[] = [];
  let bytes = transactionBytes;
  const untilMs = performance.now() + maxBatchMs;
  const { database, file } = place;
  try {
    attempt(file, 'write', () =>
      database.transactionSync(() => {
        do {
          for (const recording of waiting.splice(0, 1)) {
            batch.push(recording);
            const { settle, written } = recordOne(place, recording);
            settled.push(settle);
            bytes += written + pathBytes;
          }
        } while (waiting.length > 0 && performance.now() < untilMs);
        // What this throws ends the transaction before anything of it is written.
        makeRoom(file, bytes);
      }),
    );
  } catch (error) {
    for (const { reject } of batch) reject(error);
    return;
  }
  for (const settle of settled) settle();
}

interface Recorded {
  /** Answers the caller; once it is on the disk. */
  settle(): void;
  /** Bytes of the value. */
  readonly written: number;
}

/** Inside the transaction, where nobody else writes. */
function recordOne(place: WritePlace, recording: Recording): Recorded {
  const { repository, look, before, signal, resolve, reject } = recording;
  const { database, lastLooks } = place;
  const key = toKey(repository);
  if (signal.aborted) return { settle: () => reject(signal.reason), written: 0 };
  try {
    const text = readText(place, repository);
    const known = text === before ? undefined : unpack(place.file, repository, text);
    const next = known === undefined ? recording.merged : mergeSightings(known, look);
    const packed = next === known ? '' : packEntries(repository, next);
    if (packed !== '') database.putSync(key, packed);
    if (lastLooks.isDue(database, key, look.nowMs)) lastLooks.note(database, key, look.nowMs);
    if (text === undefined) lastLooks.forgetSome(database, look.nowMs);
    return { settle: () => resolve(next), written: packed.length };
  } catch (error) {
    // What is damaged of one repository keeps no other from being recorded.
    if (error instanceof Error && error.name === 'TallymanError') return { settle: () => reject(error), written: 0 };
    throw error;
  }
}

function attempt<Result>(file: string, verb: 'read' | 'write', run: () => Result): Result {
  try {
    return run();
  } catch (error) {
    throw toLedgerFailure(file, verb, error);
  }
}

/** The name, or its hash where it is long; the name stands in the value too. */
function toKey(repository: string): string {
  if (repository.length <= maxKeyLength) return repository;
  return `sha256:${createHash('sha256').update(repository).digest('hex')}`;
}
