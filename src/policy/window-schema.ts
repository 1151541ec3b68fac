/** Times in which may be written, in policies and in the configuration. */
import { z } from 'zod';
import { weekdays } from './policy.ts';

const timeSchema = z.string().regex(/^(?:[01]\d|2[0-3]):[0-5]\d$/, 'a time of day such as "09:30", in quotes');

export const windowsSchema = z
  .array(
    z.strictObject({
      days: z
        .array(z.enum(weekdays))
        .min(1)
        .max(7)
        .default([...weekdays])
        .describe('On which the window begins; by default every day.'),
      from: timeSchema.describe('Wall clock of the time zone; the first minute of the window.'),
      to: timeSchema.describe('The first minute after it: of the next day where it is not later than `from`.'),
      timeZone: z
        .string()
        .max(64)
        .refine(isTimeZone, { message: 'a time zone of the IANA database such as "Europe/Berlin"' })
        .default('UTC'),
    }),
  )
  .min(1)
  .max(50);

function isTimeZone(name: string): boolean {
  try {
    // Offsets such as "+01:00" are taken by some versions only, and know no summer.
    return /^[A-Za-z]/.test(name) && new Intl.DateTimeFormat('en-US', { timeZone: name }) !== undefined;
  } catch {
    return false;
  }
}
