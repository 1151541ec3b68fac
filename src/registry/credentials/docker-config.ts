/** Credentials where `docker login` and `podman login` leave them. */
import { join } from 'node:path';
import type { ImageRepository } from '../../image/reference.ts';
import type { Credential, CredentialSource } from './credential.ts';
import type { CredentialHelper } from './credential-helper.ts';
import { type DockerAuth, findAuth, parseDockerAuth } from './docker-auth.ts';
import { openDockerConfigFile } from './docker-config-file.ts';
import { normalizeHost } from './lookup-keys.ts';

export interface DockerConfigOptions {
  /** Looked at with each call. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Undefined where the user has none. */
  readonly homeFolder: string | undefined;
  readonly helper: CredentialHelper;
}

/** One place where a configuration may be; undefined where it is not there now. */
type Place = () => Promise<DockerAuth | undefined>;

/**
 * Looks in `DOCKER_AUTH_CONFIG` (the JSON itself), in the file that `REGISTRY_AUTH_FILE` names, in Docker's config.json
 * and in Podman's auth.json; the first that has something for the image counts. Changed files are read again. Throws
 * ConfigInvalid where a file is malformed, RegistryUnavailable where a credential helper fails.
 */
export function createDockerConfigSource(options: DockerConfigOptions): CredentialSource {
  const places = [openVariable(options.env), ...listFiles(options)];
  return {
    async find(repository, { signal }) {
      for (const read of places) {
        signal.throwIfAborted();
        const config = await read();
        const found = config && (await findInConfig(config, repository, { helper: options.helper, signal }));
        if (found !== undefined) return found;
      }
      return undefined;
    },
    forget: ({ host }) => options.helper.forget(toServer(host)),
  };
}

/**
 * The host's own helper, then an entry with a secret, then the store for all hosts. Docker asks the store before it looks
 * at entries, but empties them when it stores: one with a secret was put there for this very host.
 */
async function findInConfig(
  config: DockerAuth,
  repository: ImageRepository,
  { helper, signal }: { helper: CredentialHelper; signal: AbortSignal },
): Promise<Credential | undefined> {
  const host = normalizeHost(repository.host);
  const ask = (name: unknown): Promise<Credential | undefined> =>
    helper.find({ name, server: toServer(repository.host), origin: config.origin }, { signal });
  const own = config.credHelpers.get(host);
  // Docker: an empty name turns the store off for the host.
  const found = config.credHelpers.has(host) && own !== '' ? await ask(own) : undefined;
  const entry = found ?? findAuth(config, repository);
  if (entry !== undefined || config.credHelpers.has(host) || config.credsStore === undefined) return entry;
  return ask(config.credsStore);
}

/** How helpers know a registry. */
function toServer(host: string): string {
  const name = normalizeHost(host);
  return name === 'docker.io' ? 'https://index.docker.io/v1/' : name;
}

function openVariable(env: DockerConfigOptions['env']): Place {
  let held: { readonly text: string; readonly content: DockerAuth } | undefined;
  return async () => {
    const text = env.DOCKER_AUTH_CONFIG;
    if (text === undefined || text === '') return undefined;
    if (held?.text !== text) {
      const origin = 'environment variable "DOCKER_AUTH_CONFIG"';
      held = { text, content: parseDockerAuth(Buffer.from(text), { origin }) };
    }
    return held.content;
  };
}

function listFiles({ env, homeFolder }: DockerConfigOptions): readonly Place[] {
  const { REGISTRY_AUTH_FILE, DOCKER_CONFIG, XDG_RUNTIME_DIR, XDG_CONFIG_HOME } = env;
  const inHome = (folder: string): string | undefined => homeFolder && join(homeFolder, folder);
  const rows: (readonly [folder: string | undefined, file: string, isNamed: boolean])[] = [
    [REGISTRY_AUTH_FILE, '', true],
    DOCKER_CONFIG ? [DOCKER_CONFIG, 'config.json', true] : [inHome('.docker'), 'config.json', false],
    [XDG_RUNTIME_DIR, 'containers/auth.json', false],
    [XDG_CONFIG_HOME || inHome('.config'), 'containers/auth.json', false],
  ];
  return rows.flatMap(([folder, file, isNamed]) =>
    folder ? [openDockerConfigFile(join(folder, file), { isNamed }).read] : [],
  );
}
