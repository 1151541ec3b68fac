/** A server that became a replica keeps its connections, unless a Sentinel did it: who holds one would be refused for ever. */

export interface ReplicaLeaver {
  /** Whether to connect anew after that answer: Sentinels, or the server's name, may lead to another one by now. */
  readonly reconnectOnError: (error: Error) => boolean;
  /** Whether it is by this that the connection ended just now. */
  hasLeft(): boolean;
}

/** A server that stays a replica is left only so often. */
const leaveAgainMs = 5000;

/** For one client. */
export function createReplicaLeaver(): ReplicaLeaver {
  let nextMs = 0;
  let isLeaving = false;
  return {
    reconnectOnError(error) {
      if (!/\bREADONLY\b/.test(error.message) || performance.now() < nextMs) return false;
      nextMs = performance.now() + leaveAgainMs;
      isLeaving = true;
      return true;
    },
    hasLeft() {
      const was = isLeaving;
      isLeaving = false;
      return was;
    },
  };
}
