/** A ledger in memory, for tests of what needs one. */
import { TallymanError } from '../../src/error/tallyman-error.ts';
import type { Ledger } from '../../src/pipeline/job-ports.ts';
import { mergeSightings } from '../../src/sighting/merge-sighting.ts';
import { packEntries, unpackEntries } from '../../src/sighting/pack-entries.ts';

export interface MemoryLedger extends Ledger {
  /** By repository, as other ledgers keep them too. */
  readonly texts: Map<string, string>;
  /** How often something was written. */
  writes: number;
  /** What every call throws, where it is set. */
  failure: TallymanError | undefined;
  /** The clock of all who share it, where they have one. */
  sharedMs: number | undefined;
}

export function memoryLedger(texts: Map<string, string> = new Map()): MemoryLedger {
  const read = (repository: string, signal: AbortSignal) => {
    signal.throwIfAborted();
    if (ledger.failure !== undefined) throw ledger.failure;
    const text = texts.get(repository);
    const unpacked = text === undefined ? { entries: new Map<string, never>() } : unpackEntries(repository, text);
    if ('entries' in unpacked) return unpacked.entries;
    throw new TallymanError('LedgerUnavailable', `Cannot use the ledger of "${repository}": ${unpacked.fault}`);
  };
  const ledger: MemoryLedger = {
    texts,
    writes: 0,
    failure: undefined,
    sharedMs: undefined,
    nowMs: async () => {
      if (ledger.failure !== undefined) throw ledger.failure;
      return ledger.sharedMs;
    },
    read: async (repository, { signal }) => read(repository, signal),
    async record(repository, look, { signal }) {
      const known = read(repository, signal);
      const next = mergeSightings(known, look);
      if (next === known) return known;
      ledger.writes += 1;
      texts.set(repository, packEntries(repository, next));
      return next;
    },
    close: async () => undefined,
  };
  return ledger;
}
