/** Figures of one thing that was measured several times. */
export interface Row {
  readonly name: string;
  readonly samplesMs: readonly number[];
  /** What the median should not exceed; absent where nothing is promised. */
  readonly barMs?: number;
}

export interface BenchResult {
  readonly title: string;
  /** What was measured, where, and what a reader must know to compare. */
  readonly notes: readonly string[];
  readonly rows: readonly Row[];
}

/** How long the call takes, in milliseconds. */
export async function measureMs(call: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await call();
  return performance.now() - start;
}

/** The table, as aligned text: milliseconds, the bar for the median, and the median's ratio to it. */
export function formatTable(rows: readonly Row[]): string {
  const cells = rows.map(({ name, samplesMs, barMs }) => {
    const sorted = [...samplesMs].sort((a, b) => a - b);
    const p50 = pick(sorted, 0.5);
    const bar = barMs === undefined ? ['-', '-'] : [`p50 <= ${barMs}`, `${(p50 / barMs).toFixed(2)}x`];
    const figures = [sorted[0] ?? Number.NaN, p50, pick(sorted, 0.95)].map((ms) => ms.toFixed(ms < 100 ? 1 : 0));
    return [name, ...figures, `${samplesMs.length}`, ...bar];
  });
  const table = [['', 'min ms', 'p50 ms', 'p95 ms', 'n', 'bar ms', 'p50/bar'], ...cells];
  const widths = table[0]?.map((_, column) => Math.max(...table.map((line) => line[column]?.length ?? 0))) ?? [];
  const format = (line: readonly string[]) =>
    line.map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)));
  return table.map((line) => `${format(line).join('  ')}\n`).join('');
}

/** Nearest rank. */
function pick(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}
