import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Problem } from '../../src/error/problem.ts';
import type { Policy } from '../../src/policy/policy.ts';
import { policyNeedles, readPolicies } from '../../src/policy/read-policies.ts';

const prefix = 'argocd-image-updater.argoproj.io/';

/** An Application whose first annotation is on line 7; each is `name: value` without the prefix. */
function application(
  annotations: readonly string[],
  spec: readonly string[] = ['source: { path: deploy/web }'],
): string {
  return [
    'apiVersion: argoproj.io/v1alpha1',
    'kind: Application',
    'metadata:',
    '  name: shop',
    '  namespace: team-a',
    '  annotations:',
    ...annotations.map((line) => `    ${prefix}${line}`),
    'spec:',
    ...spec.map((line) => `  ${line}`),
  ].join('\n');
}

const read = (text: string) => readPolicies(text, 'apps/shop.yaml');
const only = (text: string): Policy => {
  const { policies, problems } = read(text);
  assert.deepEqual([policies.length, problems], [1, []]);
  const [policy] = policies;
  assert.ok(policy);
  return policy;
};
const brief = ({ code, message, place, policy }: Problem) => ({
  code,
  message,
  at: [place?.line, place?.column],
  policy,
});

describe('annotated Applications', () => {
  it('make the policy that the peer would follow', () => {
    const text = application([
      'image-list: web=ghcr.io/acme/web:~1.4',
      'web.allow-tags: regexp:^v?[0-9.]+$',
      'web.ignore-tags: "*-rc?, 1.4.[2-3]"',
      'web.platforms: linux/amd64',
      'write-back-method: git',
    ]);
    assert.deepEqual(only(text), {
      key: 'team-a/shop-web',
      namespace: 'team-a',
      name: 'shop-web',
      image: 'ghcr.io/acme/web',
      repository: { host: 'ghcr.io', path: 'acme/web' },
      select: { kind: 'semver', range: '~1.4', prereleases: false, coerce: false, grammar: 'argocd' },
      include: ['^v?[0-9.]+$'],
      exclude: ['^(?s:[^/]*-rc[^/])$', '^(?s:1\\.4\\.[2-3])$'],
      extract: undefined,
      skip: [],
      allowDowngrade: false,
      minimumAgeMs: 0,
      platforms: ['linux/amd64'],
      ties: 'last',
      pin: 'keep',
      paths: { globs: ['apps/shop.yaml', 'deploy/web'], explicit: true },
      targets: [],
      markersOnly: false,
      suspend: false,
      source: { file: 'apps/shop.yaml', line: 7, column: 50 },
    });
  });

  it('may stand in any file that a needle finds', () => {
    const text = application(['image-list: web']);
    assert.ok(policyNeedles.some((needle) => text.includes(needle)));
  });

  const kinds: Record<string, { list: string; strategy?: string; select: Policy['select']; pin: Policy['pin'] }> = {
    'without a constraint': { list: 'w=acme/web', select: semver(undefined), pin: 'keep' },
    latest: { list: 'w=acme/web:1.0', strategy: 'latest', select: { kind: 'newest' }, pin: 'keep' },
    'newest-build': { list: 'w=acme/web', strategy: 'newest-build', select: { kind: 'newest' }, pin: 'keep' },
    name: { list: 'w=acme/web', strategy: 'name', select: { kind: 'alphabetical', order: 'asc' }, pin: 'keep' },
    'upper case': { list: 'w=acme/web', strategy: 'SemVer', select: semver(undefined), pin: 'keep' },
    digest: { list: 'w=acme/web:main', strategy: 'digest', select: { kind: 'digest', tag: 'main' }, pin: 'digest' },
    'an operator with "="': { list: '"acme/web:>=1.2 <2"', select: semver('>=1.2 <2'), pin: 'keep' },
  };
  for (const [name, { list, strategy, select, pin }] of Object.entries(kinds)) {
    it(`choose as the peer does: ${name}`, () => {
      const policy = only(application([`image-list: ${list}`, ...(strategy ? [`update-strategy: ${strategy}`] : [])]));
      assert.deepEqual([policy.select, policy.pin], [select, pin]);
    });
  }

  it('take settings of the application where the image has none', () => {
    const { policies, problems } = read(
      application([
        'image-list: a=acme/a, b=acme/b, acme/c',
        'update-strategy: name',
        'allow-tags: regexp:^x',
        'ignore-tags: y*',
        'b.update-strategy: newest-build',
        'b.allow-tags: any',
        'b.ignore-tags: z',
      ]),
    );
    assert.deepEqual(problems, []);
    assert.deepEqual(
      policies.map(({ key, select, include, exclude }) => [key, select.kind, include, exclude]),
      [
        ['team-a/shop-a', 'alphabetical', ['^x'], ['^(?s:y[^/]*)$']],
        ['team-a/shop-b', 'newest', [], ['^(?s:z)$']],
        ['team-a/shop-c', 'alphabetical', ['^x'], ['^(?s:y[^/]*)$']],
      ],
    );
  });

  it('have names of their own, whatever their images are called', () => {
    const { policies, problems } = read(
      application([
        'image-list: "nginx:1.x, bitnami/nginx:1.x, Acme/Web=acme/web, acme_x/y.z"',
        'Acme_Web.update-strategy: name',
      ]),
    );
    assert.deepEqual(problems, []);
    assert.deepEqual(
      policies.map(({ key, select }) => [key, select.kind]),
      [
        ['team-a/shop-nginx', 'semver'],
        ['team-a/shop-bitnami-nginx', 'semver'],
        ['team-a/shop-acme-web', 'alphabetical'],
        ['team-a/shop-y.z', 'semver'],
      ],
    );
  });

  it('use the namespace "argocd" where they name none', () => {
    assert.equal(only(application(['image-list: web']).replace('  namespace: team-a\n', '')).key, 'argocd/shop-web');
  });

  it('are left alone where they have nothing to do with images', () => {
    const text = application([]).replace('  annotations:\n', '').replace('shop', '"{{ name }}"');
    assert.deepEqual(read(text), { policies: [], problems: [] });
  });
});

function semver(range: string | undefined): Policy['select'] {
  return { kind: 'semver', range, prereleases: false, coerce: false, grammar: 'argocd' };
}

describe('places of annotated Applications', () => {
  const helm = ['web.helm.image-name: image.repository', 'web.helm.image-tag: image.tag'];
  const rows: Record<string, { annotations?: string[]; spec?: string[]; globs: string[]; targets?: unknown[] }> = {
    'sources in several places': {
      spec: [
        'sources:',
        '  - { chart: web, helm: { valueFiles: [$env/prod/values.yaml, $other/x.yaml, values.yaml] } }',
        '  - { ref: env, repoURL: x }',
        '  - { path: ./b, helm: { valueFiles: [../c/values.yaml, "https://example.com/v.yaml"] } }',
      ],
      globs: ['apps/shop.yaml', 'b', 'prod/values.yaml', 'c/values.yaml'],
    },
    'a chart alone': { spec: ['source: { chart: web }'], globs: ['apps/shop.yaml'] },
    'the root, of the only application': { spec: ['source: { path: . }'], globs: ['apps/shop.yaml', ''] },
    'a kustomization': { annotations: ['write-back-target: kustomization'], globs: ['deploy/web'] },
    'a kustomization beside': { annotations: ['write-back-target: kustomization:../base'], globs: ['deploy/base'] },
    'a kustomization from the root': { annotations: ['write-back-target: kustomization:/base'], globs: ['base'] },
    'values, found by structure': { annotations: ['write-back-target: helmvalues'], globs: ['deploy/web/values.yaml'] },
    'values, named': {
      annotations: ['write-back-target: helmvalues:../env/prod.yaml', ...helm],
      globs: ['deploy/env/prod.yaml'],
      targets: [
        ['deploy/env/prod.yaml', 'image.repository', 'name'],
        ['deploy/env/prod.yaml', 'image.tag', 'tag'],
      ],
    },
    'values, named as one, with a dot in a key': {
      annotations: ['write-back-target: helmvalues:/v.yaml', 'web.helm.image-spec: a\\.b.images[0]', ...helm],
      globs: ['v.yaml'],
      targets: [['v.yaml', '["a.b"].images[0]', 'reference']],
    },
    'parameters, found by structure': { annotations: helm, globs: ['apps/shop.yaml', 'deploy/web'] },
  };
  for (const [name, { annotations = [], spec, globs, targets = [] }] of Object.entries(rows)) {
    it(name, () => {
      const policy = only(application(['image-list: web=acme/web', ...annotations], spec));
      assert.deepEqual(policy.paths, { globs, explicit: true });
      assert.deepEqual(
        policy.targets.map(({ file, path, part }) => [file, path, part]),
        targets,
      );
    });
  }

  it('leave out what leads out of the repository, and say so', () => {
    const { policies, problems } = read(application(['image-list: acme/web'], ['source:', '  path: ../../etc']));
    assert.deepEqual(policies[0]?.paths.globs, ['apps/shop.yaml']);
    assert.deepEqual(problems.map(brief), [
      {
        code: 'PolicyPartial',
        message:
          'Cannot carry over "spec.source.path": "../../etc" is no path inside the repository, nothing is written there',
        at: [10, 11],
        policy: 'team-a/shop',
      },
    ]);
  });

  it('are not the root where other applications stand in it', () => {
    const two = [
      application(['image-list: acme/web'], ['source: { path: . }']),
      application([]).replace('shop', 'other'),
    ];
    const { policies, problems } = read(two.join('\n---\n'));
    assert.deepEqual(policies[0]?.paths.globs, ['apps/shop.yaml']);
    assert.deepEqual(
      problems.map(({ code, place }) => [code, place?.line, place?.column]),
      [['PolicyPartial', 9, 19]],
    );
  });
});

describe('what cannot be carried over from annotations', () => {
  const rows: Record<string, { line: string; column: number; says: RegExp; usable?: boolean }> = {
    'the API as a way of writing': { line: 'write-back-method: argocd', column: 57, says: /never set through the API/ },
    'credentials for Git': {
      line: 'write-back-method: git:secret:argocd/creds',
      column: 57,
      says: /policies name no cred/,
    },
    'another way of writing': { line: 'write-back-method: svn', column: 57, says: /"svn" is not known/ },
    'another branch': { line: 'git-branch: main:image-{{.SHA256}}', column: 50, says: /branch of `repos`/ },
    'another repository': { line: 'git-repository: https://x/y.git', column: 54, says: /Yaml repo itself/ },
    'a forced update': { line: 'w.force-update: "true"', column: 54, says: /nothing is forced/ },
    'a pull secret': {
      line: 'w.pull-secret: pullsecret:argocd/x',
      column: 53,
      says: /`registries` in the configuration/,
    },
    'an unknown annotation': { line: 'w.update-stategy: name', column: 5, says: /not known here/ },
    'an alias that no image has': { line: 'x.allow-tags: any', column: 5, says: /the alias of an image/ },
    'another target': { line: 'write-back-target: chart', column: 57, says: /"chart" was found, "kustomization/ },
    'a target outside': { line: 'write-back-target: helmvalues:../../../x', column: 57, says: /inside the repository/ },
    'no match function': { line: 'w.allow-tags: ^1', column: 52, says: /"\^1" was found.*no tag is allowed/ },
    'a pattern that does not compile': {
      line: 'w.allow-tags: "regexp:[a"',
      column: 52,
      says: /closing \].*no tag is allowed/,
    },
    'a malformed glob': { line: 'w.ignore-tags: "[2"', column: 53, says: /"\[2" is malformed.*no tag is ignored/ },
    'a class negated the other way': { line: 'w.ignore-tags: "[!a]"', column: 53, says: /"\[\^" negates/ },
    'an unknown strategy': {
      line: 'w.update-strategy: newest',
      column: 57,
      says: /"newest": it is not known/,
      usable: false,
    },
    'no tag to follow': { line: 'w.update-strategy: digest', column: 52, says: /no tag was found/, usable: false },
    'no platform': { line: 'w.platforms: linux', column: 51, says: /platform "linux"/, usable: false },
    'a list for a string': {
      line: 'w.allow-tags: [any]',
      column: 52,
      says: /a list was found, a string/,
      usable: false,
    },
    'a number for a string': { line: 'w.allow-tags: 1.0', column: 52, says: /the number 1 was found/, usable: false },
  };
  for (const [name, { line, column, says, usable = true }] of Object.entries(rows)) {
    it(`is said at its place: ${name}`, () => {
      const { policies, problems } = read(application(['image-list: w=acme/web', line]));
      assert.equal(policies.length, usable ? 1 : 0);
      assert.equal(problems.length, 1, JSON.stringify(problems));
      const [problem] = problems;
      assert.match(problem?.message ?? '', says);
      const at = line.includes('digest') ? 7 : 8;
      assert.deepEqual(problem?.place, { file: 'apps/shop.yaml', line: at, column: column - (at === 7 ? 2 : 0) });
      assert.equal(problem.code, usable ? 'PolicyPartial' : 'PolicyInvalid');
    });
  }

  it('is not said of a branch and a repository that Argo CD follows anyway', () => {
    const spec = ['source: { path: a, repoURL: https://x/y.git, targetRevision: main }'];
    only(application(['image-list: acme/web', 'git-branch: main', 'git-repository: https://x/y.git'], spec));
  });

  const badImages = ['a=acme/web:latest', 'a=acme/web:>>1', 'a=Acme/Web', 'a=', 'a=acme/web b', 'ok=acme/ok'];
  for (const bad of badImages) {
    it(`is one image, and never the others: ${bad}`, () => {
      const { policies, problems } = read(application([`image-list: "ok=acme/fine:1.x, ${bad}"`]));
      assert.deepEqual(
        policies.map(({ image }) => image),
        ['acme/fine'],
      );
      assert.deepEqual(
        problems.map(({ code, place }) => [code, place?.line, place?.column]),
        [['PolicyInvalid', 7, 50]],
      );
    });
  }

  it('is an ApplicationSet', () => {
    const text = `apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nspec:\n  template:\n    metadata:\n      annotations:\n        ${prefix}image-list: acme/web\n`;
    const { policies, problems } = read(text);
    assert.deepEqual(
      [policies, problems.map(brief)],
      [
        [],
        [
          {
            code: 'PolicyPartial',
            message: `Cannot carry over "${prefix}image-list": the Applications of an ApplicationSet are made in the cluster, only those in the Yaml repo are read`,
            at: [7, 9],
            policy: undefined,
          },
        ],
      ],
    );
  });

  it('is an annotation without a list of images', () => {
    const { problems } = read(application(['update-strategy: name', 'allow-tags: any']));
    assert.deepEqual(
      problems.map(({ code, place }) => [code, place?.line, place?.column]),
      [['PolicyPartial', 7, 5]],
    );
  });
});
