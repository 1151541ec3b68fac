/** Downloading objects in one round: what is wanted, what is here, and a pack of the rest. Sources: git's "gitprotocol-v2" (fetch), "gitprotocol-pack". */
import { TallymanError } from '../error/tallyman-error.ts';
import { fetchRefused, repoUnavailable } from './errors.ts';
import { createPacketCursor, delimPacket, encodePacket, flushPacket, packetText } from './pkt-line.ts';
import type { Advertisement } from './remote-refs.ts';
import { agent, type GitTransport } from './transport.ts';

/** What is left out of a pack. Source: git's "git-rev-list", `--filter`. */
export type ObjectFilter = 'blob:none' | 'tree:0';

export interface FetchRequest {
  /** Ids of the objects to be there afterwards, with all that they need. */
  readonly wants: readonly string[];
  /** Commits that are here with all that they need. With any, the pack is thin: its deltas may build on what is here. */
  readonly haves: readonly string[];
  /** Commits that are here without their parents. */
  readonly shallow: readonly string[];
  /** How many commits deep from each wanted one; absent: all. Sent only where the server can do it. */
  readonly depth?: number | undefined;
  /** Sent only where the server can do it. */
  readonly filter?: ObjectFilter | undefined;
}

export interface FetchAnswer {
  /** Cut out of the answer's own memory, which is gone afterwards: packs are large. */
  readonly pack: Buffer;
  /** Commits that the pack gives without their parents. */
  readonly shallow: readonly string[];
  /** Whether the filter was sent. */
  readonly filtered: boolean;
}

/** Whether the server can do more than whole downloads of branch tips. */
export interface FetchAbilities {
  readonly shallow: boolean;
  readonly filter: boolean;
  /** Any object by its id; else what the server shows as a ref. */
  readonly wantsAny: boolean;
}

/** What the server's first words say that it can do. */
export function findAbilities({ version2, capabilities }: Advertisement): FetchAbilities {
  const listed = [...capabilities].find((capability) => capability.startsWith('fetch='));
  const features = version2 ? new Set((listed ?? '').slice('fetch='.length).split(' ')) : capabilities;
  return {
    shallow: features.has('shallow'),
    filter: features.has('filter'),
    // Version 2 has no word for it: every server gives what it can reach.
    wantsAny: version2 || features.has('allow-any-sha1-in-want') || features.has('allow-reachable-sha1-in-want'),
  };
}

/** Asks for the pack; throws `RepoInvalid` where the server does not give a wanted object (`isRefusal`), `RepoUnavailable` where the answer is no whole one. */
export async function fetchPack(
  { transport, server }: { transport: GitTransport; server: Advertisement },
  request: FetchRequest,
  { signal }: { signal: AbortSignal },
): Promise<FetchAnswer> {
  const body = server.version2 ? formatVersion2(server, request) : formatVersion0(server, request);
  const answer = await transport.exchange('git-upload-pack', body, { signal, version2: server.version2 });
  const filtered = request.filter !== undefined && findAbilities(server).filter;
  try {
    return { ...parseAnswer(answer, transport.shownUrl), filtered };
  } catch (error) {
    // Servers may allow some kinds alone, and say so only here. Source: git's "uploadpackfilter".
    if (!filtered || !isFilterRefusal(error)) throw error;
    return fetchPack({ transport, server }, { ...request, filter: undefined }, { signal });
  }
}

function isFilterRefusal(error: unknown): boolean {
  return (
    error instanceof TallymanError && /the server said .*filter .*(?:not supported|not allowed)/i.test(error.message)
  );
}

/**
 * One command with its arguments. `thin-pack` is what makes git look at the files of `haves` at all where the depth cuts
 * them off the wanted commit; else all of them come again. Source: `--objects-edge-aggressive` in its pack-objects.c.
 */
function formatVersion2(server: Advertisement, request: FetchRequest): Buffer {
  const withFormat = [...server.capabilities].some((capability) => capability.startsWith('object-format='));
  return Buffer.concat([
    encodePacket('command=fetch\n'),
    encodePacket(`agent=${agent}\n`),
    ...(withFormat ? [encodePacket('object-format=sha1\n')] : []),
    delimPacket,
    ...['ofs-delta', 'no-progress', ...(request.haves.length > 0 ? ['thin-pack'] : [])].map((word) =>
      encodePacket(`${word}\n`),
    ),
    ...request.wants.map((oid) => encodePacket(`want ${oid}\n`)),
    ...formatLimits(server, request),
    ...request.haves.map((oid) => encodePacket(`have ${oid}\n`)),
    encodePacket('done\n'),
    flushPacket,
  ]);
}

/** What the first `want` asks for, where the server has it. Azure DevOps answers only those that know `multi_ack`. */
const wantedCapabilities = ['multi_ack', 'thin-pack', 'side-band-64k', 'ofs-delta', 'no-progress', 'shallow', 'filter'];

/** Wants and haves at once, as the server asks for nothing in between: it takes `done` for the end of the talk. */
function formatVersion0(server: Advertisement, request: FetchRequest): Buffer {
  const words = wantedCapabilities.filter(
    (word) =>
      server.capabilities.has(word) &&
      (word !== 'filter' || request.filter !== undefined) &&
      (word !== 'thin-pack' || request.haves.length > 0),
  );
  if ([...server.capabilities].some((word) => word.startsWith('agent='))) words.push(`agent=${agent}`);
  const wants = request.wants.map((oid, index) =>
    encodePacket(`${['want', oid, ...(index === 0 ? words : [])].join(' ')}\n`),
  );
  return Buffer.concat([
    ...wants,
    ...formatLimits(server, request),
    flushPacket,
    ...request.haves.map((oid) => encodePacket(`have ${oid}\n`)),
    encodePacket('done\n'),
  ]);
}

function formatLimits(server: Advertisement, { shallow, depth, filter }: FetchRequest): Buffer[] {
  const can = findAbilities(server);
  return [
    ...(can.shallow ? shallow.map((oid) => encodePacket(`shallow ${oid}\n`)) : []),
    ...(can.shallow && depth !== undefined ? [encodePacket(`deepen ${depth}\n`)] : []),
    ...(can.filter && filter !== undefined ? [encodePacket(`filter ${filter}\n`)] : []),
  ];
}

/**
 * Both versions: lines of text (section names, `shallow <id>`, ACK, NAK), then the pack on side-band 1, or bare where the
 * server has no side-bands.
 */
function parseAnswer(answer: Buffer, shownUrl: string): Omit<FetchAnswer, 'filtered'> {
  const cursor = createPacketCursor(answer);
  const shallow: string[] = [];
  let fatal = '';
  let packBytes = 0;
  while (packBytes > 0 || cursor.rest().toString('latin1', 0, 4) !== 'PACK') {
    const packet = cursor.next();
    if (packet === undefined) break;
    if (packet.kind !== 'data') continue;
    const band = packet.bytes[0] ?? 0;
    // To the front of the same memory: what was there has been read.
    if (band === 1) packBytes += packet.bytes.copy(answer, packBytes, 1);
    else if (band === 3) fatal += packet.bytes.toString('utf8', 1);
    else if (band !== 2) shallow.push(...parseLine(packetText(packet), shownUrl));
  }
  if (fatal !== '') throw fetchRefused(shownUrl, fatal);
  const pack = packBytes > 0 ? answer.subarray(0, packBytes) : cursor.rest();
  if (pack.length === 0)
    throw repoUnavailable(`Cannot fetch Yaml repo "${shownUrl}": the answer holds no pack, one was wanted`);
  return { pack, shallow };
}

/** The commit that a line names as shallow; nothing of other lines. Throws where the line is an error. */
function parseLine(text: string, shownUrl: string): string[] {
  if (text.startsWith('ERR ')) throw fetchRefused(shownUrl, text.slice('ERR '.length));
  const oid = /^shallow ([0-9a-f]{40})$/.exec(text)?.[1];
  return oid === undefined ? [] : [oid];
}
