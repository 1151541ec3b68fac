import { type Alias, isScalar, type Scalar, type YAMLMap } from 'yaml';
import type { YamlFile } from '../yaml/read-yaml.ts';
import { isLiteral, startOf, styleOf, textOf } from '../yaml/scalar-source.ts';
import { isOtherType } from '../yaml/scalar-tag.ts';
import {
  formatKey,
  formatPath,
  isLiteralKey,
  type MapPlace,
  type PathLink,
  pathOf,
  type ScalarPlace,
  walkNodes,
} from '../yaml/walk-nodes.ts';
import type { Part, SiteScalar } from './site.ts';

/** One value of a file with all that finders ask of it. */
export interface ViewScalar extends ScalarPlace {
  readonly document: number;
  readonly value: string;
}

/** One map of a file. `values` has what stands under the keys by which images are written. */
export interface ViewMap extends MapPlace {
  readonly document: number;
  /** Undefined where the value is no scalar (an alias, a map), or where the key stands twice. */
  readonly values: ReadonlyMap<string, ViewScalar | undefined>;
}

/** Where the text of a view stands in the file, for text inside a block scalar. */
export interface ViewFrame {
  outerOf(offset: number): number;
  /** Path of the scalar that holds the text. */
  readonly path: string;
}

/** What finders look at: the values of all documents of one text, in order and by where they start, and its maps. */
export interface YamlView {
  readonly file: YamlFile;
  readonly scalars: readonly ViewScalar[];
  /** Only maps with at least one key by which images are written. */
  readonly maps: readonly ViewMap[];
  readonly byOffset: ReadonlyMap<number, ViewScalar>;
  readonly aliases: readonly Alias.Parsed[];
  /** Undefined for a file's own text. */
  readonly frame: ViewFrame | undefined;
}

const imageKeys = new Set(['repository', 'registry', 'tag', 'digest', 'name', 'newName', 'newTag', 'value']);

/** The view of a parsed text. */
export function createYamlView(file: YamlFile, frame?: ViewFrame): YamlView {
  const scalars: ViewScalar[] = [];
  const aliases: Alias.Parsed[] = [];
  const places: (MapPlace & { readonly document: number })[] = [];
  for (const [document, parsed] of file.documents.entries()) {
    walkNodes(parsed, {
      scalar(place) {
        const { node, link, parent, inFlow } = place;
        scalars.push({ node, link, parent, inFlow, document, value: textOf(node) });
      },
      map({ node, link }) {
        places.push({ node, link, document });
      },
      alias(node) {
        aliases.push(node);
      },
    });
  }
  const byOffset = new Map(scalars.map((scalar) => [startOf(scalar.node, file.text), scalar]));
  const find = (node: unknown): ViewScalar | undefined => {
    const found = isScalar(node) ? byOffset.get(startOf(node as Scalar.Parsed, file.text)) : undefined;
    return found?.node === node ? found : undefined;
  };
  const maps = places.flatMap((place) => {
    const values = readValues(place.node, find);
    return values === undefined ? [] : [{ ...place, values }];
  });
  return { file, scalars, maps, byOffset, aliases, frame };
}

function readValues(
  map: YAMLMap.Parsed,
  find: (node: unknown) => ViewScalar | undefined,
): Map<string, ViewScalar | undefined> | undefined {
  let values: Map<string, ViewScalar | undefined> | undefined;
  for (const pair of map.items) {
    const key = formatKey(pair.key);
    if (!imageKeys.has(key) || !isLiteralKey(pair.key)) continue;
    values ??= new Map();
    values.set(key, values.has(key) ? undefined : find(pair.value));
  }
  return values;
}

/** Whether the last steps to a node are these, written letter by letter; `#` stands for any index. */
export function endsWith(link: PathLink | undefined, steps: readonly string[]): boolean {
  let at = link;
  for (let index = steps.length - 1; index >= 0; index -= 1) {
    if (at === undefined || !at.literal) return false;
    const wanted = steps[index];
    if (wanted === '#' ? typeof at.step !== 'number' : at.step !== wanted) return false;
    at = at.up;
  }
  return true;
}

/** Whether the value is a string that the file says letter by letter, as an image's name must be for structure to count. */
export function isPlainName(scalar: ViewScalar | undefined): scalar is ViewScalar {
  return scalar !== undefined && typeof scalar.node.value === 'string' && isLiteral(scalar.node);
}

/** Why no value can be written at the scalar's place; undefined where one can. */
export function describeUnwritable(view: YamlView, scalar: ViewScalar): string | undefined {
  const { text } = view.file;
  const { node } = scalar;
  const style = styleOf(node);
  if (isOtherType(node.tag)) return `its value is tagged ${node.tag}; a string was wanted`;
  if (style === 'block') return 'its value is a block scalar; a value on one line was wanted';
  if (style === 'empty' && !canInsert(text, scalar)) return 'it has no value; a value on its line was wanted';
  if (text.slice(node.range[0], node.range[1]).includes('\n'))
    return 'its value spans several lines; a value on one line was wanted';
  return undefined;
}

/** A value may follow a key's colon or a list's dash; behind an anchor, a tag or a bare key it is not that simple. */
function canInsert(text: string, scalar: ViewScalar): boolean {
  if (scalar.link === undefined) return false;
  const before = text[startOf(scalar.node, text) - 1];
  return typeof scalar.link.step === 'number' ? before === '-' : before === ':';
}

/** The scalar as part of a site; `prefix` is text at its beginning that stays. */
export function toSiteScalar(view: YamlView, scalar: ViewScalar, part: Part, prefix = ''): SiteScalar {
  const from = startOf(scalar.node, view.file.text);
  const start = toOuterStart(view, scalar);
  const style = styleOf(scalar.node);
  return {
    part,
    start,
    end: style === 'empty' ? start : start + scalar.node.range[1] - from,
    prefix,
    value: scalar.value.slice(prefix.length),
    style,
    inFlow: scalar.inFlow,
    ...view.file.placeOf(from),
    path: formatScalarPath(view, scalar),
  };
}

/** Where the scalar starts in the file. */
export function toOuterStart(view: YamlView, scalar: ViewScalar): number {
  const start = startOf(scalar.node, view.file.text);
  return view.frame?.outerOf(start) ?? start;
}

/** `#1:spec.values|image.tag`: the document unless it is the first, and the block scalar around it where there is one. */
export function formatScalarPath(view: YamlView, scalar: ViewScalar): string {
  const around = view.frame === undefined ? '' : `${view.frame.path}|`;
  return `${around}${scalar.document === 0 ? '' : `#${scalar.document}:`}${formatPath(pathOf(scalar.link))}`;
}
