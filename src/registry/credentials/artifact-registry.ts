/** Signs in to Google's Artifact Registry and Container Registry. */
import type { CloudExchange } from './cloud-exchange.ts';
import { createGoogleIdentity } from './google-identity.ts';
import { planRenewal } from './lease.ts';

/** `gcr.io`, `eu.gcr.io`, `europe-west4-docker.pkg.dev` */
const hostPattern = /^(?:(?:[a-z0-9-]+\.)*gcr\.io|[a-z0-9-]+-docker\.pkg\.dev)$/;

/** Google's metadata server gives out the same token until less than four minutes before its end. */
const earlyMs = 225_000;
const usualLifeMs = 900_000;

/** Source: Artifact Registry documentation, "Set up authentication for Docker", access token. */
export function createArtifactRegistryExchange(): CloudExchange {
  const findToken = createGoogleIdentity();
  return {
    isAt: (registry) => hostPattern.test(registry.host),
    keyOf: () => 'all',
    borrow: async (signIn) => {
      const token = await findToken(signIn);
      if (token === undefined) return undefined;
      return {
        credential: { username: 'oauth2accesstoken', password: token.text },
        endsAtMs: planRenewal({ nowMs: signIn.now(), endMs: token.endMs, earlyMs, usualLifeMs }),
      };
    },
  };
}
