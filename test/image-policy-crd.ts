/** The CRD of ImagePolicy, made of the schemas that the program itself uses. */
import { stringify } from 'yaml';
import { z } from 'zod';
import { imagePolicySchema } from '../src/policy/schema.ts';
import { policyStatusSchema } from '../src/policy/status-schema.ts';

type Schema = Readonly<Record<string, unknown>>;

/** The text of the manifest. */
export function formatImagePolicyCrd(): string {
  const policy = toStructural(z.toJSONSchema(imagePolicySchema, { io: 'input' }) as Schema);
  const { spec } = policy.properties as { spec: Schema };
  const properties = spec.properties as { select: Schema };
  const select = { ...properties.select, 'x-kubernetes-validations': [exactlyOneRule] };
  const schema = {
    type: 'object',
    description: policy.description,
    required: ['spec'],
    properties: {
      apiVersion: { type: 'string' },
      kind: { type: 'string' },
      metadata: { type: 'object' },
      spec: { ...spec, properties: { ...properties, select } },
      status: withConditionKeys(toStructural(z.toJSONSchema(policyStatusSchema, { io: 'input' }) as Schema)),
    },
  };
  return `# Made by \`npm run generate\` from src/policy/schema.ts and src/policy/status-schema.ts.\n${stringify(toCrd(schema), { lineWidth: 120 })}`;
}

const kinds = ['semver', 'calver', 'numerical', 'alphabetical', 'newest', 'digest'];
const exactlyOneRule = {
  rule: `[${kinds.map((kind) => `has(self.${kind})`).join(', ')}].exists_one(given, given)`,
  message: `exactly one of ${kinds.join(', ')}`,
};

function toCrd(openAPIV3Schema: Schema): Schema {
  const column = (name: string, jsonPath: string, more: object = {}) => ({ name, type: 'string', jsonPath, ...more });
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'imagepolicies.tallyman.dev', labels: { 'app.kubernetes.io/name': 'tallyman' } },
    spec: {
      group: 'tallyman.dev',
      scope: 'Namespaced',
      names: {
        kind: 'ImagePolicy',
        listKind: 'ImagePolicyList',
        plural: 'imagepolicies',
        singular: 'imagepolicy',
        categories: ['tallyman'],
      },
      versions: [
        {
          name: 'v1alpha1',
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: [
            column('Image', '.spec.image'),
            column('Current', '.status.current'),
            column('Latest', '.status.latest'),
            column('State', '.status.state'),
            column('Reason', '.status.reason', { priority: 1 }),
            column('Age', '.metadata.creationTimestamp', { type: 'date' }),
          ],
          schema: { openAPIV3Schema },
        },
      ],
    },
  };
}

/**
 * As the API server takes it: unknown fields are pruned there and not refused, `const` is an enum of one. Defaults are left
 * out, for an object that differs from what Git says would be put right for ever.
 */
function toStructural(schema: Schema): Schema {
  const kept: [string, unknown][] = [];
  for (const [key, value] of Object.entries(schema)) {
    if (['$schema', 'additionalProperties', 'default', 'title'].includes(key)) continue;
    if (key === 'const') kept.push(['enum', [value]]);
    else if (key === 'properties') kept.push([key, mapValues(value as Readonly<Record<string, Schema>>, toStructural)]);
    else if (key === 'items') kept.push([key, toStructural(value as Schema)]);
    // Go takes no bounds that JavaScript makes up for whole numbers.
    else if (key === 'maximum' && value === Number.MAX_SAFE_INTEGER) kept.push(['format', 'int64']);
    // The format says as much, and its pattern in full is a screen long.
    else if (key === 'pattern' && schema.format === 'date-time') continue;
    else kept.push([key, value]);
  }
  return Object.fromEntries(kept);
}

function mapValues(
  values: Readonly<Record<string, Schema>>,
  change: (schema: Schema) => Schema,
): Readonly<Record<string, Schema>> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, change(value)]));
}

/** So that each condition has an owner of its own in a server-side apply. */
function withConditionKeys(status: Schema): Schema {
  const properties = status.properties as { conditions: Schema };
  const conditions = {
    ...properties.conditions,
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': ['type'],
  };
  return { ...status, properties: { ...properties, conditions } };
}
