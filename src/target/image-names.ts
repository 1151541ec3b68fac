/** Words that settle, before anything is parsed, whether a file may hold an image of a policy. */
import { createGapSkipper } from './skip-gaps.ts';

const imageKeys = /(?:image|repository)["']?/g;
const nameKeys = /(?:name|newName)["']?/g;
const valueKeys = /value["']?/g;
/** Keys without which a `name:` is no image's: Kustomize's and Helm's for versions. */
const versionKeys = /(?:newTag|tag|digest)["']?/g;
const overrideKeys = [/kustomize["']?/g, /images["']?/g];
/** What may be an item `old=repo:tag` of a list. */
const words = /[^\s"'=,[\]{}]+/g;
/** A value in quotes, up to where they or the line ends, or plain. */
const quotedOrPlain = /"([^"\n]*)|'([^'\n]*)|([^\s"',{}[\]#][^\s"',{}[\]]*)/y;

/**
 * Last path component of every text that may name an image of a policy, by where structure looks for one: the values of
 * `image`, `repository`, `newName`, `name`, Argo CD's parameters and its list of image overrides. May name more than there
 * is, never less. Linear in the text, whatever it holds. `['web', 'nginx']`
 */
export function findImageNames(text: string): readonly string[] {
  const names = new Set<string>();
  collectValues(text, imageKeys, names);
  if (hasKey(text, versionKeys)) collectValues(text, nameKeys, names);
  if (text.includes('parameters')) collectValues(text, valueKeys, names);
  if (text.includes('kustomize') && overrideKeys.every((key) => hasKey(text, key)))
    for (const [word] of text.matchAll(words)) if (/[:@]./.test(word)) names.add(lastComponent(word));
  return [...names];
}

function collectValues(text: string, keys: RegExp, names: Set<string>): void {
  for (const position of findValuePositions(text, keys)) {
    // A slice bounds the work where a key stands in the value of another; longer texts are no references.
    const [, double, single, plain] = matchAt(text.slice(position, position + maxValueChars)) ?? [];
    const found = double ?? single ?? plain ?? '';
    if (found !== '' && !(plain?.endsWith(':') ?? false)) names.add(lastComponent(found));
  }
}

/** Longest reference that is read, with room for a quote. */
const maxValueChars = 1100;

function matchAt(text: string): RegExpExecArray | null {
  quotedOrPlain.lastIndex = 0;
  return quotedOrPlain.exec(text);
}

function hasKey(text: string, keys: RegExp): boolean {
  return !(findValuePositions(text, keys).next().done ?? false);
}

/** Where the value of each of the keys starts, behind comments, line ends, an anchor and a tag. */
function* findValuePositions(text: string, keys: RegExp): Generator<number, void> {
  const { skipGap, skipWord } = createGapSkipper(text);
  for (const match of text.matchAll(keys)) {
    const colon = skipGap(match.index + match[0].length);
    if (text[colon] !== ':') continue;
    let position = skipGap(colon + 1);
    for (let properties = 0; properties < 2 && /[&!]/.test(text.charAt(position)); properties += 1)
      position = skipGap(skipWord(position));
    yield position;
  }
}

/** `web` of `ghcr.io/acme/web:1.4.2@sha256:…` */
export function lastComponent(reference: string): string {
  const path = reference.split('@', 1)[0] ?? '';
  return (path.split('/').at(-1) ?? '').split(':', 1)[0] ?? '';
}
