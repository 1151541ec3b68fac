/** Where the remote's branch is: one small request. Sources: git's "gitprotocol-v2" (ls-refs) and "gitprotocol-pack". */
import { formatBranchRef, showBranch } from './branch.ts';
import { repoInvalid } from './errors.ts';
import { delimPacket, encodePacket, flushPacket, type Packet, packetText, parsePackets } from './pkt-line.ts';
import { agent, type GitTransport } from './transport.ts';

/** `{ ref: 'refs/heads/main', commit: '1f7a…' }` */
export interface Tip {
  readonly ref: string;
  readonly commit: string;
}

export interface RemoteRefs {
  /** The tip of the branch (absent: of the branch that HEAD names); throws `RepoInvalid` where there is none. */
  fetchTip(options: { signal: AbortSignal }): Promise<Tip>;
  /** Every ref that begins with the prefix, with its id, as it is now. */
  fetchRefs(prefix: string, options: { signal: AbortSignal }): Promise<Map<string, string>>;
  /** What the server said first, the last time that it was asked. */
  server(options: { signal: AbortSignal }): Promise<Advertisement>;
}

/** What a server says first. */
export interface Advertisement {
  readonly version2: boolean;
  readonly capabilities: ReadonlySet<string>;
  readonly refs: ReadonlyMap<string, string>;
}

/** Remembers that a server speaks version 2, so that each later look is one request. */
export function createRemoteRefs(transport: GitTransport, branch: string | undefined): RemoteRefs {
  let known: Advertisement | undefined;
  const advertise = async (signal: AbortSignal): Promise<Advertisement> => {
    const bytes = await transport.advertise('git-upload-pack', { signal, version2: true });
    known = parseAdvertisement(bytes, transport.shownUrl);
    return known;
  };
  /** The refs come with the first words before version 2, and are asked for in version 2. */
  const look = async (prefix: string, signal: AbortSignal): Promise<ListedRefs> => {
    const server = known?.version2 ? known : await advertise(signal);
    if (!server.version2) return { refs: server.refs, head: findHeadRef(server) };
    const request = formatListRefs(prefix, server.capabilities);
    try {
      const answer = await transport.exchange('git-upload-pack', request, { signal, version2: true });
      return parseListRefs(parsePackets(answer));
    } catch (error) {
      // Another server may answer under the name the next time.
      known = undefined;
      throw error;
    }
  };
  return {
    async fetchTip({ signal }) {
      const { refs, head } = await look(branch === undefined ? 'HEAD' : formatBranchRef(branch), signal);
      return findTip(refs, head, { branch, transport });
    },
    async fetchRefs(prefix, { signal }) {
      const { refs } = await look(prefix, signal);
      return new Map([...refs].filter(([ref]) => ref.startsWith(prefix)));
    },
    server: async ({ signal }) => known ?? (await advertise(signal)),
  };
}

interface ListedRefs {
  readonly refs: ReadonlyMap<string, string>;
  /** The branch that HEAD names. */
  readonly head: string | undefined;
}

function formatListRefs(prefix: string, capabilities: ReadonlySet<string>): Buffer {
  const withFormat = [...capabilities].some((capability) => capability.startsWith('object-format='));
  return Buffer.concat([
    encodePacket('command=ls-refs\n'),
    encodePacket(`agent=${agent}\n`),
    ...(withFormat ? [encodePacket('object-format=sha1\n')] : []),
    delimPacket,
    encodePacket('symrefs\n'),
    encodePacket(`ref-prefix ${prefix}\n`),
    flushPacket,
  ]);
}

/** Lines `<oid> <ref>[ symref-target:<ref>]`. */
function parseListRefs(packets: readonly Packet[]): ListedRefs {
  const refs = new Map<string, string>();
  let head: string | undefined;
  for (const packet of packets) {
    const [oid, ref, ...attributes] = packetText(packet).split(' ');
    if (oid === undefined || ref === undefined || !/^[0-9a-f]{40}$/.test(oid)) continue;
    refs.set(ref, oid);
    if (ref === 'HEAD')
      head = attributes.find((text) => text.startsWith('symref-target:'))?.slice('symref-target:'.length);
  }
  return { refs, head };
}

/** Capabilities and refs of an advertisement of any version; throws `RepoInvalid` for SHA-256. */
export function parseAdvertisement(bytes: Buffer, shownUrl: string): Advertisement {
  const lines = parsePackets(bytes).map(packetText);
  const body = lines.filter((line) => line !== '' && !line.startsWith('# service='));
  const version2 = body[0] === 'version 2';
  const capabilities = new Set<string>(version2 ? body.slice(1) : []);
  const refs = new Map<string, string>();
  for (const line of version2 ? [] : body) {
    const [name, words] = line.split('\0');
    for (const word of words?.split(' ') ?? []) if (word !== '') capabilities.add(word);
    const [, oid, ref] = /^([0-9a-f]{40}) (\S+)$/.exec(name ?? '') ?? [];
    if (oid !== undefined && ref !== undefined && !ref.endsWith('^{}')) refs.set(ref, oid);
  }
  if (capabilities.has('object-format=sha256') && !capabilities.has('object-format=sha1'))
    throw repoInvalid(
      `Cannot use Yaml repo "${shownUrl}": its object format is sha256, sha1 was wanted`,
      'Use a repository with object format sha1.',
    );
  return { version2, capabilities, refs };
}

function findHeadRef({ capabilities, refs }: Advertisement): string | undefined {
  const symref = [...capabilities].find((capability) => capability.startsWith('symref=HEAD:'));
  if (symref !== undefined) return symref.slice('symref=HEAD:'.length);
  // Servers that do not name it (AWS CodeCommit): the first branch at the same commit.
  return [...refs].find(([ref, oid]) => ref.startsWith('refs/heads/') && oid === refs.get('HEAD'))?.[0];
}

interface TipSearch {
  readonly branch: string | undefined;
  readonly transport: GitTransport;
}

function findTip(refs: ReadonlyMap<string, string>, head: string | undefined, { branch, transport }: TipSearch): Tip {
  const ref = branch === undefined ? head : formatBranchRef(branch);
  const commit =
    ref === undefined ? undefined : (refs.get(ref) ?? (branch === undefined ? refs.get('HEAD') : undefined));
  if (ref !== undefined && commit !== undefined) return { ref, commit };
  const found =
    branch === undefined ? 'its HEAD names no branch with a commit' : `it has no branch "${showBranch(branch)}"`;
  throw repoInvalid(
    `Cannot read Yaml repo "${transport.shownUrl}": ${found}, an existing branch was wanted`,
    'Push a first commit, or name an existing branch under `repos`.',
  );
}
