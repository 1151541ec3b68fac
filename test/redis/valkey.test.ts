/** Valkey instead of Redis. Debian does not have it everywhere, so where it is missing this says so. */
import { spawnSync } from 'node:child_process';
import { it } from 'node:test';
import { startRedis } from '../services/redis.ts';
import { sharedUser, testSharedWork } from './shared-work.ts';

const program = 'valkey-server';

if (spawnSync(program, ['--version']).status === 0)
  testSharedWork('Valkey', async () => {
    const server = await startRedis({ program, user: sharedUser });
    return { server, close: server.close };
  });
else it(`shares work over ${program}`, { skip: `${program} is not installed` }, () => undefined);
