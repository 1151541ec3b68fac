/** Runs the benches named by the arguments, or all of them, and prints their figures. Never fails on a figure. */
import { cpus } from 'node:os';
import { type BenchResult, formatTable } from './figures.ts';
import { benchFind } from './find.ts';
import { benchJobs } from './jobs.ts';
import { benchList } from './list.ts';
import { benchPass } from './pass.ts';
import { benchSelect } from './select.ts';
import { benchStart } from './start.ts';

/** A bench is one file and one row here. */
const benches: Readonly<Record<string, () => Promise<BenchResult>>> = {
  select: benchSelect,
  find: benchFind,
  list: benchList,
  pass: benchPass,
  jobs: benchJobs,
  start: benchStart,
};

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !Object.hasOwn(benches, name));
const say = (text: string) => process.stdout.write(text);
if (unknown.length > 0) {
  say(`Cannot run bench "${unknown.join('", "')}": one of ${Object.keys(benches).join(', ')} was wanted\n`);
  process.exitCode = 2;
} else {
  const [cpu] = cpus();
  say(`Node ${process.version}, ${cpus().length} cores (${cpu?.model.trim()})\n`);
  for (const [name, run] of Object.entries(benches)) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    const { title, notes, rows } = await run();
    say(`\n${name}: ${title}\n${formatTable(rows)}${notes.map((note) => `- ${note}\n`).join('')}`);
  }
}
