/**
 * The template with `$name`, `$1` and `${name}` replaced by what `group` gives for the name; `$$` is one dollar. A name is the
 * longest run of letters, digits and `_`. Source: Go's regexp.Expand.
 *
 * @example
 * expandTemplate('$1.${minor}!', (name) => `<${name}>`) // '<1>.<minor>!'
 */
export function expandTemplate(template: string, group: (name: string) => string): string {
  return template.replace(/\$(?:(\$)|\{([A-Za-z0-9_]+)\}|([A-Za-z0-9_]+))/g, (_whole, dollar, braced, bare) =>
    dollar === undefined ? group(braced ?? bare) : '$',
  );
}
