import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TallymanError } from '../../src/error/tallyman-error.ts';
import { changeHold } from '../../src/pipeline/change-hold.ts';
import { commitAndPropose } from '../../src/pipeline/commit-and-propose.ts';
import type { BranchPush, CommitInfo, Forge, PullRequest, RepoBranches } from '../../src/pipeline/ports.ts';
import { createProposalMemory } from '../../src/pipeline/propose-facts.ts';
import type { ProposingContext } from '../../src/pipeline/proposing-context.ts';
import { fakeRegistry, listingOf, unavailable } from './fake-registry.ts';
import { fakeYamlRepo, passOver, repoFiles } from './fake-yaml-repo.ts';

const signal = new AbortController().signal;
const proposed = repoFiles('select: {semver: "*"}, write: {mode: pull-request}');
/** The same, and a policy that is written at once. */
const withCommits = {
  ...proposed,
  'api-policy.yaml':
    'apiVersion: tallyman.dev/v1alpha1\nkind: ImagePolicy\nmetadata: {name: api, namespace: shop}\nspec: {image: ghcr.io/acme/api, select: {semver: "*"}}\n',
  'api.yaml': 'image: ghcr.io/acme/api:1.0.0\n',
};

/** Branches and pull requests in memory; `asked` counts what the forge was asked. */
function openWorld(listTags = async () => listingOf('1.0.0', '1.1.0')) {
  const pulls: PullRequest[] = [];
  const commits = new Map<string, CommitInfo>();
  const tips = new Map<string, string>();
  const asked: string[] = [];
  const branches: RepoBranches = {
    listBranches: async () => new Map(tips),
    readCommit: async (id) => commits.get(id) ?? assert.fail(),
    async pushBranch({ branch, expected, commit }: BranchPush) {
      if (tips.get(branch) !== expected) return { kind: 'moved' };
      const id = `branch-${commits.size}`;
      const { author, whenMs } = commit;
      const message = commit.seal?.('tree') ?? commit.message;
      commits.set(id, { id, parents: [commit.base.commit], tree: 'tree', message, author, whenMs });
      tips.set(branch, id);
      return { kind: 'pushed', commit: id };
    },
    deleteBranch: async ({ branch, expected }) => tips.get(branch) === expected && tips.delete(branch),
  };
  const forge: Forge = {
    async listPullRequests() {
      asked.push('list');
      return pulls.filter(({ state }) => state !== 'merged').reverse();
    },
    async openPullRequest({ headBranch, baseBranch, title, body }) {
      asked.push('open');
      const number = pulls.length + 1;
      const url = `https://forge/${number}`;
      const facts = { headCommit: '', state: 'open', mergeCommit: undefined } as const;
      const pullRequest = { number, url, headBranch, baseBranch, title, body, ...facts };
      pulls.push(pullRequest);
      return { kind: 'opened', pullRequest };
    },
    updatePullRequest: async () => void asked.push('update'),
    closePullRequest: async () => void asked.push('close'),
  };
  const registry = fakeRegistry({ listTags: () => listTags() });
  const openContext = (
    files: Readonly<Record<string, string>> = proposed,
    parts: Partial<Forge> = {},
  ): ProposingContext => ({
    ...passOver(fakeYamlRepo(files), registry),
    proposing: { forge: { ...forge, ...parts }, branches, memory: createProposalMemory() },
  });
  return { pulls, asked, tips, openContext };
}

describe('commitAndPropose', () => {
  it('proposes, commits nothing, and then has nothing to do', async () => {
    const { openContext, asked } = openWorld();
    const context = openContext();
    const first = await commitAndPropose(context, { signal });
    assert.deepEqual(
      [first.commit, first.proposals.map(({ state, url }) => [state, url])],
      [undefined, [['opened', 'https://forge/1']]],
    );
    assert.deepEqual(
      (await commitAndPropose(context, { signal })).proposals.map(({ state }) => state),
      ['waiting'],
    );
    assert.deepEqual(asked, ['list', 'open', 'list']);
  });

  it('proposes again what a person closed once it was resumed, and holds it anew where that is closed', async () => {
    const world = openWorld();
    const edit = (number: number, parts: Partial<PullRequest>) => {
      const found = world.pulls[number - 1] ?? assert.fail();
      world.pulls[number - 1] = { ...found, ...parts };
    };
    const context = world.openContext(proposed, { updatePullRequest: async (number, text) => edit(number, text) });
    const states = async () => (await commitAndPropose(context, { signal })).proposals.map(({ state }) => state);
    const resume = async () =>
      (await changeHold(context, { verb: 'resume', policy: 'shop/web', reason: '' }, { signal })).told;
    assert.deepEqual(await states(), ['opened']);
    edit(1, { state: 'closed' });
    assert.deepEqual(await states(), ['held']);
    assert.match(await resume(), /shop\/web is proposed again: .*https:\/\/forge\/1/);
    assert.match(await resume(), /not held: nothing to do/);
    assert.deepEqual(await states(), ['opened']);
    edit(2, { state: 'closed' });
    assert.deepEqual(await states(), ['held']);
    edit(1, { state: 'open' });
    assert.deepEqual(await states(), ['updated'], 'what was resumed and opened again says it no more');
    edit(1, { state: 'closed' });
    assert.deepEqual(await states(), ['held']);
  });

  it('does not ask the forge where no policy asks for it', async () => {
    const { openContext, asked } = openWorld();
    const report = await commitAndPropose(openContext(repoFiles('select: {semver: "*"}')), { signal });
    assert.equal(report.commits.length, 1);
    assert.deepEqual(asked, []);
  });

  it('tells policies that no forge is known for', async () => {
    const context = passOver(fakeYamlRepo(proposed), fakeRegistry({ listTags: async () => listingOf('1.1.0') }));
    const { problems, commit } = await commitAndPropose(context, { signal });
    assert.deepEqual([commit, problems.map(({ code }) => code)], [undefined, ['ConfigInvalid']]);
  });

  it('commits all the same where the forge is away', async () => {
    const away = () => Promise.reject(new TallymanError('ForgeUnavailable', 'Cannot reach it'));
    const report = await commitAndPropose(openWorld().openContext(withCommits, { listPullRequests: away }), { signal });
    assert.deepEqual(
      report.updates.map(({ policy }) => policy),
      ['shop/api'],
    );
    assert.ok(report.commit !== undefined);
    assert.deepEqual(
      report.problems.map(({ code }) => code),
      ['ForgeUnavailable'],
    );
  });

  it('tells what was committed before it was stopped, and not that it was', async () => {
    const stop = new AbortController();
    const stopped = () => {
      stop.abort(new Error('stopped'));
      return Promise.reject(stop.signal.reason);
    };
    const context = openWorld().openContext(withCommits, { listPullRequests: stopped });
    const report = await commitAndPropose(context, { signal: stop.signal });
    assert.deepEqual([report.commits.length, report.problems], [1, []]);
    const again = openWorld().openContext(proposed, { listPullRequests: stopped });
    await assert.rejects(commitAndPropose(again, { signal: stop.signal }), /stopped/);
  });

  it('tells what was proposed before it was stopped', async () => {
    const stop = new AbortController();
    const another = withCommits['api-policy.yaml'].replace('"*"}', '"*"}, write: {mode: pull-request, group: zoo}');
    const { openContext, pulls } = openWorld();
    const { proposing, ...context } = openContext({ ...withCommits, 'api-policy.yaml': another });
    assert.ok(proposing !== undefined);
    const { openPullRequest } = proposing.forge;
    const forge: Forge = {
      ...proposing.forge,
      async openPullRequest(text, options) {
        if (pulls.length > 0) {
          stop.abort(new Error('stopped'));
          throw stop.signal.reason;
        }
        return await openPullRequest(text, options);
      },
    };
    const report = await commitAndPropose({ ...context, proposing: { ...proposing, forge } }, { signal: stop.signal });
    assert.deepEqual([report.proposals.map(({ state }) => state), report.problems], [['opened'], []]);
  });

  it('closes nothing because a registry does not answer', async () => {
    let isAway = false;
    const { openContext, tips, asked } = openWorld(async () => {
      if (isAway) throw unavailable;
      return listingOf('1.0.0', '1.1.0');
    });
    const context = openContext();
    await commitAndPropose(context, { signal });
    isAway = true;
    const report = await commitAndPropose(context, { signal });
    assert.deepEqual(
      report.proposals.map(({ state }) => state),
      ['doubtful'],
    );
    assert.deepEqual([tips.size, asked.includes('close')], [1, false]);
  });

  it('opens what a pass that broke off had pushed only', async () => {
    const world = openWorld();
    const broken = () => Promise.reject(new TallymanError('ForgeUnavailable', 'Cannot reach it'));
    const context = world.openContext();
    const first = await commitAndPropose(world.openContext(proposed, { openPullRequest: broken }), { signal });
    assert.deepEqual(
      first.problems.map(({ code }) => code),
      ['ForgeUnavailable'],
    );
    assert.deepEqual(
      (await commitAndPropose(context, { signal })).proposals.map(({ state }) => state),
      ['opened'],
    );
    assert.equal(world.pulls.length, 1);
  });
});
