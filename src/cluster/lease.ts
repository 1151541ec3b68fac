/**
 * What to do about a Lease: pure, times are values of one clock of this process. The clocks of other machines are never
 * read. Source: Kubernetes API, "coordination.k8s.io/v1 Lease"; client-go's `leaderelection`, whose rules these are.
 */
import { formatMicroTime } from './micro-time.ts';

/** A Lease as the API server has it; what is not named here is kept as it is. */
export interface LeaseObject {
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly resourceVersion?: string;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec?: LeaseSpec | undefined;
}

interface LeaseSpec {
  /** Empty or absent: nobody. */
  readonly holderIdentity?: string | undefined;
  readonly leaseDurationSeconds?: number | undefined;
  /** For people; another machine's clock. */
  readonly acquireTime?: string | undefined;
  readonly renewTime?: string | undefined;
  readonly leaseTransitions?: number | undefined;
}

/** The Lease as it was last seen, and since when it has been as it is. */
export interface SeenLease {
  /** Undefined: it is not there. */
  readonly lease: LeaseObject | undefined;
  /** Who was last known to hold it, also where it is gone; undefined: nobody. */
  readonly holder: string | undefined;
  /** So long its holder may go without renewing it, as the holder itself said. */
  readonly durationMs: number;
  /** When it was first seen so. */
  readonly sinceMs: number;
}

export interface LeaseTerms {
  /** Of this process: nobody else ever has it. */
  readonly identity: string;
  readonly durationMs: number;
}

/** Where the holder of the Lease can be reached by those who do not hold it: `10.1.2.3:8080` */
export const addressAnnotation = 'tallyman.dev/address';
/** A record that says more was written by no one who means it. */
const maxDurationMs = 3_600_000;

/**
 * The Lease as it was read just now, beside what was seen before: unchanged, its time goes on. One that was deleted while it
 * was held counts as unchanged, for its holder may not know yet. `usualMs` is how long one counts that does not say.
 */
export function observeLease(
  seen: SeenLease | undefined,
  lease: LeaseObject | undefined,
  { nowMs, usualMs }: { nowMs: number; usualMs: number },
): SeenLease {
  if (lease === undefined) return { holder: undefined, durationMs: 0, sinceMs: nowMs, ...seen, lease };
  if (seen?.lease !== undefined && recordOf(seen.lease) === recordOf(lease)) return { ...seen, lease };
  const { leaseDurationSeconds, holderIdentity } = lease.spec ?? {};
  const durationMs = leaseDurationSeconds === undefined ? usualMs : leaseDurationSeconds * 1000;
  return {
    lease,
    holder: holderIdentity || undefined,
    durationMs: Math.min(durationMs, maxDurationMs),
    sinceMs: nowMs,
  };
}

/** All of it that its holder writes; a person may annotate it meanwhile. */
function recordOf({ spec = {} }: LeaseObject): string {
  const { holderIdentity, leaseDurationSeconds, acquireTime, renewTime, leaseTransitions } = spec;
  return JSON.stringify([holderIdentity, leaseDurationSeconds, acquireTime, renewTime, leaseTransitions]);
}

/** Who holds it and may be writing now, other than who asks; undefined where nobody may. */
export function findOtherHolder({ holder, durationMs, sinceMs }: SeenLease, identity: string, nowMs: number) {
  if (holder === undefined || holder === identity) return undefined;
  return nowMs - sinceMs < durationMs ? holder : undefined;
}

/** Where its holder can be reached, by a numeric address; undefined where it does not say, or says something else. */
export function findAddress(lease: LeaseObject | undefined): string | undefined {
  const address = lease?.metadata.annotations?.[addressAnnotation];
  return address !== undefined && /^(?:[0-9.]{7,15}|\[[0-9a-f:.]{2,45}\]):[0-9]{1,5}$/.test(address)
    ? address
    : undefined;
}

export interface LeaseWriting {
  readonly namespace: string;
  readonly name: string;
  /** Left out where it is not known. */
  readonly address: string | undefined;
  /** Of the machine's clock, for people. */
  readonly wallMs: number;
}

/** The Lease with this process as its holder, to be written over the one that was seen, or to be made. */
export function holdLease({ lease }: Pick<SeenLease, 'lease'>, terms: LeaseTerms, writing: LeaseWriting): LeaseObject {
  const { spec = {} } = lease ?? {};
  const time = formatMicroTime(writing.wallMs);
  const isHeld = spec.holderIdentity === terms.identity;
  const transitions = spec.leaseTransitions ?? 0;
  return {
    ...lease,
    metadata: annotate(lease, writing),
    spec: {
      ...spec,
      holderIdentity: terms.identity,
      leaseDurationSeconds: Math.ceil(terms.durationMs / 1000),
      acquireTime: isHeld ? (spec.acquireTime ?? time) : time,
      renewTime: time,
      leaseTransitions: isHeld || lease === undefined ? transitions : transitions + 1,
    },
  };
}

/** The Lease with nobody as its holder, so that another takes it at once. */
export function releaseLease(lease: LeaseObject, writing: LeaseWriting): LeaseObject {
  const { acquireTime: _, ...spec } = lease.spec ?? {};
  const renewTime = formatMicroTime(writing.wallMs);
  return {
    ...lease,
    metadata: annotate(lease, { ...writing, address: undefined }),
    spec: { ...spec, holderIdentity: '', leaseDurationSeconds: 1, renewTime },
  };
}

function annotate(lease: LeaseObject | undefined, { namespace, name, address }: LeaseWriting): LeaseObject['metadata'] {
  const { [addressAnnotation]: _, ...others } = lease?.metadata.annotations ?? {};
  const annotations = { ...others, ...(address !== undefined && { [addressAnnotation]: address }) };
  return { ...(lease?.metadata ?? { namespace, name }), annotations };
}
