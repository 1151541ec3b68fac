import type { IncomingMessage } from 'node:http';

/** Bytes of bodies that are held at the moment, of all requests together. */
export interface BodyBudget {
  heldBytes: number;
  readonly maxBytes: number;
}

/** The body's bytes; or why they are not kept: it is longer than may be, or others hold too many. */
export type Body = Uint8Array | 'too-long' | 'busy';

/** So much more than may be is read to its end: who is cut off while sending seldom reads the answer. */
const patience = 8;

/**
 * Reads a request to its end, and calls `use` with the body while its bytes count. Rejects where the sender goes, or goes
 * on and on.
 */
export async function withBody<Result>(
  request: IncomingMessage,
  { maxBytes, budget }: { maxBytes: number; budget: BodyBudget },
  use: (body: Body) => Result | Promise<Result>,
): Promise<Result> {
  let chunks: Uint8Array[] = [];
  let [total, held] = [0, 0];
  let fault: 'too-long' | 'busy' | undefined;
  try {
    for await (const chunk of request) {
      total += chunk.length;
      if (total > maxBytes * patience) throw new Error('the body has no end');
      fault ??= total > maxBytes ? 'too-long' : undefined;
      fault ??= budget.heldBytes + chunk.length > budget.maxBytes ? 'busy' : undefined;
      budget.heldBytes += fault === undefined ? chunk.length : -held;
      held = fault === undefined ? held + chunk.length : 0;
      if (fault === undefined) chunks.push(chunk);
      else chunks = [];
    }
    return await use(fault ?? Buffer.concat(chunks));
  } finally {
    budget.heldBytes -= held;
  }
}
