/** The programs for tests that are built from Go source: what they are, and where the built ones are kept. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** How to build one program; its go.mod and go.sum are in `test/services/<name>/`. */
interface GoTool {
  /** The module of the program, which go.mod pins. */
  readonly module: string;
  readonly package: string;
  readonly tags: readonly string[];
  /** Needs a C compiler. */
  readonly cgo: boolean;
  /** Variables that the linker sets; `{version}` stands for the module's version without its `v`. */
  readonly variables: Readonly<Record<string, string>>;
  /** Folders of the module that the program reads when it runs; kept beside it. */
  readonly folders: readonly string[];
}

/** A new program is a new row, and a folder with its go.mod and go.sum. */
export const goTools = {
  gitea: {
    module: 'code.gitea.io/gitea',
    package: 'code.gitea.io/gitea',
    // SQLite is C; the other databases would be one more server to start.
    tags: ['sqlite', 'sqlite_unlock_notify'],
    cgo: true,
    variables: { 'main.Version': '{version}' },
    folders: ['options', 'public', 'templates'],
  },
} as const satisfies Record<string, GoTool>;

export type GoToolName = keyof typeof goTools;

/** The folder of the tool's go.mod. */
export function moduleFolder(name: GoToolName): string {
  return fileURLToPath(new URL(`./${name}/`, import.meta.url));
}

/**
 * Where the built tool is kept, built or not: `~/.cache/tallyman/tools/gitea-1.26.0-0123456789ab`. Outside of the
 * checkout, so that a clean one need not build again; another name for other sources.
 */
export function toolFolder(name: GoToolName): string {
  const sum = readFileSync(join(moduleFolder(name), 'go.sum'), 'utf8');
  const sources = JSON.stringify([readMod(name), sum, goTools[name]]);
  const hash = createHash('sha256').update(sources).digest('hex').slice(0, 12);
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
  return join(cache, 'tallyman', 'tools', `${name}-${findToolVersion(name)}-${hash}`);
}

/** The tool's program; throws where it is not built. */
export function findTool(name: GoToolName): string {
  const program = join(toolFolder(name), name);
  if (existsSync(program)) return program;
  throw new Error(`Cannot find the test server "${name}": "${program}" is not there. Run \`npm run services\`.`);
}

/** The version of the tool's module, without the `v`: `1.26.0` */
export function findToolVersion(name: GoToolName): string {
  const { module } = goTools[name];
  for (const line of readMod(name).split('\n')) {
    const [path, version] = line
      .trim()
      .replace(/^require\s+/, '')
      .split(/\s+/);
    if (path === module && version?.startsWith('v')) return version.slice(1);
  }
  throw new Error(`Cannot find the version of "${module}": the go.mod of ${name} does not require it.`);
}

function readMod(name: GoToolName): string {
  return readFileSync(join(moduleFolder(name), 'go.mod'), 'utf8');
}
