/** Objects of Flux and Argo CD as an API server gives them. */

/** Ids of commits that look like it: `a…`, by one digit. */
export const commitOf = (digit: string): string => digit.repeat(40);

export const ready = (status: string, reason: string, message = '') => [{ type: 'Ready', status, reason, message }];

export const gitRepository = (spec: object, status: object = {}) => ({
  apiVersion: 'source.toolkit.fluxcd.io/v1',
  kind: 'GitRepository',
  metadata: { namespace: 'flux-system', name: 'deploy' },
  spec,
  status,
});

export const kustomization = (spec: object, status: object = {}, name = 'apps') => ({
  apiVersion: 'kustomize.toolkit.fluxcd.io/v1',
  kind: 'Kustomization',
  metadata: { namespace: 'flux-system', name },
  spec: { sourceRef: { kind: 'GitRepository', name: 'deploy' }, path: './apps', ...spec },
  status,
});

/** Of a chart in Git. */
export const chartSpec = (parts: object = { reconcileStrategy: 'Revision' }) => ({
  spec: {
    chart: './charts/web',
    sourceRef: { kind: 'GitRepository', namespace: 'flux-system', name: 'deploy' },
    ...parts,
  },
});

export const helmRelease = (spec: object, status: object = {}) => ({
  apiVersion: 'helm.toolkit.fluxcd.io/v2',
  kind: 'HelmRelease',
  metadata: { namespace: 'shop', name: 'web' },
  spec: { chart: chartSpec(), ...spec },
  status,
});

export const application = (spec: object, status: object = {}, metadata: object = {}) => ({
  apiVersion: 'argoproj.io/v1alpha1',
  kind: 'Application',
  metadata: { namespace: 'argocd', name: 'shop', ...metadata },
  spec: { syncPolicy: { automated: {} }, ...spec },
  status,
});

export const appSource = (parts: object = {}) => ({
  repoURL: 'https://git.example/acme/deploy.git',
  targetRevision: 'main',
  path: 'apps/shop',
  ...parts,
});
