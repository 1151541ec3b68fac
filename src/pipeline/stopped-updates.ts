/** What a failure kept from being written: those whom it concerns are told of it. */
import { type StoppedUpdate, TallymanError } from '../error/tallyman-error.ts';
import { findObjects } from './list-events.ts';
import type { PlannedPass } from './run-pass.ts';

/** The updates of a plan, with the objects of their policies. */
export function listStopped({
  updates,
  policies,
}: Pick<PlannedPass, 'updates' | 'policies'>): readonly StoppedUpdate[] {
  const objects = findObjects({ policies });
  return updates.map(({ policy, from, to }) => ({ policy, object: objects.get(policy), from, to }));
}

/** The failure, which says that it stopped the plan; what is no TallymanError as it is. */
export function addStopped(error: unknown, planned: Pick<PlannedPass, 'updates' | 'policies'>): unknown {
  if (!(error instanceof TallymanError)) return error;
  const { code, message, place, policy, remedy } = error;
  return new TallymanError(code, message, { place, policy, remedy, cause: error, stops: listStopped(planned) });
}
