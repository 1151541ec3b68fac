import { formatProblem, toProblem } from '../error/problem.ts';
import { TallymanError } from '../error/tallyman-error.ts';
import { changeHold, type HoldChange } from '../pipeline/change-hold.ts';
import { type CommonFlags, exitCodes, type OpenSession, withSession } from './session.ts';

/** `tallyman hold NS/NAME` and `tallyman resume NS/NAME`: a commit that changes no file, in the Yaml repo that has the policy. */
export function holdCommand(
  { verb, policy }: Pick<HoldChange, 'verb' | 'policy'>,
  flags: CommonFlags & { reason?: string },
  open: OpenSession,
): Promise<number> {
  return withSession(flags, open, async ({ session, signal }) => {
    const failures: unknown[] = [];
    for (const { context } of session.repos) {
      try {
        const { told, problem } = await changeHold(context, { verb, policy, reason: flags.reason ?? '' }, { signal });
        if (problem !== undefined) return tell([problem]);
        process.stdout.write(`${told}\n`);
        return exitCodes.ok;
      } catch (error) {
        failures.push(error);
        // Another Yaml repo may have the policy; one that cannot be read may be it.
        if (!(error instanceof TallymanError && error.code === 'PolicyInvalid')) break;
      }
    }
    return tell(failures.map((failure) => toProblem(failure)));
  });
}

function tell(problems: readonly Parameters<typeof formatProblem>[0][]): number {
  process.stderr.write(problems.map((problem) => `${formatProblem(problem)}\n`).join(''));
  return exitCodes.failed;
}
