/** The operator's configuration: one YAML file, all its faults told at once; secrets stay where they are until used. */
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { type Problem, toProblem } from '../error/problem.ts';
import { TallymanError } from '../error/tallyman-error.ts';
import { toSchemaProblems } from '../policy/schema-problems.ts';
import { decodeText } from '../yaml/decode-text.ts';
import { readYaml } from '../yaml/read-yaml.ts';
import { type Config, configSchema } from './schema.ts';

/** A usable configuration, or everything that is wrong with it. */
export type ConfigResult = { readonly config: Config } | { readonly problems: readonly Problem[] };

/** The configuration in the file; the defaults alone where no file is named. */
export async function loadConfig(file: string | undefined): Promise<ConfigResult> {
  if (file === undefined) return { config: configSchema.parse({}) };
  try {
    return parseConfig(decodeText(await readConfigFile(file), file), file);
  } catch (error) {
    return { problems: [toProblem(error, { place: { file } })] };
  }
}

async function readConfigFile(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file);
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown fault';
    throw new TallymanError(
      'ConfigInvalid',
      `Cannot read configuration "${file}": ${code}, a readable file was wanted`,
      { cause },
    );
  }
}

/** The configuration in a text; problems name line and column. An empty text is the defaults. */
export function parseConfig(text: string, file: string): ConfigResult {
  const yaml = readYaml(text, file);
  const [document] = yaml.documents;
  if (yaml.problems.length > 0)
    return { problems: yaml.problems.map((problem) => ({ ...problem, code: 'ConfigInvalid' as const })) };
  if (document === undefined) return { config: configSchema.parse({}) };
  const context = { code: 'ConfigInvalid', file, document, placeOf: yaml.placeOf } as const;
  const parsed = configSchema.safeParse(document.toJS({ maxAliasCount: 100 }) ?? {});
  return parsed.success ? { config: parsed.data } : { problems: toSchemaProblems(parsed.error.issues, context) };
}

/** Where clones are kept unless the configuration says otherwise: `$XDG_STATE_HOME/tallyman`, by default ~/.local/state/tallyman. */
export function defaultStateDir(env: NodeJS.ProcessEnv): string {
  return join(env.XDG_STATE_HOME || join(homedir(), '.local', 'state'), 'tallyman');
}
