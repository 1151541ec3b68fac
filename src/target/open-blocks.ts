import { isCollection, isScalar } from 'yaml';
import { createProblem, type Problem } from '../error/problem.ts';
import { type BlockText, findBlockText } from '../yaml/block-text.ts';
import { readYaml } from '../yaml/read-yaml.ts';
import { styleOf } from '../yaml/scalar-source.ts';
import { markerNeedle } from '../yaml/scan-lexemes.ts';
import { createYamlView, endsWith, formatScalarPath, type ViewScalar, type YamlView } from './yaml-view.ts';

/** YAML inside a block scalar. */
export interface BlockView {
  readonly view: YamlView;
  /** Whether structure counts in it, as in Argo CD's `helm.values`; elsewhere only markers do. */
  readonly structure: boolean;
}

/**
 * The block scalars that hold YAML with images in it: those with a marker, and `helm.values`. A marker in one that cannot be
 * opened (folded, not YAML, or within another) is a MarkerInvalid problem. `isStructural` says where structure counts at all.
 */
export function openBlocks(
  view: YamlView,
  file: string,
  isStructural: (scalar: ViewScalar) => boolean,
): { readonly blocks: readonly BlockView[]; readonly problems: readonly Problem[] } {
  const blocks: BlockView[] = [];
  const problems: Problem[] = [];
  for (const scalar of view.scalars) {
    if (styleOf(scalar.node) !== 'block') continue;
    const structure = endsWith(scalar.link, ['helm', 'values']) && isStructural(scalar);
    const marked = scalar.value.includes(markerNeedle);
    if (!structure && !marked) continue;
    const inner = openBlock(view, scalar, file);
    if (typeof inner !== 'string') {
      blocks.push({ view: inner, structure });
      for (const nested of inner.scalars)
        if (styleOf(nested.node) === 'block' && nested.value.includes(markerNeedle))
          problems.push(describeClosed(inner, nested, { file, fault: 'it is within another one' }));
    } else if (marked) problems.push(describeClosed(view, scalar, { file, fault: inner }));
  }
  return { blocks, problems };
}

/** The view of the block's text, or why there is none. */
function openBlock(view: YamlView, scalar: ViewScalar, file: string): YamlView | string {
  const block = findBlockText(view.file.text, scalar.node);
  if (block === undefined) return 'it is folded, a literal one ("|") was wanted';
  const inner = attemptRead(block, file);
  if (inner === undefined) return 'its text is not valid YAML';
  const isText = inner.documents.some(({ contents }) => isScalar(contents) && !isEmpty(contents.source));
  if (isText || !inner.documents.some(({ contents }) => isCollection(contents)))
    return 'its text is no map or list of YAML';
  const placeOf = (offset: number) => view.file.placeOf(block.outerOf(offset));
  return createYamlView({ ...inner, placeOf }, { outerOf: block.outerOf, path: formatScalarPath(view, scalar) });
}

function isEmpty(source: string | undefined): boolean {
  return source === undefined || source === '';
}

function attemptRead(block: BlockText, file: string): ReturnType<typeof readYaml> | undefined {
  try {
    const yaml = readYaml(block.text, file);
    return yaml.problems.length > 0 ? undefined : yaml;
  } catch {
    return undefined;
  }
}

function describeClosed(view: YamlView, scalar: ViewScalar, about: { file: string; fault: string }): Problem {
  const place = { file: about.file, ...view.file.placeOf(scalar.node.range[0]) };
  const message = `Cannot follow the image policy marker: it stands inside a block scalar, where YAML has no comments, and ${about.fault}`;
  return createProblem('MarkerInvalid', message, { place });
}
