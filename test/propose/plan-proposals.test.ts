import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  type KnownBranch,
  type KnownPullRequest,
  type ProposalFacts,
  type ProposalStep,
  planProposals,
  type WantedProposal,
} from '../../src/propose/plan-proposals.ts';

const name = 'tallyman/main/shop';
const own = { plan: 'plan-1', files: 'files-1', policies: ['shop/web'] };
const wanted: WantedProposal = { ...own, group: 'shop', branch: name };
const branch = (parts: Partial<KnownBranch> = {}): KnownBranch => ({ name, commit: 'c1', own, ...parts });
const pull = (parts: Partial<KnownPullRequest> = {}): KnownPullRequest => ({
  number: 7,
  url: 'https://forge/7',
  headBranch: name,
  state: 'open',
  title: 'shop/web: 1 → 2',
  body: 'Tallyman-Plan: plan-1',
  ...parts,
});
const plan = (parts: Partial<ProposalFacts>): readonly string[] =>
  planProposals({
    wanted: [],
    branches: [],
    pullRequests: [],
    held: new Set(),
    isDoubtful: () => false,
    ...parts,
  }).map(tell);

function tell(step: ProposalStep): string {
  switch (step.kind) {
    case 'push':
      return `push over ${step.expected}, then ${step.pullRequest === undefined ? 'open' : `update ${step.pullRequest.number}`}`;
    case 'show':
      return step.pullRequest === undefined ? 'open' : `update ${step.pullRequest.number}`;
    case 'keep':
      return `keep ${step.pullRequest.number}`;
    case 'leave':
      return `leave ${step.why}`;
    case 'close':
      return `close ${step.pullRequest.number}, delete ${step.commit}`;
    case 'delete':
      return `delete ${step.commit}`;
  }
}

const doubt = (policy: string): boolean => policy === 'shop/web';

const cases: readonly { what: string; facts: Partial<ProposalFacts>; steps: readonly string[] }[] = [
  { what: 'nothing at all', facts: {}, steps: [] },
  { what: 'a first version', facts: { wanted: [wanted] }, steps: ['push over undefined, then open'] },
  {
    what: 'the same as before',
    facts: { wanted: [wanted], branches: [branch()], pullRequests: [pull()] },
    steps: ['keep 7'],
  },
  {
    what: 'a later version',
    facts: { wanted: [{ ...wanted, plan: 'plan-2' }], branches: [branch()], pullRequests: [pull()] },
    steps: ['push over c1, then update 7'],
  },
  {
    what: 'touched files that changed on the base',
    facts: { wanted: [{ ...wanted, files: 'files-2' }], branches: [branch()], pullRequests: [pull()] },
    steps: ['push over c1, then update 7'],
  },
  {
    what: 'a pass that ended between push and pull request',
    facts: { wanted: [wanted], branches: [branch()] },
    steps: ['open'],
  },
  {
    what: 'a pass that ended between push and update',
    facts: {
      wanted: [{ ...wanted, plan: 'plan-2' }],
      branches: [branch({ own: { ...own, plan: 'plan-2' } })],
      pullRequests: [pull()],
    },
    steps: ['update 7'],
  },
  {
    what: 'a branch that is gone under its pull request',
    facts: { wanted: [wanted], pullRequests: [pull()] },
    steps: ['push over undefined, then update 7'],
  },
  {
    what: 'one closed by a person beside a newer version',
    facts: {
      wanted: [{ ...wanted, plan: 'plan-2' }],
      branches: [branch()],
      pullRequests: [pull({ state: 'closed' })],
    },
    steps: ['push over c1, then open'],
  },
  {
    what: 'a branch that a person pushed to',
    facts: { wanted: [wanted], branches: [branch({ own: undefined })], pullRequests: [pull()] },
    steps: ['leave taken'],
  },
  {
    what: 'the same, with nothing wanted any more',
    facts: { branches: [branch({ own: undefined })], pullRequests: [pull()] },
    steps: ['leave taken'],
  },
  { what: 'the same, without a pull request', facts: { branches: [branch({ own: undefined })] }, steps: [] },
  {
    what: 'nothing wanted any more',
    facts: { branches: [branch()], pullRequests: [pull()] },
    steps: ['close 7, delete c1'],
  },
  { what: 'an open one whose branch is gone', facts: { pullRequests: [pull()] }, steps: ['close 7, delete undefined'] },
  { what: 'a branch that was merged', facts: { branches: [branch()] }, steps: ['delete c1'] },
  { what: 'a branch of which a version is held', facts: { branches: [branch()], held: new Set([name]) }, steps: [] },
  {
    what: 'a registry that does not answer',
    facts: { branches: [branch()], pullRequests: [pull()], isDoubtful: doubt },
    steps: ['leave doubtful'],
  },
  {
    what: 'a registry that does not answer for one of the group',
    facts: {
      wanted: [{ ...wanted, plan: 'plan-2', policies: ['shop/api'] }],
      branches: [branch({ own: { ...own, policies: ['shop/api', 'shop/web'] } })],
      pullRequests: [pull()],
      isDoubtful: doubt,
    },
    steps: ['leave doubtful'],
  },
  {
    what: 'doubts about a policy that is not in the branch',
    facts: {
      wanted: [{ ...wanted, plan: 'plan-2' }],
      branches: [branch()],
      pullRequests: [pull()],
      isDoubtful: (policy) => policy === 'shop/api',
    },
    steps: ['push over c1, then update 7'],
  },
  {
    what: 'twins that two Tallymen opened at once',
    facts: {
      wanted: [wanted],
      branches: [branch()],
      pullRequests: [pull({ number: 9 }), pull({ number: 8 }), pull()],
    },
    steps: ['close 9, delete undefined', 'close 8, delete undefined', 'keep 7'],
  },
];

describe('planProposals', () => {
  for (const { what, facts, steps } of cases) it(what, () => assert.deepEqual(plan(facts), steps));
});
