import assert from 'node:assert/strict';
import { setTimeout as wait } from 'node:timers/promises';

/** Resolves once it holds; throws where it does not in time (default 60,000 ms). For what real servers do in their own time. */
export async function waitUntil(
  holds: () => boolean | Promise<boolean>,
  { timeoutMs = 60_000, tell = () => '' }: { timeoutMs?: number; tell?: () => string } = {},
): Promise<void> {
  for (const endMs = Date.now() + timeoutMs; !(await holds()); await wait(20))
    assert.ok(Date.now() < endMs, `Waited ${timeoutMs} ms in vain for ${holds} ${tell()}`);
}
