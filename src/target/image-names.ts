/** Words that settle, before anything is parsed, whether a file may hold an image of a policy. */

/** A Helm template's `{{ … }}` after the key is no value of YAML. */
const imageValue = /image["']?[ \t]*:(?![ \t]*["']?\{\{)[ \t]*["']?([^\s"',{}[\]#]*)/g;
/** YAML that may stand before a value: then what follows is not known without parsing. */
const indirect = /^[&!|>*?]/;

/** Last path component of every `image:` value in the text; `*` where one cannot be told. `['web', 'nginx']` */
export function findImageNames(text: string): readonly string[] {
  const names = new Set<string>();
  for (const match of text.matchAll(imageValue)) {
    const value = match[1] ?? '';
    names.add(value === '' || indirect.test(value) ? '*' : lastComponent(value));
  }
  return [...names];
}

/** `web` of `ghcr.io/acme/web:1.4.2@sha256:…` */
export function lastComponent(reference: string): string {
  const path = reference.split('@', 1)[0] ?? '';
  return (path.split('/').at(-1) ?? '').split(':', 1)[0] ?? '';
}
