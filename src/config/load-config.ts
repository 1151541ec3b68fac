/** The operator's configuration: one YAML file, all its faults told at once; secrets stay where they are until used. */
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { createProblem, type Problem, toProblem } from '../error/problem.ts';
import { TallymanError } from '../error/tallyman-error.ts';
import { findNode, toSchemaProblems } from '../policy/schema-problems.ts';
import { decodeText } from '../yaml/decode-text.ts';
import { readYaml, type YamlFile } from '../yaml/read-yaml.ts';
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
  if (!parsed.success) return { problems: toSchemaProblems(parsed.error.issues, context) };
  const problems = findFaults(parsed.data, (path) => placeOf(yaml, path, file));
  return problems.length > 0 ? { problems } : { config: parsed.data };
}

function placeOf(
  yaml: YamlFile,
  path: readonly PropertyKey[],
  file: string,
): { file: string; line: number; column: number } {
  const [document] = yaml.documents;
  return { file, ...yaml.placeOf((document && findNode(document, path)?.range?.[0]) ?? 0) };
}

type PlaceOf = (path: readonly PropertyKey[]) => { file: string; line: number; column: number };

function findFaults(config: Config, place: PlaceOf): Problem[] {
  const problems = config.repos.flatMap((repo, index) => {
    const fault = repo.url === undefined ? undefined : describeUrlFault(repo.url);
    if (fault === undefined) return [];
    return [
      createProblem('ConfigInvalid', `Cannot use field "repos.${index}.url": ${fault}`, {
        place: place(['repos', index, 'url']),
      }),
    ];
  });
  const hosts = config.registries.map((registry) => registry.host);
  for (const [index, host] of hosts.entries()) {
    if (hosts.indexOf(host) === index) continue;
    const message = `Cannot use field "registries.${index}.host": "${host}" stands here twice, once was wanted`;
    problems.push(createProblem('ConfigInvalid', message, { place: place(['registries', index, 'host']) }));
  }
  return problems;
}

/** What is wrong with a repository's address; it is not repeated, since it may hold a secret. */
export function describeUrlFault(text: string): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['https:', 'http:'].includes(url.protocol))
    return 'it is not an address, https://host/path was wanted';
  if (url.username !== '' || url.password !== '')
    return 'it holds credentials, an address without them was wanted; use `credentials`';
  return undefined;
}

/** Where clones are kept unless the configuration says otherwise: `$XDG_STATE_HOME/tallyman`, by default ~/.local/state/tallyman. */
export function defaultStateDir(env: NodeJS.ProcessEnv): string {
  return join(env['XDG_STATE_HOME'] || join(homedir(), '.local', 'state'), 'tallyman');
}
