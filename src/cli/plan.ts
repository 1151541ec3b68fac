import { createTwoFilesPatch } from 'diff';
import { printable } from '../error/printable.ts';
import { formatProblem, isError, toProblem } from '../error/problem.ts';
import { planInformed } from '../pipeline/inform-context.ts';
import { isProposed, nameProposal, type ProposingContext } from '../pipeline/proposing-context.ts';
import { openLookup, type PlannedPass } from '../pipeline/run-pass.ts';
import { type CommonFlags, exitCodes, type OpenSession, withSession } from './session.ts';

/** `tallyman plan`: what would be committed or proposed, as a unified diff on standard output; nothing is written. */
export function planCommand(flags: CommonFlags, open: OpenSession): Promise<number> {
  return withSession(flags, open, async ({ session, signal }) => {
    const codes = [];
    for (const { context } of session.repos) codes.push(await planOne(context, signal));
    return Math.max(...codes);
  });
}

async function planOne(context: ProposingContext, signal: AbortSignal): Promise<number> {
  try {
    const planned = await planInformed(context, openLookup(context, { signal }), { signal });
    for (const [file, bytes] of planned.changes) {
      const before = planned.before.get(file);
      process.stdout.write(formatDiff(file, decode(before), decode(bytes)));
    }
    for (const line of await listProposed(context, planned, signal)) process.stderr.write(`${line}\n`);
    for (const problem of planned.problems) process.stderr.write(`${formatProblem(problem)}\n`);
    return planned.problems.some(isError) ? exitCodes.problems : exitCodes.ok;
  } catch (error) {
    process.stderr.write(`${formatProblem(toProblem(error))}\n`);
    return exitCodes.failed;
  }
}

/** What of the plan goes to pull requests, and from which branches. */
async function listProposed(
  { repo, memory }: ProposingContext,
  { snapshot, updates }: PlannedPass,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { policies } = await memory.read(repo, snapshot, { signal });
  const proposed = new Map(policies.filter(isProposed).map((policy) => [policy.key, policy]));
  return updates.flatMap(({ policy: key, from, to }) => {
    const policy = proposed.get(key);
    const change = `${key}: ${printable(from ?? 'no version', 200)} → ${to}`;
    return policy === undefined
      ? []
      : [`${change} goes to a pull request from ${nameProposal(policy, snapshot.branch)}`];
  });
}

/** As `git diff` writes it, so that `git apply` takes it. */
function formatDiff(file: string, before: string, after: string): string {
  const patch = createTwoFilesPatch('', '', before, after, undefined, undefined, { context: 3 });
  const [from, to] = [quoteName(`a/${file}`), quoteName(`b/${file}`)];
  return `diff --git ${from} ${to}\n--- ${from}\n+++ ${to}\n${patch.slice(patch.indexOf('@@'))}`;
}

/** Git's quoting of unusual path names: in C style where a control character, a quote or a backslash stands in them. */
function quoteName(name: string): string {
  if (!/[\p{Cc}"\\]/u.test(name)) return name;
  const escaped = name
    .replace(/["\\]/g, '\\$&')
    .replace(/\p{Cc}/gu, (sign) =>
      [...new TextEncoder().encode(sign)].map((byte) => `\\${byte.toString(8).padStart(3, '0')}`).join(''),
    );
  return `"${escaped}"`;
}

function decode(bytes: Uint8Array | undefined): string {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
}
