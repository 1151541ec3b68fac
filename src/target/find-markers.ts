import { createProblem, type Problem } from '../error/problem.ts';
import { styleOf } from '../yaml/scalar-source.ts';
import { groupParts, type NamedPart } from './group-parts.ts';
import { type Marker, parseMarker } from './marker.ts';
import type { Part, Site } from './site.ts';
import { describeUnwritable, toOuterStart, type ViewScalar, type YamlView } from './yaml-view.ts';

/** Keys under which each part usually stands: settle which value of a one-line `{…}` a marker behind it means. */
const usualKeys: Readonly<Record<Part, readonly string[]>> = {
  reference: ['image'],
  name: ['repository', 'newName', 'name', 'image'],
  tag: ['tag', 'newTag'],
  digest: ['digest'],
};

/** What the markers of a text say. */
export interface MarkerFindings {
  readonly sites: readonly Site[];
  readonly problems: readonly Problem[];
  /** Where values start that share a line with a marker which cannot be followed: what is meant is unclear, so they stay. */
  readonly unclear: readonly number[];
}

/** Why a marker cannot be followed, and what to do where the usual remedy does not fit. */
interface Fault {
  readonly fault: string;
  readonly remedy?: string;
}

/** What stands on each line beside the scalars that the lexer names: values without text, and aliases. */
interface LineFacts {
  readonly empty: ReadonlyMap<number, readonly ViewScalar[]>;
  readonly aliases: ReadonlyMap<number, string>;
}

/**
 * The sites that markers claim, one for each map and policy (so that a marked tag and a marked digest side by side are one
 * unit), and a problem for each marker that cannot be followed: none is passed over in silence.
 */
export function findMarkers(view: YamlView, file: string): MarkerFindings {
  const problems: Problem[] = [];
  const named: NamedPart[] = [];
  const unclear: number[] = [];
  if (view.file.comments.length === 0) return { sites: [], problems, unclear };
  const facts = readLines(view);
  for (const comment of view.file.comments) {
    const { line, column } = view.file.placeOf(comment.offset);
    const marker = parseMarker(comment.text);
    const onLine = [
      ...comment.scalarOffsets.flatMap((offset) => view.byOffset.get(offset) ?? []),
      ...(facts.empty.get(line) ?? []),
    ];
    const bound: NamedPart | Fault =
      'fault' in marker ? marker : bindMarker(view, { marker, onLine, alias: facts.aliases.get(line) });
    if ('fault' in bound) {
      const message = `Cannot follow the image policy marker: ${bound.fault}`;
      problems.push(createProblem('MarkerInvalid', message, { place: { file, line, column }, remedy: bound.remedy }));
      for (const scalar of onLine) unclear.push(toOuterStart(view, scalar));
    } else named.push(bound);
  }
  return { sites: groupParts(view, 'marker', named), problems, unclear };
}

function readLines(view: YamlView): LineFacts {
  const empty = new Map<number, ViewScalar[]>();
  for (const scalar of view.scalars) {
    if (styleOf(scalar.node) !== 'empty') continue;
    const { line } = view.file.placeOf(scalar.node.range[0]);
    const known = empty.get(line);
    if (known === undefined) empty.set(line, [scalar]);
    else known.push(scalar);
  }
  const aliases = new Map(view.aliases.map((node) => [view.file.placeOf(node.range[0]).line, node.source]));
  return { empty, aliases };
}

/** The scalar that the marker is about, or why there is none. */
function bindMarker(
  view: YamlView,
  { marker, onLine, alias }: { marker: Marker; onLine: readonly ViewScalar[]; alias: string | undefined },
): NamedPart | Fault {
  const [first] = onLine;
  if (first === undefined) return describeNothing(alias);
  const single = onLine.length === 1 && alias === undefined;
  const chosen = single ? first : chooseInFlow(onLine, marker.part);
  if (chosen === undefined) {
    const keys = usualKeys[marker.part].join('" or "');
    return { fault: `several values stand before it on its line, and none is the one "${keys}"` };
  }
  const fault = describeUnwritable(view, chosen);
  return fault === undefined ? { ...marker, scalar: chosen } : { fault };
}

function describeNothing(alias: string | undefined): Fault {
  if (alias === undefined) return { fault: 'there is no value before it on its line' };
  const remedy = `Put the marker behind the value with the anchor "&${alias}".`;
  return { fault: `its value is the alias "*${alias}", a value of its own was wanted`, remedy };
}

/** Of several values on a line: the only one that stands under a usual key of the part. */
function chooseInFlow(onLine: readonly ViewScalar[], part: Part): ViewScalar | undefined {
  const named = onLine.filter((scalar) => usualKeys[part].includes(String(scalar.link?.step)));
  return named.length === 1 ? named[0] : undefined;
}
