/** Keeps one SSH connection between requests, and ends it when it is idle. */
import type { ClientChannel } from 'ssh2';
import { TallymanError } from '../error/tallyman-error.ts';
import { untilAborted } from '../signal/until-aborted.ts';
import { fromNetwork, repoUnavailable } from './errors.ts';
import { openSshConnection, type SshConnection, type SshTarget } from './ssh-connection.ts';

export interface SshLink {
  /** Starts the command over the connection that there is, or a new one. Always released, also after an abort. */
  run(command: string, options: RunOptions): Promise<SshRun>;
  close(): void;
}

interface RunOptions {
  readonly env: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

/** A running command. */
export interface SshRun {
  readonly channel: ClientChannel;
  /** Whether the connection, rather than the command, has ended. */
  isCut(): boolean;
  /** `fit`: whether the connection may be used again. */
  release(fit: boolean): void;
}

/** How long a connection waits for the next request: about one pass. */
const idleMs = 15_000;

interface Kept {
  readonly connection: Promise<SshConnection>;
  users: number;
  isFit: boolean;
}

export function createSshLink(target: SshTarget): SshLink {
  let current: Kept | undefined;
  let idle: NodeJS.Timeout | undefined;
  const drop = (kept: Kept): void => {
    kept.isFit = false;
    if (current === kept) current = undefined;
    if (kept.users === 0) kept.connection.then((connection) => connection.end()).catch(() => undefined);
  };
  const release = (kept: Kept, fit: boolean): void => {
    kept.users--;
    if (!fit || !kept.isFit) drop(kept);
    else if (kept.users === 0) idle = setTimeout(drop, idleMs, kept).unref();
  };
  const take = (): { kept: Kept; isNew: boolean } => {
    clearTimeout(idle);
    const isNew = current === undefined;
    current ??= { connection: openSshConnection(target), users: 0, isFit: true };
    current.users++;
    return { kept: current, isNew };
  };
  return {
    async run(command, options) {
      for (;;) {
        const { kept, isNew } = take();
        try {
          const channel = await untilAborted(start(kept, command, options), options.signal);
          return toRun(channel, await kept.connection, (fit) => release(kept, fit));
        } catch (error) {
          release(kept, false);
          options.signal.throwIfAborted();
          // A kept connection may have ended in the meantime; the command has not begun, so it may be begun again.
          if (isNew || error instanceof TallymanError) throw toFailure(error, target.shownUrl);
        }
      }
    },
    close() {
      clearTimeout(idle);
      if (current !== undefined) drop(current);
    },
  };
}

async function start(kept: Kept, command: string, { env, signal }: RunOptions): Promise<ClientChannel> {
  const connection = await kept.connection;
  const channel = await connection.run(command, env);
  if (signal.aborted) channel.close();
  return channel;
}

function toRun(channel: ClientChannel, connection: SshConnection, release: (fit: boolean) => void): SshRun {
  let isReleased = false;
  return {
    channel,
    isCut: () => !connection.isOpen(),
    release(fit) {
      if (isReleased) return;
      isReleased = true;
      channel.close();
      release(fit && connection.isOpen());
    },
  };
}

function toFailure(error: unknown, shownUrl: string): TallymanError {
  if (error instanceof TallymanError) return error;
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (typeof code === 'string') return fromNetwork(error, shownUrl);
  const found = 'the SSH server starts no command';
  return repoUnavailable(`Cannot reach Yaml repo "${shownUrl}": ${found}, Git's was wanted`, error);
}
