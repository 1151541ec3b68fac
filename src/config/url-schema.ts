/** Addresses in the configuration. None is ever repeated in a message: it may hold a secret. */
import { z } from 'zod';
import { isSshAddress, parseSshAddress } from '../address/ssh-address.ts';

/** What was wanted instead of this address of a repository; undefined where it is in order. */
export function describeUrlFault(text: string): string | undefined {
  if (!isSshAddress(text)) return describeWebFault(text, 'https://host/path, ssh://user@host/path or user@host:path');
  const reading = parseSshAddress(text);
  return 'wanted' in reading ? reading.wanted : undefined;
}

function describeWebFault(text: string, form: string): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['https:', 'http:'].includes(url.protocol)) return `an address ${form}`;
  if (url.username !== '' || url.password !== '') return 'an address without credentials (they go under `credentials`)';
  return url.search === '' && url.hash === '' ? undefined : 'an address without a query';
}

/** As `describeUrlFault`, for a web address that ends with the host. */
function describeOriginFault(text: string): string | undefined {
  const fault = describeWebFault(text, 'https://host');
  if (fault !== undefined) return fault;
  return new URL(text).pathname === '/' ? undefined : 'an address without a path';
}

/** A secret goes there: nobody on the way shall read it. */
function describeApiFault(text: string): string | undefined {
  const fault = describeWebFault(text, 'https://host/path');
  if (fault !== undefined) return fault;
  const { protocol, hostname } = new URL(text);
  const isSafe = protocol === 'https:' || /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(hostname);
  return isSafe ? undefined : 'an address https://host/path';
}

function createUrlSchema(describe: (text: string) => string | undefined): z.ZodString {
  return z
    .string()
    .max(2048)
    .superRefine((text, context) => {
      const message = describe(text);
      if (message !== undefined) context.addIssue({ code: 'custom', message });
    });
}

export const repoUrlSchema = createUrlSchema(describeUrlFault);
export const originSchema = createUrlSchema(describeOriginFault);
export const apiUrlSchema = createUrlSchema(describeApiFault);
