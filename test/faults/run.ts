/**
 * Does harm to the built program while versions are published, and looks at what Git holds afterwards: every version that
 * should be there is, once; none that is forbidden is; nothing that a person did is lost. `npm run test:faults [-- <part of
 * a name> …]`, FAULT_TAGS for how many versions each scenario publishes (1,000).
 */

import { scenarios } from './scenarios.ts';
import { openScene } from './scene.ts';

const count = Number(process.env.FAULT_TAGS ?? 1000);
const settleMs = 120_000;
const say = (text: string) => process.stdout.write(`${text}\n`);
const wanted = process.argv.slice(2);
const chosen = scenarios.filter(({ name }) => wanted.length === 0 || wanted.some((part) => name.includes(part)));
let failed = chosen.length === 0 ? 1 : 0;
for (const scenario of chosen) {
  const startMs = performance.now();
  const scene = await openScene(scenario.scene);
  try {
    await scene.prepare();
    const harm = await scenario.run(scene, count);
    const publishedMs = performance.now();
    await scene.settle(settleMs);
    await scene.assertExact();
    const seconds = (ms: number) => (ms / 1000).toFixed(1);
    const told = {
      versions: count,
      ...harm,
      seconds: seconds(publishedMs - startMs),
      settled: seconds(performance.now() - publishedMs),
    };
    say(
      `ok   ${scenario.name}: ${Object.entries(told)
        .map(([key, value]) => `${key} ${value}`)
        .join(', ')}`,
    );
  } catch (error) {
    failed += 1;
    say(`FAIL ${scenario.name}: ${error instanceof Error ? error.message : error}`);
  } finally {
    await scene.close();
  }
}
process.exitCode = failed === 0 ? 0 : 1;
