/** Finds where images are written in YAML text, knowing no policy: so the answer holds for as long as the text does. */
import { type Problem, toProblem } from '../error/problem.ts';
import { decodeText } from '../yaml/decode-text.ts';
import { readYaml, type YamlFile } from '../yaml/read-yaml.ts';
import { markerNeedle } from '../yaml/scan-lexemes.ts';
import { findArgocd } from './find-argocd.ts';
import { findHelmValues } from './find-helm-values.ts';
import { findKustomize } from './find-kustomize.ts';
import { findMarkers } from './find-markers.ts';
import { findWorkloads } from './find-workloads.ts';
import { openBlocks } from './open-blocks.ts';
import type { Site, TargetKind } from './site.ts';
import { createWatchCheck } from './watching-objects.ts';
import { createYamlView, type YamlView } from './yaml-view.ts';

/** What a file holds for any policy. */
export interface FileSites {
  readonly sites: readonly Site[];
  /** MarkerInvalid, and FileUnreadable where the file carries a marker. */
  readonly problems: readonly Problem[];
}

interface Finding {
  readonly sites: readonly Site[];
  readonly problems?: readonly Problem[];
  readonly unclear?: readonly number[];
}

/** A place where versions are written is one file and one row here. */
const finders: Readonly<Record<TargetKind, (view: YamlView, file: string) => Finding>> = {
  marker: findMarkers,
  helm: (view) => ({ sites: findHelmValues(view) }),
  kustomize: (view) => ({ sites: findKustomize(view) }),
  argocd: (view) => ({ sites: findArgocd(view) }),
  workload: (view) => ({ sites: findWorkloads(view) }),
};
const { marker: markerFinder, ...structureFinders } = finders;

/**
 * All sites of one file's bytes, markers first. A file that cannot be read has none (not YAML throughout, such as a Helm
 * template, or past a limit), and is a problem only where it carries a marker.
 */
export function findSites(bytes: Uint8Array, file: string): FileSites {
  try {
    return findSitesIn(readYaml(decodeText(bytes, file), file), file);
  } catch (error) {
    const isMarked = new TextDecoder('latin1').decode(bytes).includes(markerNeedle);
    return { sites: [], problems: isMarked ? [toProblem(error, { place: { file } })] : [] };
  }
}

/** The same for a file that is parsed already. */
export function findSitesIn(yaml: YamlFile, file: string): FileSites {
  if (yaml.problems.length === 0) return findInViews(createYamlView(yaml), file);
  return { sites: [], problems: yaml.text.includes(markerNeedle) ? yaml.problems : [] };
}

/** The sites of a file's own text and of YAML in its block scalars. Structure leaves alone what stands beside an unclear marker. */
function findInViews(view: YamlView, file: string): FileSites {
  const isWatching = createWatchCheck(view);
  const { blocks, problems } = openBlocks(view, file, (scalar) => !isWatching(scalar));
  const inBlocks = blocks.map((block) => block.view);
  const marked = [view, ...inBlocks].map((each) => markerFinder(each, file));
  const unclear = new Set(marked.flatMap((finding) => finding.unclear ?? []));
  const running = {
    ...view,
    scalars: view.scalars.filter((scalar) => !isWatching(scalar)),
    maps: view.maps.filter((map) => !isWatching(map)),
  };
  const structured = [running, ...blocks.filter((block) => block.structure).map((block) => block.view)];
  const structure = structured
    .flatMap((each) => Object.values(structureFinders).flatMap((find) => find(each, file).sites))
    .filter((site) => !site.scalars.some((scalar) => unclear.has(scalar.start)));
  return {
    sites: [...marked.flatMap((finding) => finding.sites), ...structure],
    problems: [...marked.flatMap((finding) => finding.problems ?? []), ...problems],
  };
}

/** The sites of both, file by file, those of `first` first. */
export function mergeSites(
  first: ReadonlyMap<string, FileSites>,
  second: ReadonlyMap<string, FileSites>,
): ReadonlyMap<string, FileSites> {
  const merged = new Map(second);
  for (const [file, { sites, problems }] of first) {
    const other = second.get(file) ?? { sites: [], problems: [] };
    merged.set(file, { sites: [...sites, ...other.sites], problems: [...problems, ...other.problems] });
  }
  return merged;
}
