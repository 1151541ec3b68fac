/** What the status of a policy's object says, and should say. */
import type { PolicyStanding } from '../pipeline/cluster-ports.ts';
import type { PolicyStatus } from '../policy/status-schema.ts';
import type { ImagePolicyObject } from './policy-objects.ts';

/** How a policy of one Yaml repo stands; without a standing that repo has it no more. */
export interface ShownPolicy {
  /** `namespace/name` of the object. */
  readonly key: string;
  /** The Yaml repo and its branch. */
  readonly source: string;
  readonly standing: PolicyStanding | undefined;
}

/** None that a standing has. */
const goneReason = 'PolicyMissing';

/** A commit of before and the times at which conditions began stay as they are. */
export function toStatus(
  { key, source, standing }: ShownPolicy,
  object: ImagePolicyObject,
  wallMs: number,
): PolicyStatus {
  const filled = fillStatus(standing ?? describeGone(key, source), { object, wallMs });
  return { ...filled, source: cutSource(source) };
}

/** As statuses have it. */
export function cutSource(source: string): string {
  return cut(source, 512);
}

/** The CRD's schema has checked it. */
export function readStatus({ status }: ImagePolicyObject): PolicyStatus | undefined {
  return status as PolicyStatus | undefined;
}

/** Whether it says that its Yaml repo has the policy no more. */
export function isGone(status: PolicyStatus | undefined): boolean {
  return status?.conditions?.some(({ reason }) => reason === goneReason) === true;
}

/** In whatever order the API server has the fields. */
export function isSameStatus(status: PolicyStatus, found: PolicyStatus | undefined): boolean {
  return found !== undefined && serialize(status) === serialize(found);
}

type Standing = Pick<PolicyStanding, 'state' | 'conditions'> & Partial<PolicyStanding>;

function fillStatus(
  standing: Standing,
  { object, wallMs }: { object: ImagePolicyObject; wallMs: number },
): PolicyStatus {
  const { state, current, latest, reason, hold, nextLookMs, conditions } = standing;
  const { generation } = object.metadata;
  const known = readStatus(object);
  const now = new Date(wallMs).toISOString();
  const observed = generation !== undefined && { observedGeneration: generation };
  const lastCommit = fillCommit(standing.lastCommit, known?.lastCommit, now);
  return {
    ...observed,
    state,
    ...(current !== undefined && { current: cut(current, 1024) }),
    ...(latest !== undefined && { latest: cut(latest, 256) }),
    ...(reason !== undefined && { reason: cut(reason, 1024) }),
    ...(lastCommit && { lastCommit }),
    ...(hold && { hold: { reason: cut(hold.reason, 1024), remedy: cut(hold.remedy, 1024) } }),
    ...(nextLookMs !== undefined && { nextLookTime: new Date(nextLookMs).toISOString() }),
    conditions: conditions.map((condition) => {
      const before = known?.conditions?.find(({ type }) => type === condition.type);
      const lastTransitionTime = before?.status === condition.status ? before.lastTransitionTime : now;
      return { ...condition, message: cut(condition.message, 4096), lastTransitionTime, ...observed };
    }),
  };
}

function fillCommit(
  made: PolicyStanding['lastCommit'],
  known: PolicyStatus['lastCommit'],
  now: string,
): PolicyStatus['lastCommit'] {
  const revision = made && cut(made.revision, 512);
  if (made === undefined || revision === undefined || revision === known?.revision) return known;
  return { revision, version: cut(made.version, 512), time: now };
}

/** Nobody decides for it any more, and what it said last would pass for the present. */
function describeGone(key: string, source: string): Standing {
  const message = `policy "${key}" is not in "${source}" any more, or in a file that cannot be read`;
  const reason = goneReason;
  return {
    state: 'Failed',
    reason: message,
    conditions: [
      { type: 'Ready', status: 'False', reason, message },
      { type: 'Stalled', status: 'True', reason, message },
    ],
  };
}

/** Lengths of the schema count code points. */
function cut(text: string, maxLength: number): string {
  return text.length <= maxLength ? text : `${[...text].slice(0, maxLength - 1).join('')}…`;
}

function serialize(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}
