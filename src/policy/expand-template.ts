/**
 * The template with `$name`, `$1` and `${name}` replaced by what the groups hold, empty where there is no such group; `$$`
 * is one dollar. A name is the longest run of letters, digits and `_`. Source: Go's regexp.Expand.
 *
 * @example
 * expandTemplate('$1.${minor}', new Map([['1', '4'], ['minor', '2']])) // '4.2'
 */
export function expandTemplate(template: string, groups: ReadonlyMap<string, string>): string {
  return template.replace(/\$(?:(\$)|\{([A-Za-z0-9_]+)\}|([A-Za-z0-9_]+))/g, (_whole, dollar, braced, bare) =>
    dollar === undefined ? (groups.get(braced ?? bare) ?? '') : '$',
  );
}
