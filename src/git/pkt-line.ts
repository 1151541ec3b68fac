/** pkt-line framing and side-bands, the envelope of every Git conversation. Source: git's "gitprotocol-common". */
import { repoUnavailable } from './errors.ts';

export type Packet = { readonly kind: 'data'; readonly bytes: Buffer } | { readonly kind: 'flush' | 'delim' | 'end' };

export const flushPacket = Buffer.from('0000', 'latin1');
export const delimPacket = Buffer.from('0001', 'latin1');
/** Largest payload of one packet: 65,520 bytes with its own length. */
const maxPayloadBytes = 65_516;

/**
 * One data packet.
 *
 * @example
 * encodePacket('hi\n').toString() // '0007hi\n'
 */
export function encodePacket(text: string): Buffer {
  const payload = Buffer.from(text, 'utf8');
  if (payload.length > maxPayloadBytes) throw new RangeError(`a packet of ${payload.length} bytes does not exist`);
  return Buffer.concat([Buffer.from((payload.length + 4).toString(16).padStart(4, '0'), 'latin1'), payload]);
}

/** Packets one after the other. */
export interface PacketCursor {
  /** The next packet, undefined at the end; throws `RepoUnavailable` where the bytes are cut off or no packets. */
  next(): Packet | undefined;
  /** What follows the packets read so far. */
  rest(): Buffer;
}

/** Reads the bytes from the start. */
export function createPacketCursor(bytes: Buffer): PacketCursor {
  let at = 0;
  return {
    next() {
      if (at >= bytes.length) return undefined;
      const digits = bytes.toString('latin1', at, at + 4);
      const length = /^[0-9a-f]{4}$/i.test(digits) ? Number.parseInt(digits, 16) : -1;
      if (length < 0 || length === 3 || at + length > bytes.length)
        throw repoUnavailable("Cannot read the Git server's answer: it is cut off or no Git answer");
      const start = at;
      at += Math.max(4, length);
      if (length > 3) return { kind: 'data', bytes: bytes.subarray(start + 4, at) };
      return { kind: length === 0 ? 'flush' : length === 1 ? 'delim' : 'end' };
    },
    rest: () => bytes.subarray(at),
  };
}

/** Every packet of the bytes; throws `RepoUnavailable` where they are cut off or no packets (a lost answer may be asked for again). */
export function parsePackets(bytes: Buffer): Packet[] {
  const packets: Packet[] = [];
  const cursor = createPacketCursor(bytes);
  for (let packet = cursor.next(); packet !== undefined; packet = cursor.next()) packets.push(packet);
  return packets;
}

/** The packet's text without its line end. */
export function packetText(packet: Packet): string {
  return packet.kind === 'data' ? packet.bytes.toString('utf8').replace(/\n$/, '') : '';
}

/** The three bands of a multiplexed answer: data, what the server says to the person, and its fatal error. */
export function splitSideBand(packets: readonly Packet[]): { data: Buffer; progress: string; fatal: string } {
  const bands: Buffer[][] = [[], [], []];
  for (const packet of packets) {
    if (packet.kind !== 'data') continue;
    bands[(packet.bytes[0] ?? 0) - 1]?.push(packet.bytes.subarray(1));
  }
  const [data, progress, fatal] = bands.map((parts) => Buffer.concat(parts));
  return {
    data: data ?? Buffer.alloc(0),
    progress: progress?.toString('utf8') ?? '',
    fatal: fatal?.toString('utf8') ?? '',
  };
}
