/** Pushing one commit: compare-and-swap by the server. Source: git's "gitprotocol-pack", "Pushing Data To a Server". */
import { quoteServer, repoUnavailable } from './errors.ts';
import { encodePacket, flushPacket, packetText, parsePackets, splitSideBand } from './pkt-line.ts';
import { findRemedy, formatRefusal, isMove, isPassing } from './push-refusal.ts';
import { type Advertisement, parseAdvertisement } from './remote-refs.ts';
import { agent, type GitTransport } from './transport.ts';

export interface PushRequest {
  readonly ref: string;
  /** Undefined: the ref is not there. */
  readonly from: string | undefined;
  /** Undefined: the ref is deleted. */
  readonly to: string | undefined;
  /** Exactly the new objects; undefined where the ref is deleted. */
  readonly pack: Buffer | undefined;
  /** What the server is told beside it; only for a server that can `push-options`. */
  readonly options?: readonly string[] | undefined;
}

const noCommit = '0'.repeat(40);

/** `moved`: the server says that the ref is not where it was; whether that is so is for the caller to look at. */
export type PushAnswer =
  | { readonly kind: 'accepted' }
  | { readonly kind: 'moved'; readonly reason: string }
  | { readonly kind: 'refused'; readonly reason: string; readonly remedy: string | undefined };

/** The refs as the server shows them to one who pushes; a user who may only read is refused here. */
export async function advertisePush(transport: GitTransport, options: { signal: AbortSignal }): Promise<Advertisement> {
  return parseAdvertisement(await transport.advertise('git-receive-pack', options), transport.shownUrl);
}

/** Sends the commit; throws `RepoUnavailable` where the answer is lost, when the push may or may not have happened. */
export async function sendPack(
  transport: GitTransport,
  request: PushRequest & { capabilities: ReadonlySet<string> },
  options: { signal: AbortSignal },
): Promise<PushAnswer> {
  // The side-band also makes a server with slow hooks send keep-alives, which the time limit needs.
  const sideBand = request.capabilities.has('side-band-64k');
  const told = request.options?.length ? [...request.options.map(encodePacket), flushPacket] : [];
  const wanted = [
    'report-status',
    `agent=${agent}`,
    ...(sideBand ? ['side-band-64k'] : []),
    ...(told.length > 0 ? ['push-options'] : []),
  ];
  const command = `${request.from ?? noCommit} ${request.to ?? noCommit} ${request.ref}\0 ${wanted.join(' ')}`;
  const body = Buffer.concat([encodePacket(command), flushPacket, ...told, request.pack ?? Buffer.alloc(0)]);
  return parseReport(await transport.exchange('git-receive-pack', body, options), request.ref, sideBand);
}

/** The server's verdict on the one ref; throws `RepoUnavailable` where it gives none. */
export function parseReport(bytes: Buffer, ref: string, sideBand: boolean): PushAnswer {
  const outer = parsePackets(bytes);
  const bands = sideBand ? splitSideBand(outer) : undefined;
  const lines = (bands ? parsePackets(bands.data) : outer).map(packetText);
  const said = quoteServer(bands?.progress ?? '');
  const fatal = quoteServer(bands?.fatal ?? '');
  if (fatal !== '') return classify(fatal, said);
  const unpack = lines.find((line) => line.startsWith('unpack '))?.slice('unpack '.length);
  const refused = lines.find((line) => line.startsWith(`ng ${ref} `))?.slice(`ng ${ref} `.length);
  if (refused !== undefined)
    return classify(refused, unpack === 'ok' || unpack === undefined ? said : `${unpack}; ${said}`);
  if (unpack !== undefined && unpack !== 'ok') return classify(`the server could not unpack: ${unpack}`, said);
  if (lines.includes(`ok ${ref}`)) return { kind: 'accepted' };
  throw repoUnavailable("Cannot read the Git server's answer to the push: it has no report on the branch");
}

/** `reason`: the server's verdict, and what its hooks printed. */
function classify(verdict: string, said: string): PushAnswer {
  const reason = formatRefusal(verdict, said);
  if (isMove(verdict)) return { kind: 'moved', reason };
  if (isPassing(reason)) throw repoUnavailable(`Cannot push now: the server said "${reason}"`);
  return { kind: 'refused', reason, remedy: findRemedy(reason) };
}
