/** Finds out whether the machine has a cloud's metadata server, without waiting for one that is not there. */
import { TallymanError } from '../../error/tallyman-error.ts';
import { startDeadline } from '../deadline.ts';
import type { HttpAnswer } from '../http.ts';
import { ask, type Question, type SignIn } from './ask.ts';

export interface MetadataServer {
  /**
   * The answer to the first question; undefined where no such server is there, which is remembered for a minute. Once
   * the server has been seen, its failures are thrown as any other's.
   */
  greet(signIn: SignIn, question: Question): Promise<HttpAnswer | undefined>;
}

/** The server is on the same machine: one that is there answers at once. */
const greetMs = 1000;
/** Short: in a pod's first seconds it may not answer yet. */
const absentMs = 60_000;

/** `isGenuine` tells the cloud's own server from another that answers at the same address. */
export function createMetadataServer(isGenuine: (answer: HttpAnswer) => boolean): MetadataServer {
  let seen = false;
  let absentUntilMs = Number.NEGATIVE_INFINITY;

  return {
    greet: async (signIn, question) => {
      if (seen) return ask(signIn, question);
      if (signIn.now() < absentUntilMs) return undefined;
      const answer = await tryAsk(signIn, question);
      seen = answer !== undefined && isGenuine(answer);
      if (seen) return answer;
      absentUntilMs = signIn.now() + absentMs;
      return undefined;
    },
  };
}

async function tryAsk(signIn: SignIn, question: Question): Promise<HttpAnswer | undefined> {
  const deadline = startDeadline(signIn.signal, greetMs, () => {
    return new TallymanError('RegistryUnavailable', `Cannot ${signIn.task}: no metadata server, one was wanted`);
  });
  try {
    return await ask({ ...signIn, signal: deadline.signal }, question);
  } catch (error) {
    signIn.signal.throwIfAborted();
    if (error instanceof TallymanError) return undefined;
    throw error;
  } finally {
    deadline.stop();
  }
}
