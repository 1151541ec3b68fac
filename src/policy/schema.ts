/** The shape of an ImagePolicy document: what is validated, and what config/image-policy.schema.json is made of. */
import { z } from 'zod';

const dnsLabel = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const dnsSubdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const patterns = z.array(z.string().max(1000)).max(50);

const selectSchema = z
  .strictObject({
    semver: z.string().max(500).describe('Range of npm semver, for example ">=1.4.0 <2.0.0".'),
    prereleases: z.boolean().default(false).describe('Also choose prereleases that the range does not name itself.'),
    include: patterns.default([]).describe('RE2 patterns; a tag must match one of them.'),
    exclude: patterns.default([]).describe('RE2 patterns; a tag must match none of them.'),
    extract: z.string().max(1000).optional().describe('RE2 pattern whose group "version" is the version.'),
    skip: z.array(z.string().max(128)).max(1000).default([]).describe('Tags, or versions, that are never chosen.'),
    allowDowngrade: z.boolean().default(false).describe('Also go down when the best version is below the current one.'),
  })
  .describe('Which versions are wanted and how they are ordered.');

const writeSchema = z
  .strictObject({
    paths: z
      .array(z.string().min(1).max(500))
      .min(1)
      .max(100)
      .optional()
      .describe('Globs relative to the policy file; by default its folder and all below.'),
  })
  .describe('Where the version is written.');

/** Annotations, labels and the like belong to the cluster and are let through. */
const metadataSchema = z.looseObject({
  name: z.string().max(253).regex(dnsSubdomain, 'a DNS-1123 name (lower-case letters, digits, "-" and ".")'),
  namespace: z
    .string()
    .max(63)
    .regex(dnsLabel, 'a DNS-1123 label (lower-case letters, digits and "-")')
    .default('default'),
});

/** One ImagePolicy document. */
export const imagePolicySchema = z
  .strictObject({
    apiVersion: z.literal('tallyman.dev/v1alpha1'),
    kind: z.literal('ImagePolicy'),
    metadata: metadataSchema,
    spec: z.strictObject({
      image: z.string().min(1).max(512).describe('Image repository, without a tag.'),
      select: selectSchema,
      pin: z.enum(['tag', 'digest', 'keep']).default('keep').describe('Whether a digest is written beside the tag.'),
      write: writeSchema.default({}),
      suspend: z.boolean().default(false).describe('Leave this policy alone.'),
    }),
    status: z.unknown().optional().describe('Written by a cluster; not read.'),
  })
  .describe('Which versions of one image are wanted, and where they are written.');

export type ImagePolicyDocument = z.infer<typeof imagePolicySchema>;
