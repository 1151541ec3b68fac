/** Words that settle, before anything is parsed, whether a file may hold an image of a policy. */

/** Blanks, line ends and comments, as they may stand on either side of a key's colon. */
const gap = '(?:\\s|#[^\\n]*\\n)*';
/** Anchors and tags before a value, then the value: in quotes up to where they end, or plain. */
const value = `(?:[&!]\\S*${gap})*(?:"([^"\\n]*)|'([^'\\n]*)|([^\\s"',{}[\\]#][^\\s"',{}[\\]]*))`;
/** Looks ahead at the value only, so that a key which is the first thing below another is found as well. */
const behindKeys = (keys: string) => new RegExp(`(?:${keys})["']?${gap}:(?=${gap}${value})`, 'g');

const imageKeys = behindKeys('image|repository');
const nameKeys = behindKeys('name|newName');
const valueKeys = behindKeys('value');
/** Keys without which a `name:` is no image's: Kustomize's and Helm's for versions. */
const versionKeys = new RegExp(`(?:newTag|tag|digest)["']?${gap}:`);
const overrideKeys = [new RegExp(`kustomize["']?${gap}:`), new RegExp(`images["']?${gap}:`)];
/** What may be an item `old=repo:tag` of a list. */
const words = /[^\s"'=,[\]{}]+/g;

/**
 * Last path component of every text that may name an image of a policy, by where structure looks for one: the values of
 * `image`, `repository`, `newName`, `name`, Argo CD's parameters and its list of image overrides. May name more than there
 * is, never less. `*` where it cannot be told, as behind escapes. `['web', 'nginx']`
 */
export function findImageNames(text: string): readonly string[] {
  const names = new Set<string>();
  collectValues(text, imageKeys, names);
  if (versionKeys.test(text)) collectValues(text, nameKeys, names);
  if (text.includes('parameters')) collectValues(text, valueKeys, names);
  if (text.includes('kustomize') && overrideKeys.every((key) => key.test(text)))
    for (const [word] of text.matchAll(words)) if (/[:@]./.test(word)) names.add(lastComponent(word));
  return [...names];
}

function collectValues(text: string, keys: RegExp, names: Set<string>): void {
  for (const [, double, single, plain] of text.matchAll(keys)) {
    const found = double ?? single ?? plain ?? '';
    if (found !== '' && !(plain?.endsWith(':') ?? false)) names.add(lastComponent(found));
  }
}

/** `web` of `ghcr.io/acme/web:1.4.2@sha256:…` */
export function lastComponent(reference: string): string {
  const path = reference.split('@', 1)[0] ?? '';
  return (path.split('/').at(-1) ?? '').split(':', 1)[0] ?? '';
}
