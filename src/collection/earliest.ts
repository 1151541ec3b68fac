/**
 * The least of the times that are known; undefined where none is.
 *
 * @example
 * earliest([5, undefined, 3]) // 3
 */
export function earliest(times: readonly (number | undefined)[]): number | undefined {
  return times.reduce(
    (first, time) => (first === undefined || (time !== undefined && time < first) ? time : first),
    undefined,
  );
}
