import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readPolicies, readPolicyPieces, readRepoPolicies, resolvePolicies } from '../../src/policy/read-policies.ts';
import { readYaml } from '../../src/yaml/read-yaml.ts';

/** A policy whose lines can be replaced by number, from 1. */
const lines = [
  'apiVersion: tallyman.dev/v1alpha1',
  'kind: ImagePolicy',
  'metadata:',
  '  name: web',
  '  namespace: shop',
  'spec:',
  '  image: ghcr.io/acme/web',
  '  select:',
  '    semver: ">=1.4.0 <2.0.0"',
];
const withLine = (number: number, ...text: string[]) =>
  lines.flatMap((line, index) => (index + 1 === number ? text : line)).join('\n');
const withMore = (...text: string[]) => [...lines, ...text].join('\n');

interface BadRow {
  text: string;
  at: [line: number, column: number];
  says: RegExp;
}

const bad: Record<string, BadRow> = {
  'an unknown field': { text: withMore('  sevler: x'), at: [10, 3], says: /"spec.sevler": it is not known here/ },
  'a wrong type': { text: withMore('  suspend: "yes"'), at: [10, 12], says: /"yes" was found, a boolean was wanted/ },
  'a missing field': { text: withLine(7), at: [7, 3], says: /"spec.image": it is missing, a string was wanted/ },
  'another version of the API': {
    text: withLine(1, 'apiVersion: tallyman.dev/v2'),
    at: [1, 13],
    says: /"tallyman.dev\/v1alpha1" was wanted/,
  },
  'another kind': { text: withLine(2, 'kind: ImagePolicies'), at: [2, 7], says: /"ImagePolicy" was wanted/ },
  'a name that is none': { text: withLine(4, '  name: Web_1'), at: [4, 9], says: /DNS-1123/ },
  'an image with a tag': {
    text: withLine(7, '  image: ghcr.io/acme/web:1.0'),
    at: [7, 10],
    says: /a repository alone was wanted/,
  },
  'an image that is none': { text: withLine(7, '  image: "ghcr.io/Acme/web"'), at: [7, 10], says: /upper-case/ },
  'a range that does not parse': {
    text: withLine(9, '    semver: ">=1.4, <2"'),
    at: [9, 13],
    says: /not a range of npm semver/,
  },
  'an empty range': { text: withLine(9, '    semver: ""'), at: [9, 13], says: /not a range/ },
  'a pattern that does not compile': {
    text: withMore("    include: ['ok', '(']"),
    at: [10, 21],
    says: /missing closing \)/,
  },
  'a pattern with look-ahead': {
    text: withMore("    exclude: ['(?=x)']"),
    at: [10, 15],
    says: /RE2 syntax was wanted/,
  },
  'a pattern with a back-reference': {
    text: withMore("    exclude: ['(a)\\1']"),
    at: [10, 15],
    says: /RE2 syntax was wanted/,
  },
  'a pattern that would be huge': {
    text: withMore("    exclude: ['((a{100}){100}){100}']"),
    at: [10, 15],
    says: /repeat/,
  },
  'an extract without its group': {
    text: withMore("    extract: '^v(.+)$'"),
    at: [10, 14],
    says: /no group named "version"/,
  },
  'a path out of the repository': {
    text: withMore('  write:', '    paths: [../../etc/**]'),
    at: [11, 13],
    says: /leads out of the repository/,
  },
  'no paths': { text: withMore('  write:', '    paths: []'), at: [11, 12], says: /at least 1/ },
  'no spec': { text: lines.slice(0, 5).join('\n'), at: [1, 1], says: /"spec": it is missing, a map was wanted/ },
  'a list for a map': {
    text: withLine(8, '  select: [a]').split('\n').slice(0, 8).join('\n'),
    at: [8, 11],
    says: /a list was found, a map was wanted/,
  },
};

describe('readPolicies', () => {
  it('reads the shape of the specification, defaults filled in', () => {
    const { policies, problems } = readPolicies(withMore('    skip: ["1.6.3"]', '  pin: digest'), 'apps/policy.yaml');
    assert.deepEqual(problems, []);
    assert.deepEqual(policies, [
      {
        key: 'shop/web',
        namespace: 'shop',
        name: 'web',
        object: { apiVersion: 'tallyman.dev/v1alpha1', kind: 'ImagePolicy', namespace: 'shop', name: 'web' },
        image: 'ghcr.io/acme/web',
        repository: { host: 'ghcr.io', path: 'acme/web' },
        select: { kind: 'semver', range: '>=1.4.0 <2.0.0', prereleases: false, coerce: false, grammar: 'npm' },
        include: [],
        exclude: [],
        extract: undefined,
        skip: ['1.6.3'],
        allowDowngrade: false,
        minimumAgeMs: 0,
        platforms: [],
        ties: 'shortest',
        pin: 'digest',
        paths: { globs: ['apps/**'], explicit: false },
        targets: [],
        markersOnly: false,
        suspend: false,
        source: { file: 'apps/policy.yaml', line: 1, column: 1 },
      },
    ]);
  });

  for (const [name, row] of Object.entries(bad)) {
    it(`refuses ${name}, at its place`, () => {
      const { policies, problems } = readPolicies(row.text, 'p.yaml');
      assert.deepEqual(policies, []);
      assert.equal(problems.length, 1, JSON.stringify(problems));
      const [problem] = problems;
      assert.equal(problem?.code, 'PolicyInvalid');
      assert.match(problem.message, row.says);
      assert.deepEqual(problem.place, { file: 'p.yaml', line: row.at[0], column: row.at[1] });
      assert.ok(problem.remedy.length > 10);
    });
  }

  it('tells all faults of one policy at once, and keeps the other documents', () => {
    const text = `${withLine(9, '    semver: ">>x"', '    include: ["("]')}\n---\nkind: Other\n---\n${withLine(4, '  name: api')}\n`;
    const { policies, problems } = readPolicies(text, 'p.yaml');
    assert.deepEqual(
      policies.map((policy) => policy.key),
      ['shop/api'],
    );
    assert.deepEqual(
      problems.map((problem) => [problem.policy, problem.place?.line]),
      [
        ['shop/web', 9],
        ['shop/web', 10],
      ],
    );
  });

  it('refuses aliases that expand without end', () => {
    const bomb = [
      'x: &a [l, l, l, l, l, l, l, l, l]',
      ...'bcdefghi'
        .split('')
        .map((name, index) => `${name}1: &${name} [${Array(9).fill(`*${'abcdefgh'[index]}`).join(', ')}]`),
    ];
    const start = performance.now();
    const { policies, problems } = readPolicies(withMore(...bomb), 'p.yaml');
    assert.deepEqual([policies.length, problems[0]?.code], [0, 'PolicyInvalid']);
    assert.ok(performance.now() - start < 2000);
  });

  it('lets annotations and status of a cluster through', () => {
    const text = withLine(5, '  annotations: {a: b}', '  labels: {c: d}');
    assert.equal(readPolicies(`${text}\nstatus: {anything: [1]}\n`, 'p.yaml').problems.length, 0);
  });
});

describe('policies in a List', () => {
  it('are reported, not passed over', () => {
    const list = `apiVersion: v1\nkind: List\nitems:\n- kind: Pod\n- ${lines.join('\n  ')}\n`;
    const { policies, problems } = readPolicies(list, 'list.yaml');
    assert.deepEqual(policies, []);
    assert.deepEqual(
      problems.map(({ code, place }) => [code, place?.line]),
      [['PolicyInvalid', 5]],
    );
  });
});

describe('readRepoPolicies', () => {
  it('reads all files of a repository, and reports only those that may hold policies', () => {
    const files = new Map(
      Object.entries({ 'a.yaml': lines.join('\n'), 'chart.yaml': '{{ x', 'bad.yaml': `x: [\n# tallyman.dev/` }).map(
        ([path, text]) => [path, new TextEncoder().encode(text)] as const,
      ),
    );
    const { policies, problems } = readRepoPolicies(files);
    assert.deepEqual(
      policies.map(({ key }) => key),
      ['shop/web'],
    );
    assert.deepEqual(
      problems.map(({ code, place }) => [code, place?.file]),
      [['FileUnreadable', 'bad.yaml']],
    );
  });
});

describe('resolvePolicies', () => {
  it('uses neither of two policies with one name, and names both places', () => {
    const pieces = [
      readPolicyPieces(readYaml(lines.join('\n'), 'a.yaml'), 'a.yaml'),
      readPolicyPieces(readYaml(lines.join('\n'), 'b.yaml'), 'b.yaml'),
      readPolicyPieces(readYaml(withLine(4, '  name: api'), 'c.yaml'), 'c.yaml'),
    ];
    const { policies, problems } = resolvePolicies(pieces);
    assert.deepEqual(
      policies.map((policy) => policy.key),
      ['shop/api'],
    );
    assert.deepEqual(
      problems.map((problem) => [problem.code, problem.place?.file]),
      [
        ['PolicyDuplicate', 'a.yaml'],
        ['PolicyDuplicate', 'b.yaml'],
      ],
    );
    assert.match(problems[0]?.message ?? '', /b\.yaml:1/);
  });
});
