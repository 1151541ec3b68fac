/** Settings of the HTTP server. */
import { z } from 'zod';
import { webhookFormats } from '../webhook/read-delivery.ts';
import { hostSchema } from './host-schema.ts';
import { secretKeySchema } from './secret-ref-schema.ts';

const secretPlaces = ['secretFile', 'secretEnv', 'secret'] as const;

const webhookSchema = z
  .strictObject({
    name: z
      .string()
      .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, { message: 'lower-case letters, digits and "-"' })
      .describe('It listens at /webhooks/<name>.'),
    format: z.enum(webhookFormats).describe('Who sends it.'),
    secretFile: z.string().min(1).optional().describe('File that holds the secret; read again at each delivery.'),
    secretEnv: z.string().min(1).optional().describe('Environment variable that holds it.'),
    secret: secretKeySchema('token').optional().describe('Secret of the cluster that holds it under this key.'),
    host: hostSchema.optional().describe('Registry host as images name it, where it is another than the sender tells.'),
  })
  .refine((webhook) => secretPlaces.filter((name) => webhook[name] !== undefined).length === 1, {
    message: 'exactly one of secretFile, secretEnv and secret',
  });

export type WebhookConfig = z.infer<typeof webhookSchema>;

export const serverSchema = z.strictObject({
  listen: z
    .string()
    .max(255)
    .refine(isListenAddress, { message: 'host:port, such as 127.0.0.1:8080 or [::]:8080' })
    .describe('Address on which webhooks and probes are served, over plain HTTP.'),
  webhooks: z
    .array(webhookSchema)
    .max(100)
    .default([])
    .superRefine((webhooks, context) => {
      const names = webhooks.map(({ name }) => name);
      for (const [index, name] of names.entries()) {
        if (names.indexOf(name) === index) continue;
        context.addIssue({ code: 'custom', path: [index, 'name'], message: 'a name that no other webhook has' });
      }
    })
    .describe('What may tell of new commits and images.'),
});

function isListenAddress(text: string): boolean {
  const [, port] = /^(?:\[[0-9a-f:.]+\]|[a-z0-9.-]*):(\d{1,5})$/i.exec(text) ?? [];
  return port !== undefined && Number(port) < 65_536;
}
