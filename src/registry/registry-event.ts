/** What a registry client tells besides its answers. */
import type { HttpAnswer } from './http.ts';
import { rememberRecent } from './remember-recent.ts';

/** Something to know that is no failure. `warning` is the registry's own text, made safe to show, told once. */
export type RegistryEvent =
  | { readonly kind: 'retry'; readonly host: string; readonly task: string; readonly waitMs: number }
  | {
      readonly kind: 'budget';
      readonly host: string;
      /** Pulls left of `limit` in the window. */
      readonly left: number;
      readonly limit: number | undefined;
      readonly windowMs: number;
    }
  /** The host asked for rest, or is down: nothing is sent to it for so long. */
  | { readonly kind: 'throttled' | 'circuit-open'; readonly host: string; readonly waitMs: number }
  | { readonly kind: 'dropped-tags'; readonly repository: string; readonly count: number }
  /** The image's labels cannot be read; `found` is the message of the error. */
  | { readonly kind: 'no-labels'; readonly image: string; readonly found: string }
  /** Docker Hub's API does not tell when the tags were pushed now; of `known` tags it told before. */
  | { readonly kind: 'no-push-times'; readonly repository: string; readonly found: string; readonly known: number }
  | { readonly kind: 'warning'; readonly host: string; readonly text: string };

/** Warnings remembered, so that each is told once; a registry that makes up new ones forgets the oldest. */
const maxWarnings = 500;

/** Tells what answers warn of. */
export function createWarner(log: (event: RegistryEvent) => void): (host: string, answer: HttpAnswer) => void {
  const told = new Map<string, true>();
  return (host, { warning }) => {
    if (warning === undefined) return;
    const key = `${host} ${warning}`;
    if (!told.has(key)) log({ kind: 'warning', host, text: warning });
    rememberRecent(told, [key, true], maxWarnings);
  };
}
