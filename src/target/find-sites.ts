/** Finds where images are written in YAML text, knowing no policy: so the answer holds for as long as the text does. */
import type { Problem } from '../error/problem.ts';
import { readYaml } from '../yaml/read-yaml.ts';
import { findMarkers } from './find-markers.ts';
import { findWorkloads } from './find-workloads.ts';
import type { Site, TargetKind } from './site.ts';
import { createYamlView, type YamlView } from './yaml-view.ts';

/** What a file holds for any policy. */
export interface FileSites {
  readonly sites: readonly Site[];
  /** MarkerInvalid, and FileUnreadable for documents that are not valid YAML. */
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
 * All sites of one file's text, markers first; throws `FileUnreadable` where the text is past a limit.
 * Syntax errors make problems only; the other documents of the file are still looked into.
 */
export function findSites(text: string, file: string): FileSites {
  const view = createYamlView(readYaml(text, file));
  const findings = Object.values(finders).map((find) => find(view, file));
  return {
    sites: findings.flatMap((finding) => finding.sites),
    problems: [...view.file.problems, ...findings.flatMap((finding) => finding.problems ?? [])],
  };
}
