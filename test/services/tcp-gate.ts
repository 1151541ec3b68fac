/** Stands between a client and a server, and lets nothing through while it is shut: neither data nor an end. */

import type { AddressInfo } from 'node:net';
import { connect, createServer, type Socket } from 'node:net';

export interface TcpGate {
  readonly port: number;
  /** Shut, connections stay and new ones are taken, as where packets get lost on the way. */
  shut(isShut: boolean): void;
  close(): Promise<void>;
}

/** Listens on a free port of 127.0.0.1, for the server that listens on another one. */
export async function startTcpGate(serverPort: number): Promise<TcpGate> {
  const sockets = new Set<Socket>();
  let isShut = false;
  const keep = (socket: Socket, other: () => Socket | undefined): void => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => {
      sockets.delete(socket);
      if (!isShut) other()?.destroy();
    });
  };
  const join = (client: Socket): void => {
    const server = connect(serverPort, '127.0.0.1');
    keep(server, () => client);
    client.once('close', () => server.destroy());
    client.pipe(server).pipe(client);
  };
  const gate = createServer((client) => {
    keep(client, () => undefined);
    // Who came while it was shut never hears of it.
    if (!isShut) join(client);
  });
  await new Promise<void>((resolve) => gate.listen(0, '127.0.0.1', resolve));
  return {
    port: (gate.address() as AddressInfo).port,
    shut(now) {
      isShut = now;
      for (const socket of sockets) {
        if (now) socket.unpipe().pause();
        else socket.destroy();
      }
    },
    close: () =>
      new Promise((resolve) => {
        gate.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}
