import { z } from 'zod';
import { configSchema } from '../src/config/schema.ts';
import { imagePolicySchema } from '../src/policy/schema.ts';
import { formatImagePolicyCrd } from './image-policy-crd.ts';

/** The text of each generated file, by its path. */
export function generatedSchemas(): Readonly<Record<string, string>> {
  return {
    'config/image-policy.schema.json': format(imagePolicySchema, 'ImagePolicy'),
    'config/config.schema.json': format(configSchema, 'Tallyman configuration'),
    'deploy/crd/imagepolicies.tallyman.dev.yaml': formatImagePolicyCrd(),
  };
}

function format(schema: z.ZodType, title: string): string {
  const { $schema, ...rest } = z.toJSONSchema(schema, { io: 'input', target: 'draft-2020-12' });
  return `${JSON.stringify({ $schema, title, ...rest }, null, 2)}\n`;
}
