/** The pure API: choosing, finding and editing as functions of values, for scripts and tests. */
export { type AppliedPlan, applyPlan } from './edit/apply-plan.ts';
export { type Edit, type Files, listUpdates, type Plan, type Update } from './edit/plan.ts';
export { planEdits } from './edit/plan-edits.ts';
export { catalogue, type Disposition, type ErrorCode } from './error/catalogue.ts';
export { formatProblem, type Problem } from './error/problem.ts';
export { type Place, TallymanError } from './error/tallyman-error.ts';
export {
  formatCanonical,
  formatFamiliar,
  type ImageReference,
  type ImageRepository,
  parseImageReference,
} from './image/reference.ts';
export type { Policy, SelectRule } from './policy/policy.ts';
export { readPolicies, readRepoPolicies } from './policy/read-policies.ts';
export { type SelectContext, selectTag } from './select/select-tag.ts';
export type { Selection, SelectionKind, TagVerdict } from './select/selection.ts';
