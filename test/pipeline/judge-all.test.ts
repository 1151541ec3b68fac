import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createJudging } from '../../src/pipeline/judge-all.ts';
import { matchObjects } from '../../src/reconcile/match-objects.ts';
import { readApplication } from '../../src/reconcile/read-application.ts';
import { application, appSource, commitOf } from '../reconcile/reconciler-scene.ts';

const url = 'https://git.example/acme/deploy.git';

describe('createJudging', () => {
  it('judges what concerns the same commit and folders once, however many versions it is asked for', () => {
    const shops = ['shop', 'depot'].map((name) =>
      readApplication(application({ source: appSource({ path: `apps/${name}` }) }), { namespace: 'argocd', name }),
    );
    const { appliers } = matchObjects(shops, { url, branch: 'main', isDefault: true, named: [] });
    const asked: string[] = [];
    const lineageOf = (commit: string) => {
      asked.push(commit.slice(0, 1));
      return { commit, descendants: new Set([commit]) };
    };
    const judging = createJudging(appliers, { lineageOf });
    const judge = (digit: string, file: string) => {
      const verdict = judging.judge({ commit: commitOf(digit), files: [file] });
      return verdict.kind === 'pending' ? verdict.lacking.map(({ object }) => object.name).join() : verdict.kind;
    };
    const files = Array.from({ length: 100 }, (_, index) => `apps/shop/${index}.yaml`);
    assert.deepEqual([...new Set(files.map((file) => judge('a', file)))], ['shop']);
    assert.deepEqual([judge('a', 'base/x.yaml'), judge('a', 'base/y.yaml')], ['shop,depot', 'shop,depot']);
    assert.equal(judge('b', 'apps/shop/1.yaml'), 'shop');
    assert.deepEqual(asked, ['a', 'a', 'b']);
  });
});
