/** The command line: names and flags of the commands. */
import { Command, Option } from 'commander';
import { checkCommand } from './check.ts';
import { explainCommand } from './explain.ts';
import { reportFormats } from './format-report.ts';
import { planCommand } from './plan.ts';
import { runCommand } from './run.ts';
import { exitCodes, type OpenSession } from './session.ts';

/** Parses the arguments (without node and script) and runs the command; the result is the exit code. */
export async function runProgram(args: readonly string[], open: OpenSession, version: string): Promise<number> {
  let code: number = exitCodes.ok;
  const program = new Command('tallyman')
    .description('Keeps the image versions written in a Git repository up to date with a registry.')
    .version(version)
    .exitOverride();
  const command = (name: string, description: string) =>
    program
      .command(name)
      .description(description)
      .option('--config <file>', 'configuration file (or TALLYMAN_CONFIG)')
      .option('--repo <url-or-path>', 'the Yaml repo, in place of those in the configuration')
      .option('--branch <name>', 'branch of --repo; by default its default branch')
      .exitOverride();
  command('run', 'watch registries and commit new versions')
    .option('--once', 'one pass, then exit: 0 done, 1 with problems, 2 usage, 3 failed')
    .action(async (flags) => {
      code = await runCommand(flags, open);
    });
  command('plan', 'show what would be committed, as a unified diff; write nothing').action(async (flags) => {
    code = await planCommand(flags, open);
  });
  command('check', 'validate policy files and their targets; ask no registry')
    .addOption(new Option('--output <format>', 'form of the report').choices([...reportFormats]).default('text'))
    .action(async (flags) => {
      code = await checkCommand(flags, open);
    });
  command('explain', 'show every tag and place of one policy, and why; write nothing')
    .argument('<policy>', 'the policy, as NAMESPACE/NAME')
    .addOption(new Option('--output <format>', 'form of the explanation').choices(['text', 'json']).default('text'))
    .action(async (policy, flags) => {
      code = await explainCommand(policy, flags, open);
    });
  try {
    await program.parseAsync(args, { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof Error && 'exitCode' in error) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    throw error;
  }
}
