/** Reads what a Git command on an SSH server says: its first words, its answer, and what it says to people. */
import type { ClientChannel } from 'ssh2';
import { repoInvalid } from './errors.ts';
import type { Watchdog } from './watchdog.ts';

export interface SshAnswer {
  /** The server's first words, up to and with their flush packet. */
  readonly advertisement: Buffer;
  /** Whether they came whole. */
  readonly isAdvertised: boolean;
  /** What follows them. */
  readonly answer: Buffer;
  /** What the server says to people: its standard error, or its output where that is no Git. */
  readonly said: string;
  /** The refusal within Git's own words (`ERR …`). */
  readonly fault: string | undefined;
  /** Undefined where the server did not tell. */
  readonly exitCode: number | undefined;
}

interface Reading {
  readonly channel: ClientChannel;
  /** False: the first words are all that is wanted. */
  readonly wantsAnswer: boolean;
  readonly watchdog: Watchdog;
  readonly shownUrl: string;
  readonly maxBytes: number;
}

/** More than a person would read. */
const maxSaidBytes = 16 * 1024;

/** Reads until the command ends, or until its first words are there; rejects where it says too much, or with the watchdog. */
export function createSshReader(reading: Reading): { readonly finished: Promise<SshAnswer> } {
  const { channel, watchdog, shownUrl, maxBytes } = reading;
  const head = createHead();
  const tail: Buffer[] = [];
  const errors: Buffer[] = [];
  let bytes = 0;
  let errorBytes = 0;
  let exitCode: number | undefined;
  const collect = (): SshAnswer => head.collect(Buffer.concat(tail), Buffer.concat(errors).toString('utf8'), exitCode);
  const finished = new Promise<SshAnswer>((resolve, reject) => {
    const abort = (): void => reject(watchdog.signal.reason);
    if (watchdog.signal.aborted) abort();
    watchdog.signal.addEventListener('abort', abort, { once: true });
    channel.on('data', (chunk: Buffer) => {
      watchdog.touch();
      bytes += chunk.length;
      if (bytes > maxBytes) reject(tooLarge(shownUrl, maxBytes));
      else tail.push(head.take(chunk));
      if (!reading.wantsAnswer && head.isWhole()) resolve(collect());
    });
    channel.stderr.on('data', (chunk: Buffer) => {
      watchdog.touch();
      if (errorBytes < maxSaidBytes) errors.push(chunk.subarray(0, maxSaidBytes - errorBytes));
      errorBytes += chunk.length;
    });
    channel.on('exit', (code: number | null) => {
      exitCode = code ?? -1;
    });
    channel.on('close', () => resolve(collect()));
  });
  return { finished };
}

function tooLarge(shownUrl: string, maxBytes: number): Error {
  const found = `the answer has more than ${maxBytes} bytes`;
  return repoInvalid(`Cannot read Yaml repo "${shownUrl}": ${found}`, 'Use a smaller Yaml repo.');
}

interface Head {
  /** Takes the first words out of the chunk; gives the rest. */
  take(chunk: Buffer): Buffer;
  isWhole(): boolean;
  collect(answer: Buffer, errors: string, exitCode: number | undefined): SshAnswer;
}

/** Follows the packets' lengths from chunk to chunk, so that no byte is looked at twice. */
function createHead(): Head {
  const chunks: Buffer[] = [];
  let digits = '';
  let left = 0;
  let state: 'reading' | 'whole' | 'no Git' = 'reading';
  const scan = (chunk: Buffer): number => {
    let at = 0;
    while (at < chunk.length && state === 'reading') {
      if (left > 0) {
        const step = Math.min(left, chunk.length - at);
        left -= step;
        at += step;
        continue;
      }
      digits += chunk.toString('latin1', at, at + 1);
      at += 1;
      if (digits.length < 4) continue;
      const length = /^[0-9a-f]{4}$/i.test(digits) ? Number.parseInt(digits, 16) : 3;
      digits = '';
      if (length === 0) state = 'whole';
      else if (length < 4) state = 'no Git';
      else left = length - 4;
    }
    return at;
  };
  return {
    take(chunk) {
      if (state === 'whole') return chunk;
      const at = state === 'no Git' ? chunk.length : scan(chunk);
      const end = state === 'no Git' ? chunk.length : at;
      chunks.push(chunk.subarray(0, end));
      return chunk.subarray(end);
    },
    isWhole: () => state === 'whole',
    collect(answer, errors, exitCode) {
      const advertisement = Buffer.concat(chunks);
      const words = advertisement.subarray(0, maxSaidBytes).toString('utf8');
      const fault = /^[0-9a-f]{4}ERR (.*)/i.exec(words)?.[1];
      const said = state === 'no Git' ? `${errors}\n${words}` : errors;
      return { advertisement, isAdvertised: state === 'whole', answer, said, fault, exitCode };
    },
  };
}
