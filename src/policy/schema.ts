/** The shape of an ImagePolicy document: what is validated, and what config/image-policy.schema.json is made of. */
import { z } from 'zod';
import { maxNameLength, maxNamespaceLength, namePattern, namespacePattern } from './object-name.ts';
import { windowsSchema } from './window-schema.ts';

const patterns = z.array(z.string().max(1000)).max(50);

const direction = z.enum(['asc', 'desc']);

/** Exactly one of these says how versions are ordered. */
const kindFields = {
  semver: z.string().max(500).optional().describe('Range of npm semver, for example ">=1.4.0 <2.0.0".'),
  calver: z.string().max(100).optional().describe('Layout of calver.org, for example "YYYY.MM.MICRO".'),
  numerical: direction.optional().describe('By exact decimal value; asc: the highest is the best.'),
  alphabetical: direction.optional().describe('By code units; asc: the last is the best.'),
  newest: z.literal(true).optional().describe('By the time a tag was first seen.'),
  digest: z.string().max(128).optional().describe('A moving tag, for example "main", whose digest is followed.'),
};
const kindNames = Object.keys(kindFields);

const selectSchema = z
  .strictObject({
    ...kindFields,
    prereleases: z.boolean().default(false).describe('Also choose prereleases that the range does not name itself.'),
    coerce: z.boolean().default(false).describe('Take "1.2" for a version, with zeros for what is missing.'),
    include: patterns.default([]).describe('RE2 patterns; a tag must match one of them.'),
    exclude: patterns.default([]).describe('RE2 patterns; a tag must match none of them.'),
    extract: z.string().max(1000).optional().describe('RE2 pattern whose group "version" is the version.'),
    skip: z.array(z.string().max(128)).max(1000).default([]).describe('Tags, or versions, that are never chosen.'),
    allowDowngrade: z.boolean().default(false).describe('Also go down when the best version is below the current one.'),
  })
  .refine((select) => kindNames.filter((name) => Object.hasOwn(select, name)).length === 1, {
    message: `exactly one of ${kindNames.join(', ')}`,
  })
  .describe('Which versions are wanted and how they are ordered.');

const targetSchema = z
  .strictObject({
    file: z.string().min(1).max(500).describe('Relative to the policy file.'),
    path: z.string().min(1).max(500).describe('Keys and indexes, for example "proxy.images[0].tag".'),
    part: z.enum(['reference', 'name', 'tag', 'digest']).default('reference').describe('What the value holds.'),
  })
  .describe('One place that structure and markers cannot find.');

const writeSchema = z
  .strictObject({
    paths: z
      .array(z.string().min(1).max(500))
      .min(1)
      .max(100)
      .optional()
      .describe('Globs relative to the policy file; by default its folder and all below.'),
    targets: z
      .array(targetSchema)
      .max(100)
      .default([])
      .describe('Exact places, besides those that markers or structure find.'),
    mode: z
      .enum(['commit', 'pull-request'])
      .default('commit')
      .describe('Whether the version is written to the branch itself, or proposed in a pull request.'),
    group: z
      .string()
      .max(maxNamespaceLength)
      .regex(namespacePattern, 'a DNS-1123 label (lower-case letters, digits and "-")')
      .optional()
      .describe("Policies of one group move in one commit of their own; by default in the repository's."),
    windows: windowsSchema
      .optional()
      .describe('When the version is written, or the pull request brought up to date; by default at any time.'),
  })
  .describe('Where and when the version is written.');

/** Annotations, labels and the like belong to the cluster and are let through. */
const metadataSchema = z.looseObject({
  name: z.string().max(maxNameLength).regex(namePattern, 'a DNS-1123 name (lower-case letters, digits, "-" and ".")'),
  namespace: z
    .string()
    .max(maxNamespaceLength)
    .regex(namespacePattern, 'a DNS-1123 label (lower-case letters, digits and "-")')
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
      minimumAge: z
        .string()
        .max(40)
        .optional()
        .describe('Age by trusted time that a tag must have, for example "24h".'),
      mutation: z
        .enum(['follow', 'block'])
        .default('follow')
        .describe(
          'What becomes of a version tag that was moved to another image. follow: it counts as first seen then. block: it is not chosen any more.',
        ),
      platforms: z
        .array(z.string().regex(/^[a-z0-9]+\/[a-z0-9_]+(?:\/[a-z0-9]+)?$/, 'a platform such as "linux/amd64"'))
        .max(20)
        .default([])
        .describe('The image must offer all of these.'),
      pin: z.enum(['tag', 'digest', 'keep']).default('keep').describe('Whether a digest is written beside the tag.'),
      write: writeSchema.prefault({}),
      suspend: z.boolean().default(false).describe('Leave this policy alone.'),
    }),
    status: z.unknown().optional().describe('Written by a cluster; not read.'),
  })
  .describe('Which versions of one image are wanted, and where they are written.');

export type ImagePolicyDocument = z.infer<typeof imagePolicySchema>;
