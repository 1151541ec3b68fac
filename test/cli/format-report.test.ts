import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatReports, type RepoReport } from '../../src/cli/format-report.ts';
import { createProblem } from '../../src/error/problem.ts';

const place = { file: 'a b/p,1.yaml', line: 3, column: 7 };
const reports: RepoReport[] = [
  {
    repo: '/srv/deploy',
    policies: [{ policy: 'shop/web', image: 'ghcr.io/acme/web', targets: ['web.yaml:1 image'] }],
    problems: [
      createProblem('PolicyInvalid', 'Cannot use it: 100% wrong\n::error::forged', {
        place,
        policy: 'shop/web',
        remedy: 'Mend it.',
      }),
      createProblem('PolicyPartial', 'Cannot carry it over', { remedy: 'Leave it.' }),
    ],
  },
];

describe('formatReports', () => {
  it('as text: a line each, and the counts', () => {
    assert.equal(
      formatReports(reports, 'text'),
      'a b/p,1.yaml:3:7: Cannot use it: 100% wrong\\u000a::error::forged [PolicyInvalid] Mend it.\n' +
        'Cannot carry it over [PolicyPartial] Leave it.\n' +
        '/srv/deploy: 1 policy, 1 target, 1 problem, 1 warning\n',
    );
  });

  it('as JSON: the reports', () =>
    assert.deepEqual(JSON.parse(formatReports(reports, 'json')), structuredClone(reports)));

  it('as workflow commands, which nothing in a file can forge', () => {
    assert.deepEqual(formatReports(reports, 'github').trimEnd().split('\n'), [
      '::error file=a b/p%2C1.yaml,line=3,col=7,title=PolicyInvalid::Cannot use it: 100%25 wrong\\u000a::error::forged. Mend it.',
      '::warning title=PolicyPartial::Cannot carry it over. Leave it.',
    ]);
    assert.equal(formatReports([], 'github'), '');
  });

  it('as SARIF: rules, levels and places', () => {
    const [run] = JSON.parse(formatReports(reports, 'sarif')).runs;
    assert.deepEqual(
      run.tool.driver.rules.map((rule: { id: string }) => rule.id),
      ['PolicyInvalid', 'PolicyPartial'],
    );
    assert.deepEqual(
      run.results.map((result: { level: string }) => result.level),
      ['error', 'warning'],
    );
    assert.deepEqual(run.results[0].locations, [
      { physicalLocation: { artifactLocation: { uri: 'a%20b/p%2C1.yaml' }, region: { startLine: 3, startColumn: 7 } } },
    ]);
    assert.deepEqual(run.results[1].locations, []);
  });
});
