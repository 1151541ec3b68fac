/** In a cluster of several nodes, of which clients are told one that has none of Tallyman's keys. */
import { startRedisCluster } from '../services/redis-cluster.ts';
import { sharedUser, testSharedWork } from './shared-work.ts';

testSharedWork('Redis Cluster', async () => {
  const { owner, others, close } = await startRedisCluster({ user: sharedUser });
  return { server: owner, place: { kind: 'cluster', nodes: others.slice(0, 1) }, close };
});
