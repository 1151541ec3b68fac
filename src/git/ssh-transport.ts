/** Git over SSH: each request is one command on the server. Source: git's "gitprotocol-pack", "SSH Transport". */
import { once } from 'node:events';
import type { ClientChannel } from 'ssh2';
import { parseSshAddress } from '../address/ssh-address.ts';
import type { TallymanError } from '../error/tallyman-error.ts';
import { quoteServer, repoInvalid, repoUnavailable } from './errors.ts';
import { encodePacket, flushPacket } from './pkt-line.ts';
import { readPieces } from './read-pieces.ts';
import { createSshLink, type SshRun } from './ssh-link.ts';
import type { SshAccess } from './ssh-login-key.ts';
import { createSshReader, type SshAnswer } from './ssh-reader.ts';
import { fromSshRefusal } from './ssh-refusal.ts';
import type { GitService, GitTransport, TransportOptions } from './transport.ts';
import { createWatchdog, type TimeLimits, type Watchdog } from './watchdog.ts';

export interface SshTransportOptions extends TimeLimits {
  /** `ssh://user@host/path` or `user@host:path` */
  readonly url: string;
  /** Asked for each connection, so that changed files work at once. */
  readonly access: () => SshAccess;
  /** Asked right before a push's bytes leave, piece by piece; what it throws, the push throws. */
  readonly checkWrite?: (() => void) | undefined;
  /** Largest answer read, in bytes, with the server's first words. */
  readonly maxAnswerBytes: number;
}

interface Call extends TransportOptions {
  readonly service: GitService;
  /** Absent: the server's first words are all that is wanted. */
  readonly body?: Buffer;
}

/** A transport over SSH. The connection is kept between requests that follow each other within seconds. */
export function createSshTransport(options: SshTransportOptions): GitTransport {
  const reading = parseSshAddress(options.url);
  if ('wanted' in reading)
    throw repoInvalid(`Cannot use the address of a Yaml repo: it is none for SSH, ${reading.wanted} was wanted`);
  const address = reading.value;
  const shownUrl = options.url;
  const { access, timeoutMs, maxAnswerBytes, checkWrite } = options;
  const link = createSshLink({ address, shownUrl, access, timeoutMs });
  const request = async (call: Call): Promise<SshAnswer> => {
    const watchdog = createWatchdog(options, call.signal);
    let run: SshRun | undefined;
    try {
      const env: Record<string, string> = call.version2 ? { GIT_PROTOCOL: 'version=2' } : {};
      run = await link.run(`${call.service} ${quoteForShell(address.path)}`, { env, signal: watchdog.signal });
      watchdog.touch();
      const answer = await converse(run, { call, watchdog, shownUrl, maxBytes: maxAnswerBytes, checkWrite });
      run.release(true);
      return answer;
    } catch (error) {
      call.signal.throwIfAborted();
      const expired = watchdog.expired();
      if (expired !== undefined)
        throw repoUnavailable(`Cannot reach Yaml repo "${shownUrl}": ${expired}, an answer was wanted`);
      throw error;
    } finally {
      run?.release(false);
      watchdog.stop();
    }
  };
  return {
    shownUrl,
    async advertise(service, given) {
      const { advertisement } = await request({ ...given, service });
      // As HTTP has it, so that whoever reads it need not know.
      return Buffer.concat([encodePacket(`# service=${service}\n`), flushPacket, advertisement]);
    },
    exchange: async (service, body, given) => (await request({ ...given, service, body })).answer,
    close: async () => link.close(),
  };
}

/** As Git quotes a path for the server's shell (`sq_quote_buf`): `it's` becomes `'it'\''s'`. */
function quoteForShell(text: string): string {
  return `'${text.replace(/['!]/g, (sign) => `'\\${sign}'`)}'`;
}

interface Conversation {
  readonly call: Call;
  readonly watchdog: Watchdog;
  readonly shownUrl: string;
  readonly maxBytes: number;
  readonly checkWrite: (() => void) | undefined;
}

async function converse(run: SshRun, conversation: Conversation): Promise<SshAnswer> {
  const { call, shownUrl } = conversation;
  const { channel } = run;
  const reader = createSshReader({ channel, wantsAnswer: call.body !== undefined, ...conversation });
  channel.on('error', () => undefined);
  const sent = send(channel, conversation);
  const answer = await Promise.race([reader.finished, sent.then(() => reader.finished)]);
  if (call.body === undefined && answer.isAdvertised) {
    // A request for nothing: the command ends in peace.
    channel.end(flushPacket);
    return answer;
  }
  if (run.isCut() && answer.exitCode === undefined)
    throw repoUnavailable(`Cannot reach Yaml repo "${shownUrl}": the connection was cut, an answer was wanted`);
  checkAnswer(answer, conversation);
  return answer;
}

/** A pack without its end is found by its checksum; what is found here says more. */
function checkAnswer(answer: SshAnswer, { call, shownUrl }: Conversation): void {
  const { service } = call;
  const refuse = (words: string): TallymanError => fromSshRefusal({ shownUrl, service, words });
  if (answer.fault !== undefined) throw refuse(answer.fault);
  if (!answer.isAdvertised || answer.answer.length === 0) throw refuse(answer.said);
  if (service === 'git-upload-pack' && answer.exitCode !== undefined && answer.exitCode !== 0)
    throw refuse(answer.said);
  if (call.version2 === true && !answer.advertisement.subarray(4).toString('latin1', 0, 9).startsWith('version 2'))
    throw repoUnavailable(
      `Cannot read Yaml repo "${shownUrl}": the server said "${quoteServer(answer.advertisement.toString('utf8', 0, 60))}", protocol version 2 was wanted`,
    );
}

/** Piece by piece: each that is taken shows that the server is there. Throws what `checkWrite` does; other failures are seen by the reader. */
async function send(channel: ClientChannel, { call, watchdog, checkWrite }: Conversation): Promise<void> {
  const { body, service } = call;
  if (body === undefined) return;
  for (const piece of readPieces(body, service === 'git-receive-pack' ? checkWrite : undefined)) {
    if (!channel.writable) return;
    const taken = channel.write(piece, () => watchdog.touch());
    if (!taken) await Promise.race([once(channel, 'drain'), once(channel, 'close')]).catch(() => undefined);
  }
  if (channel.writable) channel.end();
}
