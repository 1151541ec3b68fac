/** Settings of the cluster that Tallyman is at home in. */
import { z } from 'zod';

/** `off` is false for YAML 1.1, which people's tools may write. */
const productSchema = z.literal(['auto', 'off', false], { error: 'auto or off' });

/** Of DNS-1123. */
const labelSchema = z
  .string()
  .max(63)
  .regex(/^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/, { message: 'a name of a namespace' });

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
    .array(labelSchema)
    .min(1)
    .max(100)
    .optional()
    .describe("Where Flux's and Argo CD's objects are looked for; left out, everywhere, which takes a ClusterRole."),
});

/** One object of a reconciler that is a Yaml repo's whatever it says. */
export const reconcilerSchema = z.strictObject({
  kind: z.enum(['GitRepository', 'Kustomization', 'HelmRelease', 'Application']),
  namespace: labelSchema,
  name: z
    .string()
    .max(253)
    .regex(/^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?$/, { message: 'a name of an object' }),
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
