/** Runs the test files under test/ (or those whose path contains one of the arguments) with node:test, and names the slowest. */
import { readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';

/** By default one core is left to the runner, though most files wait for servers and the runner for all of them. */
const filesAtOnce = availableParallelism();
const fileTimeoutMs = 300_000;
const shownSlowest = 10;

const wanted = process.argv.slice(2);
const files = readdirSync('test', { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.test.ts') && !name.includes('fixtures'))
  .map((name) => join('test', name))
  .filter((name) => wanted.length === 0 || wanted.some((part) => name.includes(part)))
  .sort()
  .map((name) => resolve(name));

if (files.length === 0) throw new Error(`no test file has ${wanted.join(' or ')} in its path`);

const seconds = new Map<string, number>();
const startMs = performance.now();
// Each file is a process of its own, with the flags of this one: tsx among them.
const events = run({ files, concurrency: filesAtOnce, timeout: fileTimeoutMs });
events.on('test:complete', ({ name, file, details }) => {
  if (file !== undefined && name === file) seconds.set(relative('.', file), details.duration_ms / 1000);
});
events.on('test:fail', ({ todo }) => {
  if (todo === undefined) process.exitCode = 1;
});
const report = events.compose<NodeJS.ReadWriteStream>(new spec());
report.pipe(process.stdout);
report.on('end', () => {
  if (seconds.size < 2) return;
  const slowest = [...seconds].sort(([, a], [, b]) => b - a).slice(0, shownSlowest);
  const lines = slowest.map(([file, took]) => `${took.toFixed(1).padStart(7)} s  ${file}`);
  const whole = (performance.now() - startMs) / 1000;
  process.stdout.write(`\nThe slowest of ${seconds.size} files, ${whole.toFixed(0)} s in all:\n${lines.join('\n')}\n`);
});
