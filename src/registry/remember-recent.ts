/** Puts an entry into the map as its newest; beyond `max` entries the oldest is forgotten. */
export function rememberRecent<Key, Value>(map: Map<Key, Value>, entry: readonly [Key, Value], max: number): void {
  const [key, value] = entry;
  map.delete(key);
  map.set(key, value);
  const oldest = map.keys().next();
  if (map.size > max && oldest.done === false) map.delete(oldest.value);
}
