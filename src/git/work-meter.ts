/** What it costs to read a download: bounded in all, and done in pieces between which others have their turn. */
import { setImmediate } from 'node:timers/promises';
import { damaged } from './errors.ts';

export interface WorkMeter {
  /** Counts bytes made, before they are made; throws `RepoInvalid` above the limit. */
  add(bytes: number): void;
  /** Where enough was done since the last turn, the event loop gets one; throws the signal's reason where that is aborted. */
  rest(): Promise<void>;
  /** A turn in any case. */
  turn(): Promise<void>;
  readonly signal: AbortSignal;
}

/** Some milliseconds of copying or hashing. */
export const bytesPerTurn = 4 * 1024 ** 2;
/** What an object costs besides its bytes. */
const bytesPerObject = 4096;

/** Counts from nothing; `add` is called once for each object at least. */
export function createWorkMeter({ maxBytes, signal }: { maxBytes: number; signal: AbortSignal }): WorkMeter {
  let bytes = 0;
  let sinceTurn = 0;
  const turn = async (): Promise<void> => {
    sinceTurn = 0;
    await setImmediate();
    signal.throwIfAborted();
  };
  return {
    add(made) {
      bytes += made;
      sinceTurn += made + bytesPerObject;
      if (bytes > maxBytes) throw damaged('a pack', `it unfolds to more than ${maxBytes} bytes`);
    },
    async rest() {
      if (sinceTurn >= bytesPerTurn) await turn();
    },
    turn,
    signal,
  };
}
