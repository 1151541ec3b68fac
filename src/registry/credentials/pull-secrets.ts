/** Credentials in Kubernetes' pull secrets, found as the kubelet finds them. */
import { TallymanError } from '../../error/tallyman-error.ts';
import type { ImageRepository } from '../../image/reference.ts';
import type { ClusterSecrets, PullSecret } from '../../pipeline/cluster-ports.ts';
import { rememberRecent } from '../remember-recent.ts';
import type { Credential, CredentialSource } from './credential.ts';
import { type DockerAuth, parseDockerAuth, readAuth } from './docker-auth.ts';
import { comparePullKeys, matchesPullKey, normalizePullKey } from './pull-keys.ts';

/** Repositories of which is known what was refused; beyond it the oldest are asked with everything anew. */
const maxRefusals = 2000;

/** One text, as it was read. */
interface Held {
  readonly text: string;
  readonly content: DockerAuth | TallymanError;
}

/**
 * Looks the image up in all secrets together: the closest key first, of the same key what the earlier secret has. What was
 * refused is tried last. Secrets that cannot be used keep no others from it: they are handed to `tellFaults` at each look,
 * and are doubts. Throws ConfigInvalid where all entries for the image are malformed.
 */
export function createPullSecretsSource(
  secrets: Pick<ClusterSecrets, 'listPullSecrets'>,
  tellFaults: (faults: readonly Error[]) => void = () => {},
): CredentialSource {
  let held = new Map<string, Held>();
  const refusals = new Map<string, Set<string>>();

  function readAll(): { contents: readonly DockerAuth[]; faults: readonly TallymanError[] } {
    const listed = secrets.listPullSecrets();
    // What is no longer listed is dropped.
    held = new Map(listed.secrets.map((secret) => [secret.title, readSecret(secret, held.get(secret.title))]));
    const contents: DockerAuth[] = [];
    const faults = listed.faults.filter((fault) => fault instanceof TallymanError);
    for (const { content } of held.values())
      if (content instanceof TallymanError) faults.push(content);
      else contents.push(content);
    return { contents, faults };
  }

  return {
    async find(repository) {
      const { contents, faults } = readAll();
      tellFaults(faults);
      const found = listCredentials(contents, repository);
      const refused = refusals.get(keyOf(repository));
      return found.find((credential) => refused?.has(JSON.stringify(credential)) !== true) ?? found[0];
    },
    forget: () => {},
    another(repository, refused) {
      const keys = listCredentials(readAll().contents, repository).map((credential) => JSON.stringify(credential));
      if (!keys.includes(JSON.stringify(refused))) return false;
      const known = refusals.get(keyOf(repository)) ?? new Set();
      known.add(JSON.stringify(refused));
      const isLeft = keys.some((key) => !known.has(key));
      // Where all were, the next look begins with the first again.
      if (isLeft) rememberRecent(refusals, [keyOf(repository), known], maxRefusals);
      else refusals.delete(keyOf(repository));
      return isLeft;
    },
    doubt: () => readAll().faults[0],
  };
}

function readSecret({ title, text }: PullSecret, known: Held | undefined): Held {
  if (known?.text === text) return known;
  try {
    const about = { origin: title, legacy: true, normalize: normalizePullKey };
    return { text, content: parseDockerAuth(Buffer.from(text), about) };
  } catch (error) {
    if (!(error instanceof TallymanError)) throw error;
    return { text, content: error };
  }
}

/** Each once. An entry that is malformed is passed over as long as there is another. */
function listCredentials(contents: readonly DockerAuth[], repository: ImageRepository): readonly Credential[] {
  const matches = contents
    .flatMap((content) => [...content.auths.keys()].map((key) => ({ key, content })))
    .filter(({ key }) => matchesPullKey(key, repository))
    .sort((one, other) => comparePullKeys(one.key, other.key));
  const found = new Map<string, Credential>();
  let fault: unknown;
  for (const { key, content } of matches) {
    try {
      const credential = readAuth(content, key, keyOf(repository));
      const identity = JSON.stringify(credential);
      if (!found.has(identity)) found.set(identity, { ...credential, origin: content.origin });
    } catch (error) {
      fault ??= error;
    }
  }
  if (found.size === 0 && fault !== undefined) throw fault;
  return [...found.values()];
}

function keyOf({ host, path }: ImageRepository): string {
  return `${host}/${path}`;
}
