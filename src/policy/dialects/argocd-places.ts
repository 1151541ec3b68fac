/** Where the version of an application's image stands in the Yaml repo. */

import type { Problem } from '../../error/problem.ts';
import { parsePath } from '../../yaml/parse-path.ts';
import { resolveGlob } from '../glob.ts';
import type { ExplicitTarget, PolicyPaths } from '../policy.ts';
import { createFindings, type Fields, type Findings, type Located, showText } from './argocd-fields.ts';
import type { HelmNames } from './argocd-image.ts';

/** Folders and files of an application, from the repository's root. Plain data. */
export interface ApplicationSources {
  /** Of the document itself. */
  readonly file: string;
  /** `spec.source.path` and those of `spec.sources`; `''` is the root. */
  readonly folders: readonly Located<string>[];
  /** Values files that stand outside the folders. */
  readonly valueFiles: readonly string[];
  /** Paths of the document's own Helm parameters by name; none where the file holds other documents, which a path cannot tell apart. */
  readonly parameters: Readonly<Record<string, string>>;
}

/** Where one image may be written. */
export interface Places {
  readonly paths: PolicyPaths;
  readonly targets: readonly ExplicitTarget[];
  readonly problems: readonly Problem[];
}

const maxSources = 20;
const maxValueFiles = 50;
const maxParameters = 200;

/** The sources of an Application; a path that leads out of the repository or is a template is a problem, and left out. */
export function readSources(fields: Fields, file: string, findings: Findings): ApplicationSources {
  const count = findings.attempt(fields.placeOf(['spec', 'sources']), () => fields.count(['spec', 'sources'])) ?? 0;
  const sources = [
    ['spec', 'source'],
    ...Array.from({ length: Math.min(count, maxSources) }, (_, index) => ['spec', 'sources', index]),
  ];
  const readText = (path: readonly (string | number)[]) =>
    findings.attempt(fields.placeOf(path), () => fields.text(path));
  const folders: Located<string>[] = [];
  const valueFiles: string[] = [];
  const parameters = new Map<string, string>();
  const refs = new Set(sources.flatMap((source) => readText([...source, 'ref'])?.value ?? []));
  for (const source of sources) {
    const path = readText([...source, 'path']);
    const folder = path && resolveInside('', path.value);
    if (path && folder === undefined)
      findings.partial(path, `${showText(path.value)} is no path inside the repository, nothing is written there`);
    else if (path && folder !== undefined) folders.push({ ...path, value: folder });
    const listed =
      findings.attempt(fields.placeOf(source), () => fields.texts([...source, 'helm', 'valueFiles'])) ?? [];
    for (const [name, path] of fields.single ? listParameters(fields, source, findings) : [])
      parameters.set(name, path);
    valueFiles.push(...listed.slice(0, maxValueFiles).flatMap(({ value }) => resolveValues(value, folder, refs) ?? []));
  }
  return { file, folders, valueFiles, parameters: Object.fromEntries(parameters) };
}

function listParameters(fields: Fields, source: readonly (string | number)[], findings: Findings): [string, string][] {
  const list = [...source, 'helm', 'parameters'];
  const count = findings.attempt(fields.placeOf(source), () => fields.count(list)) ?? 0;
  return Array.from({ length: Math.min(count, maxParameters) }, (_, index) => [...list, index]).flatMap((parameter) => {
    const name = findings.attempt(fields.placeOf(parameter), () => fields.text([...parameter, 'name']))?.value;
    const path = parameter.map((step) => (typeof step === 'number' ? `[${step}]` : `.${step}`)).join('');
    const holds = name !== undefined && fields.has([...parameter, 'value']);
    return holds ? [[name, `${path.slice(1)}.value`]] : [];
  });
}

/** `$values/env/prod.yaml` stands in the repository that another source calls `values`; other files beside the chart. */
function resolveValues(file: string, folder: string | undefined, refs: ReadonlySet<string>): string | undefined {
  const [, ref = '', rest = ''] = /^\$([^/]+)\/(.+)$/.exec(file) ?? [];
  if (refs.has(ref)) return resolveInside('', rest);
  return file.startsWith('$') || folder === undefined ? undefined : resolveInside(folder, file);
}

/**
 * The places of one image: by default the application's own file, its source folders and values files, where structure finds
 * the image; with `kustomization` that folder, with `helmvalues` that file and the values that the image names in it. Helm parameters that the image names are written too.
 * `alone`: the repository holds no other application, so that a source at its root is this one's. Source: write-back targets
 * of Argo CD Image Updater; its own default, a file `.argocd-source-<application>.yaml`, is not written here.
 */
export function findPlaces(
  sources: ApplicationSources,
  image: { readonly helm: HelmNames; readonly writeBackTarget: Located<string> | undefined },
  about: { readonly alone: boolean; readonly policy: string },
): Places {
  const findings = createFindings(about.policy);
  const [primary] = sources.folders;
  const target = image.writeBackTarget;
  const [, kind, , path = ''] = /^(kustomization|helmvalues)(:(.*))?$/s.exec(target?.value ?? '') ?? [];
  const written =
    target && kind !== undefined ? resolveInside(primary?.value ?? '', path || defaults[kind] || '.') : undefined;
  if (target !== undefined && target.value !== '' && written === undefined) {
    const wanted = '"kustomization[:folder]" or "helmvalues[:file]" inside the repository was wanted';
    findings.partial(
      target,
      `${showText(target.value)} was found, ${wanted}; the application's file and sources are written`,
    );
  }
  if (written !== undefined && kind === 'helmvalues') {
    const targets = listHelmTargets(image.helm, (name) => toValuesTarget(written, name, findings));
    return { paths: { globs: [written], explicit: true }, targets, problems: findings.problems };
  }
  const globs = written === undefined ? listDefaults(sources, about.alone, findings) : [written];
  const { file, parameters } = sources;
  const targets = listHelmTargets(image.helm, ({ value }) =>
    Object.hasOwn(parameters, value) ? { file, path: parameters[value] ?? '' } : undefined,
  );
  return {
    paths: { globs, explicit: true },
    targets: written === undefined ? targets : [],
    problems: findings.problems,
  };
}

const defaults: Readonly<Record<string, string>> = { helmvalues: 'values.yaml', kustomization: '.' };

function listDefaults(sources: ApplicationSources, alone: boolean, findings: Findings): string[] {
  const folders = sources.folders.filter((folder) => {
    if (folder.value !== '' || alone) return true;
    findings.partial(
      folder,
      "it is the root, where files of other applications stand too; only the application's own file is written",
      "Mark the place with a comment for this policy in the application's own file, or give the application a folder of its own.",
    );
    return false;
  });
  return [...new Set([sources.file, ...folders.map(({ value }) => value), ...sources.valueFiles])];
}

type Spot = Pick<ExplicitTarget, 'file' | 'path'>;

/** The values or parameters that the image names, where there are any; else structure finds it. */
function listHelmTargets(
  { spec, name, tag }: HelmNames,
  findSpot: (name: Located<string>) => Spot | undefined,
): ExplicitTarget[] {
  const named = isNamed(spec)
    ? [{ found: spec, part: 'reference' as const }]
    : [
        { found: name, part: 'name' as const },
        { found: tag, part: 'tag' as const },
      ];
  return named.flatMap(({ found, part }) => {
    const spot = isNamed(found) ? findSpot(found) : undefined;
    return found && spot ? [{ ...spot, part, source: found.place }] : [];
  });
}

function toValuesTarget(file: string, found: Located<string>, findings: Findings): Spot | undefined {
  const path = toPath(found.value);
  if (path !== undefined) return { file, path };
  findings.partial(found, `${showText(found.value)} is no path of a value, one such as "image.tag" was wanted`);
  return undefined;
}

function isNamed(found: Located<string> | undefined): found is Located<string> {
  return found !== undefined && found.value !== '';
}

/** Helm's `a.b\.c[0]` is our `a["b.c"][0]`. */
function toPath(helmPath: string): string | undefined {
  if (helmPath.length > 500) return undefined;
  const path = helmPath.replace(/(?:^|\.)((?:[^.[\]"\\]|\\.)+)/gs, (whole, key: string) =>
    key.includes('\\') ? `[${JSON.stringify(key.replace(/\\(.)/gs, '$1'))}]` : whole,
  );
  return parsePath(path) === undefined ? undefined : path;
}

function resolveInside(folder: string, path: string): string | undefined {
  if (path.length > 500 || path.includes('{{') || /^[a-z]+:\/\//.test(path)) return undefined;
  return resolveGlob(folder, path);
}
