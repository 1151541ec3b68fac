import { formatProblem, toProblem } from '../error/problem.ts';
import { changeHold, type HoldChange } from '../pipeline/change-hold.ts';
import {
  type CommonFlags,
  exitCodes,
  isPolicyInvalid,
  judgeFailures,
  type OpenSession,
  withSession,
} from './session.ts';

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
        if (problem !== undefined) {
          tell([problem]);
          return exitCodes.failed;
        }
        process.stdout.write(`${told}\n`);
        return exitCodes.ok;
      } catch (error) {
        failures.push(error);
        // Another Yaml repo may have the policy; one that cannot be read may be it.
        if (!isPolicyInvalid(error)) break;
      }
    }
    tell(failures.map((failure) => toProblem(failure)));
    return judgeFailures(failures);
  });
}

function tell(problems: readonly Parameters<typeof formatProblem>[0][]): void {
  process.stderr.write(problems.map((problem) => `${formatProblem(problem)}\n`).join(''));
}
