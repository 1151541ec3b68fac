/** What the readers of one repository are given. */

import type { TallymanError } from '../error/tallyman-error.ts';
import type { ImageRepository } from '../image/reference.ts';
import type { HttpAnswer } from './http.ts';
import type { Limits } from './limits.ts';

/** One repository on its registry, while doing one thing. */
export interface RepositoryAccess {
  readonly repository: ImageRepository;
  /** The registry's API: `https://registry-1.docker.io` */
  readonly origin: string;
  /** What is being done, for messages: `list the tags of "ghcr.io/acme/web"` */
  readonly task: string;
  readonly limits: Limits;
  /** GET, signed in as the registry asks; any status. Throws RegistryDenied, RegistryUnavailable, RegistryInvalid. */
  get(request: { url: URL; accept: string; maxBodyBytes: number }): Promise<HttpAnswer>;
  /** The error of an answer that is no success. */
  fail(answer: HttpAnswer): TallymanError;
}
