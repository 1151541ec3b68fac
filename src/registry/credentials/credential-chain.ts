import type { CredentialSource } from './credential.ts';

/** All sources as one: the first that has something counts. A source that fails ends the search, a later one is no answer to it. */
export function createCredentialChain(sources: readonly CredentialSource[]): CredentialSource {
  return {
    async find(repository, options) {
      for (const source of sources) {
        const found = await source.find(repository, options);
        if (found !== undefined) return found;
      }
      return undefined;
    },
    forget(repository) {
      for (const source of sources) source.forget(repository);
    },
    another: (repository, refused) => sources.some((source) => source.another?.(repository, refused) === true),
    doubt() {
      for (const source of sources) {
        const reason = source.doubt?.();
        if (reason !== undefined) return reason;
      }
      return undefined;
    },
  };
}
