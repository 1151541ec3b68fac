/** When repositories were last looked at: what nobody watches any more is forgotten one day, so that the file stays as small as what is watched. */
import type { RootDatabase } from 'lmdb';
import { keptMs } from '../sighting/sighting.ts';

/** No repository has a space in its name. */
const prefix = 'looked ';
const end = 'looked!';

/** A look is noted again once it is so old, and may be so much younger than its note: each is written a dozen times a year. */
const noteMs = 30 * 86_400_000;
/** In this time everything that is watched is looked at, and noted anew where it is due: also where the clock was put right by a year. */
const settleMs = 86_400_000;
/** Stamps that are read for each repository that is new: more than one, so that the old go sooner than new ones come. */
const maxRead = 4;

/**
 * Notes looks beside the entries, and removes those that are too old with theirs: a few for each repository that is new,
 * from where it ended the time before. All but `isDue` inside of a transaction.
 */
export function createLastLooks() {
  let from = prefix;
  let sinceMs: number | undefined;

  /** NaN where none is there, or none that is one. */
  function readAgeMs(database: RootDatabase<string, string>, key: string, nowMs: number): number {
    return nowMs - Number.parseInt(database.get(prefix + key) ?? '', 36);
  }

  return {
    isDue: (database: RootDatabase<string, string>, key: string, nowMs: number): boolean =>
      !(readAgeMs(database, key, nowMs) < noteMs),

    note(database: RootDatabase<string, string>, key: string, nowMs: number): void {
      database.putSync(prefix + key, nowMs.toString(36));
    },

    forgetSome(database: RootDatabase<string, string>, nowMs: number): void {
      sinceMs ??= nowMs;
      if (nowMs - sinceMs < settleMs) return;
      const stamps = [...database.getKeys({ start: from, end, limit: maxRead + 1 })];
      for (const stamp of stamps.slice(0, maxRead)) {
        const key = stamp.slice(prefix.length);
        if (!(readAgeMs(database, key, nowMs) >= keptMs + noteMs)) continue;
        database.removeSync(key);
        database.removeSync(stamp);
      }
      from = stamps[maxRead] ?? prefix;
    },
  };
}
