/** A cluster of three primaries, the one that has Tallyman's keys with a replica. */
import { waitUntil } from '../wait-until.ts';
import { formatClusterNode, startRedis, type TestRedis, type TestRedisOptions, untilReplicated } from './redis.ts';
import { redisHost } from './redis-process.ts';
import { findFreePort } from './server-process.ts';

export interface TestCluster {
  /** Has the slot of `{tallyman}`. */
  readonly owner: TestRedis;
  readonly replica: TestRedis;
  /** Those that have other slots. */
  readonly others: readonly TestRedis[];
  /** Resolves once the replica has all that the owner took so far. */
  replicate(): Promise<void>;
  close(): Promise<void>;
}

interface Member {
  readonly node: TestRedis;
  readonly busPort: number;
}

const slots = 16_384;
/** So long a node is silent until the others take it for dead; on a busy machine one that lives may be late. */
const nodeTimeoutMs = 2000;

/** Resolves once all know of all, and the replica follows. */
export async function startRedisCluster(options: Pick<TestRedisOptions, 'user'> = {}): Promise<TestCluster> {
  const members: Member[] = [];
  const close = async (): Promise<void> => {
    for (const { node } of members) await node.close();
  };
  try {
    for (const _ of [1, 2, 3, 4]) members.push(await startMember(options));
    const [replica, ...primaries] = members;
    if (replica === undefined) throw new Error('a cluster has members');
    await join(primaries, replica);
    const nodes = primaries.map(({ node }) => node);
    const index = await findOwner(nodes);
    const owner = nodes[index];
    if (owner === undefined) throw new Error('a slot has an owner');
    await follow(replica.node, owner, nodes);
    const others = nodes.filter((node) => node !== owner);
    return { owner, replica: replica.node, others, replicate: () => untilReplicated(owner), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function startMember(options: Pick<TestRedisOptions, 'user'>): Promise<Member> {
  const busPort = await findFreePort();
  const times = [`cluster-node-timeout ${nodeTimeoutMs}`, 'repl-diskless-sync-delay 0'];
  return { node: await startRedis({ ...options, lines: [...formatClusterNode(busPort), ...times] }), busPort };
}

/** Each primary gets a third of the slots. */
async function join(primaries: readonly Member[], replica: Member): Promise<void> {
  const toSlot = (index: number): number => Math.floor((index * slots) / primaries.length);
  for (const [index, { node }] of primaries.entries()) {
    await node.client.call('CLUSTER', 'SET-CONFIG-EPOCH', String(index + 1));
    await node.client.call('CLUSTER', 'ADDSLOTSRANGE', String(toSlot(index)), String(toSlot(index + 1) - 1));
  }
  for (const { node, busPort } of primaries)
    await replica.node.client.call('CLUSTER', 'MEET', redisHost, String(node.port), String(busPort));
  for (const { node } of [...primaries, replica])
    await waitUntil(async () => /cluster_state:ok[\s\S]*cluster_known_nodes:4/.test(await tell(node, 'INFO')));
}

async function findOwner(primaries: readonly TestRedis[]): Promise<number> {
  const [first] = primaries;
  const slot = Number(await first?.client.call('CLUSTER', 'KEYSLOT', '{tallyman}:'));
  return Math.floor((slot * primaries.length) / slots);
}

async function follow(replica: TestRedis, owner: TestRedis, primaries: readonly TestRedis[]): Promise<void> {
  await replica.client.call('CLUSTER', 'REPLICATE', (await tell(owner, 'MYID')).trim());
  await waitUntil(async () => /^master_link_status:up/m.test(await replica.client.info('replication')));
  for (const node of primaries) await waitUntil(async () => / slave /.test(await tell(node, 'NODES')));
}

async function tell({ client }: TestRedis, what: string): Promise<string> {
  return String(await client.call('CLUSTER', what));
}
