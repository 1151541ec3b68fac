import { createProblem, type Problem } from '../error/problem.ts';
import { markerNeedle } from '../yaml/scan-lexemes.ts';
import { groupParts, type NamedPart } from './group-parts.ts';
import { type Marker, parseMarker } from './marker.ts';
import type { Part, Site } from './site.ts';
import type { ViewScalar, YamlView } from './yaml-view.ts';

/** Keys under which each part usually stands: settle which value of a one-line `{…}` a marker behind it means. */
const usualKeys: Readonly<Record<Part, readonly string[]>> = {
  reference: ['image'],
  name: ['repository', 'newName', 'name', 'image'],
  tag: ['tag', 'newTag'],
  digest: ['digest'],
};

/**
 * The sites that markers claim, one for each map and policy (so that a marked tag and a marked digest side by side are one
 * unit), and a problem for each marker that cannot be followed: none is passed over in silence.
 */
export function findMarkers(view: YamlView, file: string): { sites: readonly Site[]; problems: readonly Problem[] } {
  const problems: Problem[] = [];
  const named: NamedPart[] = [];
  const report = (offset: number, fault: string) => {
    const place = { file, ...view.file.placeOf(offset) };
    problems.push(createProblem('MarkerInvalid', `Cannot follow the image policy marker: ${fault}`, { place }));
  };
  for (const comment of view.file.comments) {
    const marker = parseMarker(comment.text);
    if ('fault' in marker) {
      report(comment.offset, marker.fault);
      continue;
    }
    const bound = bindMarker(view, marker, comment.scalarOffsets);
    if (typeof bound === 'string') {
      report(comment.offset, bound);
      continue;
    }
    named.push({ ...marker, scalar: bound });
  }
  for (const scalar of view.scalars) {
    const inside = isBlock(scalar) ? scalar.value.indexOf(markerNeedle) : -1;
    if (inside !== -1) report(scalar.node.range[0], 'it stands inside a block scalar, where YAML has no comments');
  }
  return { sites: groupParts(view, 'marker', named), problems };
}

/** The scalar that the marker is about, or why there is none. */
function bindMarker(view: YamlView, marker: Marker, offsets: readonly number[]): ViewScalar | string {
  const onLine = offsets.flatMap((offset) => view.byOffset.get(offset) ?? []);
  const last = onLine.at(-1);
  if (last === undefined) return 'there is no value before it on its line';
  const chosen = onLine.length === 1 ? last : chooseInFlow(onLine, marker.part);
  if (chosen === undefined)
    return `several values stand before it on its line, and none is the one "${usualKeys[marker.part].join('" or "')}"`;
  if (isBlock(chosen)) return 'its value is a block scalar; a value on one line was wanted';
  if (view.file.text.slice(chosen.node.range[0], chosen.node.range[1]).includes('\n')) {
    return 'its value spans several lines; a value on one line was wanted';
  }
  return chosen;
}

/** Of several values on a line: the only one that stands under a usual key of the part. */
function chooseInFlow(onLine: readonly ViewScalar[], part: Part): ViewScalar | undefined {
  const named = onLine.filter((scalar) => usualKeys[part].includes(String(scalar.path.at(-1))));
  return named.length === 1 ? named[0] : undefined;
}

function isBlock(scalar: ViewScalar): boolean {
  return scalar.node.type === 'BLOCK_LITERAL' || scalar.node.type === 'BLOCK_FOLDED';
}
