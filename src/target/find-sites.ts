/** Finds where images are written in YAML text, knowing no policy: so the answer holds for as long as the text does. */
import { type Problem, toProblem } from '../error/problem.ts';
import { decodeText } from '../yaml/decode-text.ts';
import { readYaml } from '../yaml/read-yaml.ts';
import { markerNeedle } from '../yaml/scan-lexemes.ts';
import { findMarkers } from './find-markers.ts';
import { findWorkloads } from './find-workloads.ts';
import type { Site, TargetKind } from './site.ts';
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
}

/** A place where versions are written is one file and one row here. */
const finders: Readonly<Record<TargetKind, (view: YamlView, file: string) => Finding>> = {
  marker: findMarkers,
  workload: (view) => ({ sites: findWorkloads(view) }),
};

/**
 * All sites of one file's bytes, markers first. A file that cannot be read has none (not YAML throughout, such as a Helm
 * template, or past a limit), and is a problem only where it carries a marker.
 */
export function findSites(bytes: Uint8Array, file: string): FileSites {
  const isMarked = () => new TextDecoder('latin1').decode(bytes).includes(markerNeedle);
  try {
    const yaml = readYaml(decodeText(bytes, file), file);
    if (yaml.problems.length > 0) return { sites: [], problems: isMarked() ? yaml.problems : [] };
    const view = createYamlView(yaml);
    const findings = Object.values(finders).map((find) => find(view, file));
    return {
      sites: findings.flatMap((finding) => finding.sites),
      problems: findings.flatMap((finding) => finding.problems ?? []),
    };
  } catch (error) {
    return { sites: [], problems: isMarked() ? [toProblem(error, { place: { file } })] : [] };
  }
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
