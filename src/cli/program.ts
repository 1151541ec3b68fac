/** The command line: names and flags of the commands. */
import { Command, Option } from 'commander';
import { checkCommand } from './check.ts';
import { explainCommand } from './explain.ts';
import { reportFormats } from './format-report.ts';
import { holdCommand } from './hold.ts';
import { planCommand } from './plan.ts';
import { runCommand } from './run.ts';
import { exitCodes, type OpenSession } from './session.ts';
import { setCommand } from './set.ts';

/** Parses the arguments (without node and script) and runs the command; the result is the exit code. */
export async function runProgram(args: readonly string[], open: OpenSession, version: string): Promise<number> {
  let code: number = exitCodes.ok;
  const program = new Command('tallyman')
    .description('Keeps the image versions written in a Git repository up to date with a registry.')
    .version(version)
    .exitOverride();
  const adding: Adding = {
    open,
    command: (name, description) =>
      program
        .command(name)
        .description(description)
        .option('--config <file>', 'configuration file (or TALLYMAN_CONFIG)')
        .option('--repo <url-or-path>', 'the Yaml repo, in place of those in the configuration')
        .option('--branch <name>', 'branch of --repo; by default its default branch')
        .exitOverride(),
    async end(command) {
      code = await command;
    },
  };
  addReading(adding);
  addWriting(adding);
  try {
    await program.parseAsync(args, { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof Error && 'exitCode' in error) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    throw error;
  }
}

interface Adding {
  readonly open: OpenSession;
  /** A command with the flags that all have. */
  command(name: string, description: string): Command;
  /** Waits for the command and keeps its exit code. */
  end(command: Promise<number>): Promise<void>;
}

function addReading({ open, command, end }: Adding): void {
  command('plan', 'show what would be committed, as a unified diff; write nothing').action((flags) =>
    end(planCommand(flags, open)),
  );
  command('check', 'validate policy files and their targets; ask no registry')
    .addOption(new Option('--output <format>', 'form of the report').choices([...reportFormats]).default('text'))
    .action((flags) => end(checkCommand(flags, open)));
  command('explain', 'show every tag and place of one policy, and why; write nothing')
    .argument('<policy>', 'the policy, as NAMESPACE/NAME')
    .addOption(new Option('--output <format>', 'form of the explanation').choices(['text', 'json']).default('text'))
    .action((policy, flags) => end(explainCommand(policy, flags, open)));
}

function addWriting({ open, command, end }: Adding): void {
  command('run', 'watch registries and commit new versions')
    .option('--once', 'one pass, then exit: 0 done, 1 with problems, 2 usage, 3 failed')
    .action((flags) => end(runCommand(flags, open)));
  command('set', "record an image that was just pushed, as the last step of an application's CI")
    .argument('<image>', 'the image, as IMAGE:TAG or IMAGE:TAG@DIGEST')
    .addOption(new Option('--output <format>', 'form of the report').choices(['text', 'json']).default('text'))
    .action((image, flags) => end(setCommand(image, flags, open)));
  command('hold', 'leave a policy alone until it is resumed, as a commit')
    .argument('<policy>', 'the policy, as NAMESPACE/NAME')
    .option('--reason <text>', 'why, for those who read the log')
    .action((policy, flags) => end(holdCommand({ verb: 'hold', policy }, flags, open)));
  command('resume', 'let a held policy be updated again, as a commit')
    .argument('<policy>', 'the policy, as NAMESPACE/NAME')
    .option('--reason <text>', 'why, for those who read the log')
    .action((policy, flags) => end(holdCommand({ verb: 'resume', policy }, flags, open)));
}
