/** The table of the README, made of the metrics. */
import { metricTable } from '../../src/metrics/metric-table.ts';

/** Its lines, in the order of the table. */
export function formatMetricTable(): readonly string[] {
  const rows = Object.entries(metricTable).map(([name, { type, help, labels }]) => {
    const texts = Object.entries(labels).map(([label, text]) => `\`${label}\` (${text})`);
    return `| \`${name}\` | ${type} | ${help} | ${texts.join('; ')} |`;
  });
  return ['| metric | type | says | labels |', '|---|---|---|---|', ...rows];
}
