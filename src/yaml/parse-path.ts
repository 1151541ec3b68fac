/** One step into a document: a key, or an index. */
export type PathStep = string | number;

const step = /(?:^|\.)([^.[\]"]+)|\[([0-9]{1,6})\]|\[("(?:[^"\\]|\\.)*")\]/y;

/**
 * The keys and indexes of a path as people write it; undefined where it is none. A key with dots stands in `["…"]`.
 *
 * @example
 * parsePath('spec.containers[0]["a.b"]') // ['spec', 'containers', 0, 'a.b']
 */
export function parsePath(text: string): readonly PathStep[] | undefined {
  const steps: PathStep[] = [];
  for (let position = 0; position < text.length; position = step.lastIndex) {
    step.lastIndex = position;
    const match = step.exec(text);
    if (match === null) return undefined;
    const [, key, index, quoted] = match;
    if (key !== undefined) steps.push(key);
    else if (index !== undefined) steps.push(Number(index));
    else steps.push(unquote(quoted ?? ''));
  }
  return steps.length === 0 ? undefined : steps;
}

function unquote(quoted: string): string {
  return quoted.slice(1, -1).replace(/\\(.)/g, '$1');
}
