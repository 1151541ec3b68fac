/**
 * The items by key, keys and items in the order they came; linear.
 *
 * @example
 * groupBy([1, 2, 3], (n) => n % 2) // new Map([[1, [1, 3]], [0, [2]]])
 */
export function groupBy<Item, Key>(items: Iterable<Item>, keyOf: (item: Item) => Key): Map<Key, Item[]> {
  const groups = new Map<Key, Item[]>();
  for (const item of items) {
    const key = keyOf(item);
    const known = groups.get(key);
    if (known === undefined) groups.set(key, [item]);
    else known.push(item);
  }
  return groups;
}
