/** Credentials in Kubernetes' pull secrets. */
import type { PullSecrets } from '../../pipeline/ports.ts';
import type { HostSettings } from '../host.ts';
import type { CredentialSource } from './credential.ts';
import { type DockerAuth, findAuth, parseDockerAuth } from './docker-auth.ts';
import { createEndpointSource } from './endpoint-source.ts';

/** Looks the image up in each secret, the first that has it counts; throws ConfigInvalid where one before is malformed. */
export function createPullSecretsSource(
  secrets: PullSecrets,
  /** The settings of a host of image references: where they name an endpoint, the secrets are asked for its host. */
  hosts: (host: string) => HostSettings,
): CredentialSource {
  let held = new Map<string, DockerAuth>();
  return createEndpointSource(hosts, {
    async find(repository, { signal }) {
      const texts = await secrets.listPullSecrets({ signal });
      // What is no longer listed is dropped.
      held = new Map([...held].filter(([text]) => texts.includes(text)));
      for (const [index, text] of texts.entries()) {
        const origin = `pull secret ${index + 1} of ${texts.length}`;
        const content = held.get(text) ?? parseDockerAuth(Buffer.from(text), { origin, legacy: true });
        held.set(text, content);
        const found = findAuth({ ...content, origin }, repository);
        if (found !== undefined) return found;
      }
      return undefined;
    },
    forget: () => {},
  });
}
