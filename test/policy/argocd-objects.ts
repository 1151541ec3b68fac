import { readPolicyPieces, resolvePolicies } from '../../src/policy/read-policies.ts';
import { readYaml } from '../../src/yaml/read-yaml.ts';

const prefix = 'argocd-image-updater.argoproj.io/';

/** Documents as JSON, which is YAML: rows are shorter that way. */
export const updater = (spec: object, metadata: object = { name: 'images', namespace: 'argocd' }): string =>
  JSON.stringify({ apiVersion: `${prefix}v1alpha1`, kind: 'ImageUpdater', metadata, spec });
export const application = (name: string, more: { metadata?: object; path?: string } = {}): string =>
  JSON.stringify({
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Application',
    metadata: { name, namespace: 'argocd', ...more.metadata },
    spec: { source: { path: more.path ?? `deploy/${name}` } },
  });

/** What the files of a repository make together. */
export function resolve(files: Readonly<Record<string, string>>) {
  const { policies, problems } = resolvePolicies(
    Object.entries(files).map(([path, text]) => readPolicyPieces(readYaml(text, path), path)),
  );
  return { policies, keys: policies.map(({ key }) => key), problems };
}
