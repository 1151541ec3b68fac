/** The places that policies name themselves, by file and path. */
import { createProblem, type Problem } from '../error/problem.ts';
import { TallymanError } from '../error/tallyman-error.ts';
import type { ExplicitTarget, Policy } from '../policy/policy.ts';
import { decodeText } from '../yaml/decode-text.ts';
import { type PathStep, parsePath } from '../yaml/parse-path.ts';
import { readYaml } from '../yaml/read-yaml.ts';
import type { PathLink } from '../yaml/walk-nodes.ts';
import type { FileSites } from './find-sites.ts';
import { groupParts, type NamedPart } from './group-parts.ts';
import { createYamlView, describeUnwritable, type YamlView } from './yaml-view.ts';

/** Files that policies name, to be handed to `findExplicitSites`. */
export function listExplicitFiles(policies: readonly Policy[]): ReadonlySet<string> {
  return new Set(policies.flatMap((policy) => policy.targets.map((target) => target.file)));
}

/** The sites of all `write.targets`, by file; a file or a value that is not there is TargetMissing, at the policy. */
export function findExplicitSites(
  files: ReadonlyMap<string, Uint8Array>,
  policies: readonly Policy[],
): { readonly sites: ReadonlyMap<string, FileSites>; readonly problems: readonly Problem[] } {
  const problems: Problem[] = [];
  const sites = new Map<string, FileSites>();
  for (const file of listExplicitFiles(policies)) {
    const wanted = policies.flatMap((policy) =>
      policy.targets.filter((target) => target.file === file).map((target) => ({ policy, target })),
    );
    const view = attempt(() => openView(files.get(file), file));
    const named = wanted.flatMap(({ policy, target }): NamedPart[] => {
      const found = view instanceof Error ? view : attempt(() => findValue(view, target));
      if (!(found instanceof Error)) return [{ policy: policy.key, part: target.part, scalar: found }];
      problems.push(createProblem('TargetMissing', found.message, { place: target.source, policy: policy.key }));
      return [];
    });
    if (!(view instanceof Error)) sites.set(file, { sites: groupParts(view, 'explicit', named), problems: [] });
  }
  return { sites, problems };
}

function openView(bytes: Uint8Array | undefined, file: string): YamlView {
  if (bytes === undefined) throw missing(file, 'the file is not in the repository, an existing file was wanted');
  const yaml = readYaml(decodeText(bytes, file), file);
  if (yaml.problems[0] !== undefined)
    throw missing(file, `it is not valid YAML (line ${yaml.problems[0].place?.line})`);
  return createYamlView(yaml);
}

function findValue(view: YamlView, { file, path }: ExplicitTarget): YamlView['scalars'][number] {
  const steps = parsePath(path) ?? [];
  const found = view.scalars.filter(({ link }) => standsAt(link, steps));
  const [value] = found;
  if (value === undefined) throw missing(`${file} ${path}`, 'there is no single value at that path, one was wanted');
  if (found.length > 1)
    throw missing(
      `${file} ${path}`,
      `${found.length} values have that path (documents or keys that stand twice), one was wanted`,
    );
  const fault = describeUnwritable(view, value);
  if (fault !== undefined) throw missing(`${file} ${path}`, fault);
  return value;
}

function standsAt(link: PathLink | undefined, steps: readonly PathStep[]): boolean {
  let at = link;
  for (let index = steps.length - 1; index >= 0; index -= 1) {
    if (at === undefined || at.step !== steps[index]) return false;
    at = at.up;
  }
  return at === undefined;
}

function missing(place: string, found: string): TallymanError {
  return new TallymanError('TargetMissing', `Cannot find target "${place}": ${found}`);
}

function attempt<T>(run: () => T): T | Error {
  try {
    return run();
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}
