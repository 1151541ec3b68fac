/** One process at a time: a lock that ends with its holder, however that ends, and that others wait for without standing still. */
import { once } from 'node:events';
import { type BigIntStats, statSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { findCode } from '../error/find-code.ts';

/** Gives the lock back. */
export type Release = () => void;

/**
 * Waits until nobody else holds the lock of the folder; undefined where that takes longer, or the signal aborts. The lock
 * is a socket with a name of its own (unix(7), "abstract"): the kernel lets one process listen there, and tells those
 * that are connected when it ends. Elsewhere than on Linux there is none, and nothing is waited for.
 */
export async function takeProcessLock(
  folder: string,
  { signal, waitMs }: { signal: AbortSignal; waitMs: number },
): Promise<Release | undefined> {
  if (process.platform !== 'linux') return () => undefined;
  const path = toSocketName(statSync(folder, { bigint: true }));
  const until = performance.now() + waitMs;
  for (;;) {
    const release = await tryListen(path);
    const leftMs = until - performance.now();
    if (release !== undefined || leftMs <= 0 || signal.aborted) return release;
    await waitForEnd(path, { signal, waitMs: leftMs });
  }
}

/** By the folder itself, which may have several paths. */
function toSocketName({ dev, ino }: BigIntStats): string {
  return `\0tallyman-ledger-${dev}-${ino}`;
}

/** Undefined where somebody listens there already. */
async function tryListen(path: string): Promise<Release | undefined> {
  const waiting = new Set<Socket>();
  const server: Server = createServer((socket) => {
    waiting.add(socket);
    socket.on('error', () => undefined).on('close', () => waiting.delete(socket));
  });
  try {
    server.listen({ path });
    await once(server, 'listening');
  } catch (error) {
    if (findCode(error) === 'EADDRINUSE') return undefined;
    throw error;
  }
  return () => {
    server.close();
    for (const socket of waiting) socket.destroy();
  };
}

/** Until the holder lets go, the time is over or the signal aborts. */
async function waitForEnd(path: string, { signal, waitMs }: { signal: AbortSignal; waitMs: number }): Promise<void> {
  const socket = connect({ path });
  const end = (): void => void socket.destroy();
  const timer = setTimeout(end, waitMs);
  signal.addEventListener('abort', end);
  try {
    // A refused or reset connection tells the same as one that ends.
    socket.on('error', () => undefined).resume();
    await new Promise((resolve) => socket.on('close', resolve));
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', end);
  }
}
