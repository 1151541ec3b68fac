/** Builds the Go programs that the tests talk to and that are missing here; exit code 0 means that all are there. */
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { findBuiltTool, findToolVersion, type GoToolName, goTools, moduleFolder, toolFolder } from './go-tools.ts';

const wanted = 'Install Go 1.26 or newer (https://go.dev/doc/install)';

const missing = (Object.keys(goTools) as GoToolName[]).filter((name) => findBuiltTool(name) === undefined);
try {
  for (const name of missing) buildTool(name);
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}

/** Builds under a temporary name, so that a build which is cut short is never taken for a whole one. */
function buildTool(name: GoToolName): void {
  const target = toolFolder(name);
  const { module, package: path, tags, cgo, variables, folders } = goTools[name];
  say(`Building ${basename(target)} from source: this takes some minutes once, and is kept in ${dirname(target)}.`);
  mkdirSync(dirname(target), { recursive: true });
  const building = mkdtempSync(`${target}.building-`);
  try {
    const version = findToolVersion(name);
    const [major = '', minor = ''] = version.split('.');
    const fill = (value: string) =>
      value.replace('{version}', version).replace('{major}', major).replace('{minor}', minor);
    const set = Object.entries(variables).map(([key, value]) => `-X ${key}=${fill(value)}`);
    // Without symbols it is two thirds of the size; the checkout's commit says nothing of the program.
    const flags = [`-tags=${tags.join(',')}`, `-ldflags=${['-s -w', ...set].join(' ')}`, '-buildvcs=false'];
    const args = ['build', '-mod=readonly', ...flags, '-o', join(building, name), path];
    runGo(name, args, { CGO_ENABLED: cgo ? '1' : '0' });
    const source = runGo(name, ['list', '-mod=readonly', '-m', '-f', '{{.Dir}}', module]);
    for (const folder of folders) copyFolder(join(source, folder), join(building, folder));
    renameSync(building, target);
    say(`Built ${target}.`);
  } catch (error) {
    // Somebody else may have been faster.
    if (!existsSync(target)) throw error;
  } finally {
    rmSync(building, { recursive: true, force: true });
  }
}

/** The standard output of `go …` in the tool's module; throws with what to do where it fails. */
function runGo(name: GoToolName, args: readonly string[], environment: NodeJS.ProcessEnv = {}): string {
  const run = spawnSync('go', args, {
    cwd: moduleFolder(name),
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, GOWORK: 'off', ...environment },
  });
  if (run.error !== undefined)
    throw new Error(`Cannot build ${name}: go cannot be run (${run.error.message}). ${wanted}.`);
  if (run.status === 0) return run.stdout.trim();
  const compiler = goTools[name].cgo ? ', and a C compiler (on Debian: gcc and libc6-dev)' : '';
  throw new Error(`Cannot build ${name}: go ${args[0]} failed (see above). ${wanted}${compiler}.`);
}

/** Go's module cache is read-only; the copy must be removable. */
function copyFolder(from: string, to: string): void {
  cpSync(from, to, { recursive: true });
  chmodSync(to, 0o755);
  for (const entry of readdirSync(to, { recursive: true, withFileTypes: true }))
    if (entry.isDirectory()) chmodSync(join(entry.parentPath, entry.name), 0o755);
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}
