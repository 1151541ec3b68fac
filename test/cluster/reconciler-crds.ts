/** Definitions of our own, with the names of Flux's and Argo CD's kinds and no more rules than these have for what is read here. */

const open = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };

function define(group: string, version: string, kind: string, parts: { plural: string; hasStatus: boolean }) {
  const { plural, hasStatus } = parts;
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: 'Namespaced',
      names: { kind, plural, singular: kind.toLowerCase() },
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          schema: { openAPIV3Schema: { type: 'object', properties: { spec: open, status: open } } },
          ...(hasStatus && { subresources: { status: {} } }),
        },
      ],
    },
  };
}

export const reconcilerCrds = [
  define('source.toolkit.fluxcd.io', 'v1', 'GitRepository', { plural: 'gitrepositories', hasStatus: true }),
  define('kustomize.toolkit.fluxcd.io', 'v1', 'Kustomization', { plural: 'kustomizations', hasStatus: true }),
  define('helm.toolkit.fluxcd.io', 'v2', 'HelmRelease', { plural: 'helmreleases', hasStatus: true }),
  // As Argo CD has it: the status is a field like any other, and who may patch one may patch all.
  define('argoproj.io', 'v1alpha1', 'Application', { plural: 'applications', hasStatus: false }),
];
