import { printable } from '../error/printable.ts';
import { formatProblem, isError, toProblem } from '../error/problem.ts';
import { describeAsked, describeEnd, type Hold } from '../hold/hold.ts';
import { type Explanation, explainPolicy } from '../pipeline/explain-policy.ts';
import { openLookup } from '../pipeline/run-pass.ts';
import { type CommonFlags, exitCodes, judgeFailures, type OpenSession, withSession } from './session.ts';

/** `tallyman explain NS/NAME`: every tag and why, every place and what becomes of it; nothing is written. */
export function explainCommand(
  key: string,
  flags: CommonFlags & { output?: string },
  open: OpenSession,
): Promise<number> {
  return withSession(flags, open, async ({ session, signal }) => {
    const failures: unknown[] = [];
    for (const { context } of session.repos) {
      try {
        const explanation = await explainPolicy(context, openLookup(context, { signal }), { key, signal });
        process.stdout.write(
          flags.output === 'json' ? `${JSON.stringify(explanation, null, 2)}\n` : formatExplanation(explanation),
        );
        return explanation.problems.some(isError) ? exitCodes.problems : exitCodes.ok;
      } catch (error) {
        failures.push(error);
      }
    }
    process.stderr.write(failures.map((failure) => `${formatProblem(toProblem(failure))}\n`).join(''));
    return judgeFailures(failures);
  });
}

function formatExplanation(explanation: Explanation): string {
  const { policy, image, select, source, suspend, hold, places, tags, problems } = explanation;
  const { kind, ...rule } = select;
  const rows = places.map(({ place, current, next, reason }) => [
    place,
    next === undefined ? `${current ?? '(none)'} stays` : `${current ?? '(none)'} → ${next}`,
    reason,
  ]);
  const lines = [
    `${policy}: ${image}, ${kind} ${JSON.stringify(rule)}${suspend ? ', suspended' : ''} (${source.file}:${source.line})`,
    ...(hold === undefined ? [] : [formatHold(hold)]),
    ...problems.map(formatProblem),
    '',
    ...formatTable(['PLACE', 'VERSION', 'WHY'], rows),
    '',
    ...formatTable(
      ['TAG', 'VERDICT', 'WHY'],
      tags.map(({ tag, verdict, reason }) => [tag, verdict, reason]),
    ),
  ];
  return `${lines.map((line) => printable(line)).join('\n')}\n`;
}

function formatHold({ asked, endsAt, versions }: Hold): string {
  if (endsAt !== undefined) return `nothing is written: ${describeEnd(endsAt)}`;
  if (asked !== undefined) return `${describeAsked(asked)} (commit ${asked.commit.slice(0, 7)})`;
  const lost = versions.map(
    ({ version, lost: where }) => `${version}${where === undefined ? '' : ` (${where.place})`}`,
  );
  return `held, for a person took away: ${lost.join(', ')}`;
}

/** Columns as wide as their widest cell, the last as it is. */
function formatTable(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const all = [head, ...rows];
  const widths = head.map((_, column) => all.reduce((widest, row) => Math.max(widest, (row[column] ?? '').length), 0));
  return all.map((row) =>
    row
      .map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
}
