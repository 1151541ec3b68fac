/** One call of the port: one repository on its registry, with one purpose and one deadline. */
import { TallymanError } from '../error/tallyman-error.ts';
import type { ImageRepository } from '../image/reference.ts';
import { toAnswerError } from './answer-error.ts';
import type { Credential, CredentialSource } from './credentials/credential.ts';
import { startDeadline } from './deadline.ts';
import { type HostSettings, resolveRegistryHost } from './host.ts';
import type { HttpAnswer } from './http.ts';
import type { Limits } from './limits.ts';
import type { RepositoryRequest } from './sign-in.ts';

/** The parts of a request that readers choose. */
type AccessRequest = Pick<
  RepositoryRequest,
  'method' | 'url' | 'accept' | 'headers' | 'isPull' | 'maxBodyBytes' | 'maxTries'
> & {
  /** One that ends with the access's or earlier; default that. */
  readonly signal?: AbortSignal | undefined;
};

/** What the readers of a repository are given. */
export interface RepositoryAccess {
  readonly repository: ImageRepository;
  /** The registry's API: `https://registry-1.docker.io` */
  readonly origin: string;
  /** What is being done, for messages: `list the tags of "ghcr.io/acme/web"` */
  readonly task: string;
  /** What signs in for the repository. */
  readonly credential: Credential | undefined;
  /** Ends with the caller's, and with the time of the call. */
  readonly signal: AbortSignal;
  readonly limits: Limits;
  /** GET or HEAD, signed in as the registry asks; any status. Throws RegistryDenied, RegistryUnavailable, RegistryInvalid. */
  ask(request: AccessRequest): Promise<HttpAnswer>;
  /** The error of an answer that is no success. */
  fail(answer: HttpAnswer): TallymanError;
}

interface CallerOptions {
  readonly send: (request: RepositoryRequest) => Promise<HttpAnswer>;
  readonly hosts: (host: string) => HostSettings;
  readonly credentials: CredentialSource;
  readonly limits: Limits;
  /** Told of each answer. */
  readonly onAnswer: (host: string, answer: HttpAnswer) => void;
}

interface About {
  readonly repository: ImageRepository;
  readonly task: string;
  readonly signal: AbortSignal;
}

/** Runs a reader with access to the repository, until it is done, the signal ends it or its time is over. */
export function createCaller({ send, hosts, credentials, limits, onAnswer }: CallerOptions) {
  return async <T>({ repository, task, signal }: About, read: (access: RepositoryAccess) => Promise<T>): Promise<T> => {
    const settings = hosts(repository.host);
    const deadline = startDeadline(signal, limits.operationMs, () => {
      const found = `it is not done after ${limits.operationMs / 1000} s`;
      return new TallymanError('RegistryUnavailable', `Cannot ${task}: ${found}, an end was wanted`);
    });
    const readAs = (credential: Credential | undefined): Promise<T> => {
      const host = resolveRegistryHost(repository.host, settings, credential);
      return read({
        repository,
        origin: host.origin,
        task,
        credential,
        signal: deadline.signal,
        limits: { ...limits, maxPages: host.settings.maxPages ?? limits.maxPages },
        ask: async (request) => {
          const signal = request.signal ?? deadline.signal;
          const answer = await send({ ...request, host, path: repository.path, task, signal });
          onAnswer(host.name, answer);
          return answer;
        },
        fail: (answer) => toAnswerError(answer, { task, credential }),
      });
    };
    try {
      return await tryCredentials(credentials, { repository, signal: deadline.signal }, readAs);
    } finally {
      deadline.stop();
    }
  };
}

/** More for one repository are a mistake, and each is a request to its registry. */
const maxCredentials = 10;

/** With the credential that the sources have, and where it is refused with the others that they have for the repository. */
async function tryCredentials<T>(
  credentials: CredentialSource,
  { repository, signal }: Pick<About, 'repository' | 'signal'>,
  readAs: (credential: Credential | undefined) => Promise<T>,
): Promise<T> {
  let failure: TallymanError | undefined;
  for (let tries = 1; ; tries++) {
    let credential: Credential | undefined;
    try {
      credential = await credentials.find(repository, { signal });
      return await readAs(credential);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      if (error.code === 'RegistryDenied') credentials.forget(repository);
      // Who is told that nothing is there was let in, most likely.
      failure = failure?.code === 'ImageNotFound' ? failure : error;
      const isLast = tries >= maxCredentials || credential === undefined;
      if (isLast || !credentials.another?.(repository, credential as Credential))
        throw (credential === undefined && error.code === 'RegistryDenied' && credentials.doubt?.()) || failure;
    }
  }
}

/** Some registries say of what one may not see that it is not there. */
function isRefusal(error: unknown): error is TallymanError {
  return error instanceof TallymanError && (error.code === 'RegistryDenied' || error.code === 'ImageNotFound');
}
