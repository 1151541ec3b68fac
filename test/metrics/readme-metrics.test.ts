import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { parseDocument } from 'yaml';
import { metricTable } from '../../src/metrics/metric-table.ts';
import { formatMetricTable } from './format-metric-table.ts';

const readme = readFileSync('README.md', 'utf8');
const section = readme.split('\n## Metrics\n')[1]?.split('\n## ')[0] ?? '';

describe('README on metrics', () => {
  it('lists each metric as the table of the program has it', () => {
    const lines = section.split('\n').filter((line) => line.startsWith('|'));
    assert.deepEqual(lines, formatMetricTable());
  });

  it('shows YAML that can be read, and no metric that there is not', () => {
    const blocks = [...section.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, text = '']) => text);
    assert.equal(blocks.length, 2);
    for (const text of blocks) assert.deepEqual(parseDocument(text).errors, []);
    const named = [...blocks.join('\n').matchAll(/\btallyman_\w+/g)].map(([name]) => name);
    assert.ok(named.length >= 3);
    assert.deepEqual(
      named.filter((name) => !Object.hasOwn(metricTable, name.replace(/_(?:bucket|sum|count)$/, ''))),
      [],
    );
  });
});
