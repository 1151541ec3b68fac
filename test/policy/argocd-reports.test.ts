import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { application, brief, only, prefix, read } from './annotated-application.ts';

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
      if (!usable) assert.equal(problem.policy, 'team-a/shop-w');
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
