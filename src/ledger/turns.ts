/** Work that waits for nothing, in pieces between which others have their turn. */

/** Resolves at once, or in the next turn of the event loop where this one has taken so long since it was first asked. */
export function createTurns(maxMs: number): () => Promise<void> {
  let untilMs: number | undefined;
  return async () => {
    for (;;) {
      if (untilMs === undefined) {
        untilMs = performance.now() + maxMs;
        setImmediate(() => {
          untilMs = undefined;
        });
      }
      if (performance.now() <= untilMs) return;
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
}
