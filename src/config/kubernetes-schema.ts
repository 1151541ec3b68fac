/** Settings of the cluster that Tallyman is at home in. */
import { z } from 'zod';

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
