/** Whether the tag that stands before a value (`!!int`) makes it something else than a string for every reader. Source: YAML 1.2, chapter 10. */
export function isOtherType(tag: string | undefined): boolean {
  return tag?.startsWith('tag:yaml.org,2002:') === true && tag !== 'tag:yaml.org,2002:str';
}
