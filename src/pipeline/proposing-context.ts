/** What passes and commands work with where changes may go to pull requests. */
import type { Policy } from '../policy/policy.ts';
import { nameBranch } from '../propose/branch-name.ts';
import type { Proposing } from './propose-facts.ts';
import type { PassContext } from './run-pass.ts';

export type ProposingContext = PassContext & { readonly proposing?: Proposing | undefined };

export function isProposed({ mode }: Policy): boolean {
  return mode === 'pull-request';
}

/** The group that the policy's changes are proposed with; those of policies that name none go together. */
export function nameGroup({ group }: Policy): string {
  return group ?? 'updates';
}

/** The branch that a policy's changes are proposed on. */
export function nameProposal(policy: Policy, baseBranch: string): string {
  return nameBranch(baseBranch, nameGroup(policy));
}
