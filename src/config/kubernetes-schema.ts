/** Settings of the cluster that Tallyman is at home in. */
import { z } from 'zod';
import { findSecretRefs, namespaceSchema, objectNameSchema, secretRefSchema } from './secret-ref-schema.ts';

/** `off` is false for YAML 1.1, which people's tools may write. */
const productSchema = z.literal(['auto', 'off', false], { error: 'auto or off' });

const reconcilersSchema = z.strictObject({
  flux: productSchema
    .default('auto')
    .describe('auto: Flux is told of commits, and waited for, where the cluster has it. off: it is left alone.'),
  argocd: productSchema.default('auto').describe('The same of Argo CD.'),
  timeoutSeconds: z
    .number()
    .min(10)
    .max(86_400)
    .default(600)
    .describe('How long after a commit a reconciler may say nothing of it before that is told (ImageApplyFailed).'),
  namespaces: z
    .array(namespaceSchema)
    .min(1)
    .max(100)
    .optional()
    .describe("Where Flux's and Argo CD's objects are looked for; left out, everywhere, which takes a ClusterRole."),
});

/** One object of a reconciler that is a Yaml repo's whatever it says. */
export const reconcilerSchema = z.strictObject({
  kind: z.enum(['GitRepository', 'Kustomization', 'HelmRelease', 'Application']),
  namespace: namespaceSchema,
  name: objectNameSchema,
});
const leaderElectionSchema = z
  .strictObject({
    leaseName: objectNameSchema
      .default('tallyman')
      .describe("Lease in Tallyman's own namespace; replicas that share it share the Yaml repos."),
    leaseDurationSeconds: z
      .int()
      .min(2)
      .max(3600)
      .default(15)
      .describe('So long a leader that no longer renews is left alone by the others.'),
    renewDeadlineSeconds: z
      .number()
      .min(1)
      .max(3600)
      .default(10)
      .describe('So long a leader writes after the last time it could renew.'),
    retryPeriodSeconds: z
      .number()
      .min(0.1)
      .max(3600)
      .default(2)
      .describe('Between two renewals, and between two looks of those that wait; each varies by a fifth.'),
  })
  .refine(({ leaseDurationSeconds, renewDeadlineSeconds }) => leaseDurationSeconds > renewDeadlineSeconds, {
    path: ['leaseDurationSeconds'],
    message: 'more than renewDeadlineSeconds',
  })
  .refine(({ renewDeadlineSeconds, retryPeriodSeconds }) => renewDeadlineSeconds > 1.2 * retryPeriodSeconds, {
    path: ['renewDeadlineSeconds'],
    message: 'more than 1.2 times retryPeriodSeconds',
  });

const clusterSchema = z.strictObject({
  kubeconfig: z
    .string()
    .min(1)
    .optional()
    .describe("File that says where the cluster is and who asks; left out, the pod's own service account."),
  context: z.string().min(1).optional().describe("Of that file; left out, the file's own current one."),
  status: z
    .boolean()
    .default(true)
    .describe('Write how each policy stands into its ImagePolicy object, where the cluster has one.'),
  reconcilers: reconcilersSchema
    .prefault({})
    .describe('Flux and Argo CD, which are told of each commit, and waited for until they have applied it.'),
  secretNamespaces: z
    .array(namespaceSchema)
    .max(100)
    .default([])
    .describe("Namespaces, besides Tallyman's own, whose Secrets and service accounts may be named."),
  pullSecrets: z
    .array(secretRefSchema)
    .max(100)
    .default([])
    .describe(
      'Secrets by which pods pull images (.dockerconfigjson, .dockercfg); they sign Tallyman in to registries as the kubelet would.',
    ),
  serviceAccounts: z
    .array(secretRefSchema)
    .max(100)
    .default([])
    .describe('Service accounts whose imagePullSecrets are used in the same way.'),
  events: z
    .boolean()
    .default(true)
    .describe('Tell as Events what was committed, what waits and what is wrong, each at its policy.'),
  leaderElection: z
    .union([z.literal(['off', false]), leaderElectionSchema], { error: 'off, or a map ({} for what is usual)' })
    .optional()
    .describe('One of several replicas works, the others wait; left out, on where there is no `redis`.'),
});

export const kubernetesSchema = z
  .union([z.literal(['off', false]), clusterSchema], { error: 'off, or a map ({} for what is usual)' })
  .default('off')
  .refine(
    (kubernetes) =>
      typeof kubernetes !== 'object' || kubernetes.context === undefined || kubernetes.kubeconfig !== undefined,
    {
      path: ['context'],
      message: 'a kubeconfig beside the context',
    },
  );

/** Of a cluster that is not off. */
export type KubernetesConfig = z.infer<typeof clusterSchema>;

interface SecretFault {
  readonly path: (string | number)[];
  readonly message: string;
}

/** What keeps Secrets that a valid configuration names from being used, each with what was wanted instead. */
export function findSecretFaults(config: {
  readonly kubernetes: KubernetesConfig | 'off' | false;
  readonly credentialSources: readonly string[];
}): readonly SecretFault[] {
  const { kubernetes, credentialSources } = config;
  const refs = findSecretRefs(config);
  if (typeof kubernetes !== 'object')
    return refs.map(({ path }) => ({ path: [...path], message: 'a cluster (`kubernetes`, which is off) to have it' }));
  const allowed = kubernetes.secretNamespaces;
  const elsewhere = refs
    .filter(({ namespace }) => namespace !== undefined && !allowed.includes(namespace))
    .map(({ path }) => ({
      path: [...path, 'namespace'],
      message: "one that `kubernetes.secretNamespaces` lists, or none for Tallyman's own",
    }));
  const unused = (['pullSecrets', 'serviceAccounts'] as const)
    .filter((name) => kubernetes[name].length > 0 && !credentialSources.includes('pull-secrets'))
    .map((name) => ({ path: ['kubernetes', name], message: 'pull-secrets among `credentialSources` beside it' }));
  return [...elsewhere, ...unused];
}

/** How replicas agree on who works; undefined where they need not. `sharesWork`: through Redis. */
export function findLeaderElection(
  { leaderElection }: KubernetesConfig,
  { sharesWork }: { sharesWork: boolean },
): z.infer<typeof leaderElectionSchema> | undefined {
  if (typeof leaderElection === 'object') return leaderElection;
  return leaderElection === undefined && !sharesWork ? leaderElectionSchema.parse({}) : undefined;
}
