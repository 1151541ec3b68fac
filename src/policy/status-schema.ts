/** What Tallyman writes into the status of an ImagePolicy that a cluster has, and what its CRD is made of. */
import { z } from 'zod';

const timeSchema = z.iso.datetime();

/** In the manner of kstatus: Ready, and while they hold Reconciling and Stalled. */
const conditionSchema = z.strictObject({
  type: z.enum(['Ready', 'Reconciling', 'Stalled']),
  status: z.enum(['True', 'False', 'Unknown']),
  reason: z
    .string()
    .max(128)
    .regex(/^[A-Za-z][A-Za-z0-9]*$/)
    .describe('What happened, or the code of what is wrong.'),
  message: z.string().max(4096),
  lastTransitionTime: timeSchema.describe('Since when the status is this one.'),
  observedGeneration: z.int().min(0).optional(),
});

/** How a policy stands. `Updated`: the last pass wrote it. `Proposed`: a pull request is open. */
export const policyStates = ['Current', 'Updated', 'Proposed', 'Waiting', 'Held', 'Suspended', 'Failed'] as const;

export const policyStatusSchema = z.strictObject({
  observedGeneration: z.int().min(0).optional().describe('Generation of the object when this was written.'),
  source: z.string().max(512).optional().describe('Yaml repo and branch that the policy stands in.'),
  state: z.enum(policyStates).optional().describe('How the policy stands, in a word.'),
  current: z
    .string()
    .max(1024)
    .optional()
    .describe('Versions that Git has, where there are several with commas between.'),
  latest: z
    .string()
    .max(256)
    .optional()
    .describe('The best tag that may be written, or the one that waits or is held.'),
  reason: z.string().max(1024).optional().describe('Why that one, in a sentence.'),
  lastCommit: z
    .strictObject({
      revision: z.string().max(512).describe('As reconcilers write it: main@sha1:<commit>'),
      version: z.string().max(512).describe('What it wrote.'),
      time: timeSchema,
    })
    .optional()
    .describe('The last commit that Tallyman made for this policy.'),
  hold: z
    .strictObject({ reason: z.string().max(1024), remedy: z.string().max(1024) })
    .optional()
    .describe('Why a person keeps a newer version away; absent where nobody does.'),
  nextLookTime: timeSchema.optional().describe('When it may be written, where it waits for its age or its time.'),
  conditions: z.array(conditionSchema).max(8).optional(),
});

export type PolicyState = (typeof policyStates)[number];

/** Plain data, as the object's `status` has it. Times in RFC 3339, UTC. */
export type PolicyStatus = z.infer<typeof policyStatusSchema>;
