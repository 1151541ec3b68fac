/** Where secrets lie, as values: variables, and Secrets by namespace and name. */
import type { SecretPlaces } from '../../src/config/read-cluster-secret.ts';
import { TallymanError } from '../../src/error/tallyman-error.ts';

type Data = Readonly<Record<string, string>>;

/** `secrets` is asked at each reading, so that a test may change it. A Secret that is not in it is unavailable. */
export function placesOf(env: NodeJS.ProcessEnv = {}, secrets: Readonly<Record<string, Data>> = {}): SecretPlaces {
  return {
    env,
    readClusterSecret({ name, namespace = 'own' }) {
      const data = secrets[`${namespace}/${name}`];
      if (data === undefined) throw new TallymanError('SecretUnavailable', `Cannot use Secret "${namespace}/${name}"`);
      const title = `Secret "${namespace}/${name}"`;
      return { title, type: 'Opaque', keys: Object.keys(data), find: (key) => data[key] };
    },
  };
}
