/** Makes forges for tests: with a clock and waits that tests see. */
import { type ClosableForge, createForge } from '../../src/forge/create-forge.ts';
import type { ForgeKind } from '../../src/forge/find-forge.ts';
import type { ForgeTls } from '../../src/forge/http.ts';
import type { ForgeLimits } from '../../src/forge/limits.ts';

export interface TestForge extends ClosableForge {
  /** Lengths of the waits, in milliseconds. */
  readonly waits: number[];
}

interface TestForgeOptions {
  readonly kind: ForgeKind;
  readonly apiUrl: string;
  readonly project: string;
  readonly token?: string | undefined;
  readonly username?: string | undefined;
  readonly limits?: Partial<ForgeLimits>;
  readonly checkWrite?: () => void;
  readonly tls?: () => ForgeTls;
}

/** Its clock stands still but for the waits, which take no time. */
export function openTestForge({
  kind,
  apiUrl,
  project,
  token,
  username,
  limits,
  checkWrite,
  tls,
}: TestForgeOptions): TestForge {
  const waits: number[] = [];
  let nowMs = 1_700_000_000_000;
  const forge = createForge({
    place: { kind, apiUrl, project, host: new URL(apiUrl).host },
    credential: async () => (token === undefined ? undefined : { username, token }),
    limits,
    checkWrite,
    tls,
    now: () => nowMs,
    random: () => 0.5,
    sleep: async (ms) => {
      waits.push(ms);
      nowMs += ms;
    },
  });
  return { ...forge, waits };
}
