import type { Scalar } from 'yaml';
import type { YamlFile } from '../yaml/read-yaml.ts';
import { formatPath, type ScalarPlace, styleOf, textOf, walkScalars } from '../yaml/walk-scalars.ts';
import type { Part, SiteScalar } from './site.ts';

/** One value of a file with all that finders ask of it. */
export interface ViewScalar extends ScalarPlace {
  readonly document: number;
  readonly value: string;
}

/** What finders look at: the values of all documents of one file, in order and by where they start. */
export interface YamlView {
  readonly file: YamlFile;
  readonly scalars: readonly ViewScalar[];
  readonly byOffset: ReadonlyMap<number, ViewScalar>;
}

/** The view of a parsed file. */
export function createYamlView(file: YamlFile): YamlView {
  const scalars = file.documents.flatMap((document, index) =>
    [...walkScalars(document)].map((place) => ({ ...place, document: index, value: textOf(place.node) })),
  );
  return { file, scalars, byOffset: new Map(scalars.map((scalar) => [scalar.node.range[0], scalar])) };
}

/** The scalar as part of a site. */
export function toSiteScalar(view: YamlView, scalar: ViewScalar, part: Part): SiteScalar {
  const [start, end] = rangeOf(scalar.node);
  return {
    part,
    start,
    end,
    value: scalar.value,
    style: styleOf(scalar.node),
    inFlow: scalar.inFlow,
    ...view.file.placeOf(start),
    path: `${scalar.document === 0 ? '' : `#${scalar.document}:`}${formatPath(scalar.path)}`,
  };
}

function rangeOf(node: Scalar.Parsed): [number, number] {
  return [node.range[0], node.range[1]];
}
