/** What only the forge knows: silent squashes and closed pull requests, as passes and every command see them. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { changeHold } from '../../src/pipeline/change-hold.ts';
import { commitAndPropose } from '../../src/pipeline/commit-and-propose.ts';
import { explainPolicy } from '../../src/pipeline/explain-policy.ts';
import { planInformed } from '../../src/pipeline/inform-context.ts';
import type { Forge, PullRequest } from '../../src/pipeline/ports.ts';
import { createProposalMemory } from '../../src/pipeline/propose-facts.ts';
import type { ProposingContext } from '../../src/pipeline/proposing-context.ts';
import { openLookup } from '../../src/pipeline/run-pass.ts';
import { runGit } from '../services/git-server.ts';
import { openGitScene, policy } from './git-scene.ts';

const { signal } = new AbortController();
const policyFile = (more = '') => ({
  'web/policy.yaml': policy('web', { more: `  write: {mode: pull-request${more}}\n` }),
});

/** The scene with a forge in memory that knows pull requests of real branches. */
function openWorld(parts: Partial<Forge> = {}) {
  const scene = openGitScene();
  scene.write(policyFile());
  const pulls: PullRequest[] = [];
  const rev = (name: string) => runGit(scene.bare, ['rev-parse', name]);
  const edit = (number: number, change: Partial<PullRequest>) => {
    pulls[number - 1] = { ...(pulls[number - 1] ?? assert.fail()), ...change };
  };
  const forge: Forge = {
    listPullRequests: async ({ prefix, closedOf }) =>
      pulls
        .filter(({ state, headBranch }) => headBranch.startsWith(prefix) && (state === 'open' || closedOf.length > 0))
        .reverse(),
    async openPullRequest(request) {
      const number = pulls.length + 1;
      const facts = { state: 'open', mergeCommit: undefined, headCommit: rev(request.headBranch) } as const;
      const pullRequest = { number, url: `https://forge/${number}`, ...facts, ...request };
      pulls.push(pullRequest);
      return { kind: 'opened', pullRequest };
    },
    updatePullRequest: async (number, text) => edit(number, text),
    closePullRequest: async (number) => edit(number, { state: 'closed' }),
    ...parts,
  };
  const context: ProposingContext = {
    ...scene.context,
    proposing: { forge, branches: scene.context.repo as never, memory: createProposalMemory() },
  };
  return {
    ...scene,
    context,
    pulls,
    edit,
    tip: () => rev('main'),
    pass: async () => {
      const { proposals, problems } = await commitAndPropose(context, { signal });
      return [...proposals.map(({ state }) => state), ...problems.map(({ code }) => code)].join(' ');
    },
    /** A person merges it as one commit with that message. */
    squash(number: number, message: string) {
      const { headBranch = '' } = pulls[number - 1] ?? {};
      const commit = runGit(scene.bare, ['commit-tree', `${headBranch}^{tree}`, '-p', 'main', '-m', message]);
      runGit(scene.bare, ['update-ref', 'refs/heads/main', commit]);
      edit(number, { state: 'merged', mergeCommit: commit });
      return commit;
    },
    explain: () => explainPolicy(context, openLookup(context, { signal }), { key: 'shop/web', signal }),
    plan: () => planInformed(context, openLookup(context, { signal }), { signal }),
    change: async (verb: 'hold' | 'resume') =>
      (await changeHold(context, { verb, policy: 'shop/web', reason: '' }, { signal })).told,
  };
}

type World = ReturnType<typeof openWorld>;

/** No pass, command or explanation writes 1.5.0. */
async function assertHeld(world: World): Promise<void> {
  assert.match(await world.pass(), /ImageHeld/);
  const { tags, problems, places } = await world.explain();
  assert.equal(tags.find(({ tag }) => tag === '1.5.0')?.verdict, 'held');
  assert.deepEqual([problems.map(({ code }) => code), places[0]?.next], [['ImageHeld'], undefined]);
  const planned = await world.plan();
  assert.deepEqual([planned.edits, planned.problems.map(({ code }) => code)], [[], ['ImageHeld']]);
}

describe('a squash that says little of what it wrote', () => {
  const rows: Record<string, string> = {
    'nothing at all': 'Bump',
    'a mark of ours, of no version': 'Bump\n\nTallyman-Plan: 0123',
    'another version': 'Bump\n\nTallyman-Update: shop/api ghcr.io/acme/api 1.0.0 -> 1.1.0\nTallyman-Plan: 0123',
    'a part, as the body of a cut one does': 'Bump\n\nMore changes are in the commit.\n\nTallyman-Plan: 0123',
  };
  for (const [name, message] of Object.entries(rows))
    it(`${name}: what it wrote is held once it is reverted, everywhere, until it is resumed`, async () => {
      const world = openWorld();
      assert.equal(await world.pass(), 'opened');
      world.squash(1, message);
      world.person(['revert', '--no-edit', 'HEAD']);
      await assertHeld(world);
      assert.match(await world.change('resume'), /^shop\/web is updated again/);
      assert.equal((await world.explain()).tags.find(({ tag }) => tag === '1.5.0')?.verdict, 'selected');
      assert.equal((await world.plan()).edits.length, 1);
      assert.match(await world.pass(), /opened/);
    });

  it('ends no hold by a line that was put into its description', async () => {
    const world = openWorld();
    await world.pass();
    await world.change('hold');
    world.edit(1, { body: `${world.pulls[0]?.body}\n\nTallyman-Resume: shop/web\n` });
    world.squash(1, 'Bump');
    world.tags.push('1.6.0');
    assert.match(await world.pass(), /ImageHeld/);
  });
});

describe('a pull request that a person closed', () => {
  it('is known to every command, and named by what held', async () => {
    const world = openWorld();
    await world.pass();
    world.edit(1, { state: 'closed' });
    world.tags.push('1.6.0');
    assert.equal(await world.pass(), 'opened');
    world.edit(2, { state: 'closed' });
    world.tags.splice(2, 1);
    await assertHeld(world);
    assert.match((await world.explain()).problems[0]?.message ?? '', /version "1\.6\.0".*forge\/2/);
    assert.match(await world.change('resume'), /proposed again/);
    assert.equal(await world.pass(), 'opened');
  });

  it('holds also once a hold by command is ended, which says so', async () => {
    const world = openWorld();
    await world.pass();
    world.edit(1, { state: 'closed' });
    await world.change('hold');
    assert.match(await world.change('resume'), /1\.5\.0.*`tallyman resume shop\/web` once more/);
    await assertHeld(world);
    assert.match(await world.change('resume'), /proposed again/);
  });

  it('is told as far as is known where the forge is away', async () => {
    const world = openWorld();
    await world.pass();
    const { proposing } = world.context;
    if (proposing === undefined) assert.fail();
    const away = { ...proposing.forge, listPullRequests: () => Promise.reject(new Error('away')) };
    const context = { ...world.context, proposing: { ...proposing, forge: away } };
    const { problems, tags } = await explainPolicy(context, openLookup(context, { signal }), {
      key: 'shop/web',
      signal,
    });
    assert.deepEqual([problems.length, tags.length], [1, 2]);
    const planned = await planInformed(context, openLookup(context, { signal }), { signal });
    assert.deepEqual([planned.problems.length, planned.edits.length], [1, 1]);
  });
});

describe('a group named or renamed', () => {
  it('holds what was closed under another name', async () => {
    const world = openWorld();
    await world.pass();
    world.edit(1, { state: 'closed' });
    world.write(policyFile(', group: shop'));
    await assertHeld(world);
  });

  it('holds what a silent squash under another name wrote', async () => {
    const world = openWorld();
    await world.pass();
    const bump = world.squash(1, 'Bump');
    world.write(policyFile(', group: shop'));
    world.person(['revert', '--no-edit', bump]);
    await assertHeld(world);
  });
});
