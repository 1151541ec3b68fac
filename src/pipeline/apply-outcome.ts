/** What became of a version after it was committed: whether the cluster's reconcilers applied it. */
import type { Update } from '../edit/plan.ts';
import { catalogue } from '../error/catalogue.ts';
import type { ObjectName } from '../error/tallyman-error.ts';
import type { UpdateVerdict } from '../reconcile/judge-update.ts';
import { formatName, type ReconcilerName } from '../reconcile/reconciler-object.ts';
import type { EventRecorder, StatusEvent } from './cluster-ports.ts';
import type { Metrics } from './metrics-ports.ts';
import type { Log } from './ports.ts';

/** A committed version that somebody waits for. */
export interface AwaitedUpdate {
  readonly subject: string;
  readonly commit: string;
  readonly update: Update;
  /** What the policy is written as; undefined where it cannot be called anything. */
  readonly about: ObjectName | undefined;
  /** Where it was written; none where that is not known. */
  readonly files: readonly string[];
  /** When a look here saw it come; undefined where that is not known. */
  readonly seenMs: number | undefined;
  readonly madeMs: number;
}

/**
 * `late`: nothing was said of it in time. `superseded`: a later commit without it was applied. `unknown`: the cluster could not be
 * asked, or nothing that applies it does so by itself.
 */
export interface ApplyOutcome {
  readonly kind: 'applied' | 'failed' | 'late' | 'superseded' | 'unknown';
  readonly awaited: AwaitedUpdate;
  /** Those that apply it, or that one that does not. */
  readonly objects: readonly ReconcilerName[];
  /** For people, on one line. */
  readonly message: string;
  /** From `seenMs`, or else from the commit. */
  readonly tookMs: number;
}

type Verdict<Kind extends UpdateVerdict['kind']> = Extract<UpdateVerdict, { kind: Kind }>;

/** That it is applied, by whom, and how long it took. */
export function tellApplied(awaited: AwaitedUpdate, verdict: Verdict<'reached'>, nowMs: number): ApplyOutcome {
  const { update, seenMs, commit } = awaited;
  const tookMs = nowMs - (seenMs ?? awaited.madeMs);
  const since = seenMs === undefined ? 'after the commit' : 'after its tag was seen';
  const by = formatNames(verdict.objects);
  const at = verdict.commits.map(shorten).join(', ') || shorten(commit);
  const text = `${update.policy}: ${update.to} is applied by ${by} at ${at}, ${formatSeconds(tookMs)} ${since}`;
  return { kind: 'applied', awaited, objects: verdict.objects, message: addNotes(text, verdict.notes), tookMs };
}

/** That a reconciler says it failed. */
export function tellFailed(awaited: AwaitedUpdate, verdict: Verdict<'failed'>, nowMs: number): ApplyOutcome {
  const { object, commit, message } = verdict;
  const text = `Cannot apply ${describe(awaited)}: ${formatName(object)} says of ${shorten(commit)} "${message}", success was wanted`;
  return { kind: 'failed', awaited, objects: [object], message: text, tookMs: nowMs - awaited.madeMs };
}

/** That nothing was said of it in time. */
export function tellLate(awaited: AwaitedUpdate, verdict: Verdict<'pending'>, nowMs: number): ApplyOutcome {
  const tookMs = nowMs - awaited.madeMs;
  const first = verdict.lacking.slice(0, maxNamed).map(({ object, said }) => `${formatName(object)} says "${said}"`);
  const more = verdict.lacking.length - first.length;
  const found = [...first, ...(more > 0 ? [`${more} more are not there yet`] : [])].join(', ');
  const text = `Cannot see ${describe(awaited)} applied: ${formatSeconds(tookMs)} after the commit ${found}, ${shorten(awaited.commit)} was wanted`;
  const objects = verdict.lacking.map(({ object }) => object);
  return { kind: 'late', awaited, objects, message: addNotes(text, verdict.notes), tookMs };
}

/** What is of no interest but to who looks into the work. */
export function tellOver(
  awaited: AwaitedUpdate,
  { kind, reason }: { kind: 'superseded' | 'unknown'; reason: string },
  nowMs: number,
): ApplyOutcome {
  const message = `${awaited.update.policy}: ${awaited.update.to} of ${shorten(awaited.commit)} is not waited for: ${reason}`;
  return { kind, awaited, objects: [], message, tookMs: nowMs - awaited.madeMs };
}

/** Others are counted. */
const maxNamed = 5;

interface TellTools {
  readonly log: Log;
  readonly metrics: Pick<Metrics, 'count' | 'observe'>;
  /** Undefined where nobody wants Events. */
  readonly events: Pick<EventRecorder, 'record'> | undefined;
}

/** Tells outcomes to the log, to metrics and to the cluster. */
export function createOutcomeTeller({ log, metrics, events }: TellTools): (outcome: ApplyOutcome) => void {
  return (outcome) => {
    const { kind, awaited, message, objects, tookMs } = outcome;
    const { subject: repo, commit, update, seenMs } = awaited;
    metrics.count('tallyman_applies_total', { repo, outcome: kind });
    if (kind === 'applied' && seenMs !== undefined)
      metrics.observe('tallyman_seen_to_applied_seconds', { repo }, tookMs / 1000);
    events?.record(toEvents(outcome));
    const fields = { commit, ...update, objects: objects.map(formatName), seconds: tookMs / 1000 };
    if (kind === 'applied') log.info({ code: 'ImageApplied', ...fields }, message);
    else if (kind === 'failed' || kind === 'late') log.warn({ code: failCode, remedy, ...fields }, message);
    else log.debug(fields, message);
  };
}

const failCode = 'ImageApplyFailed';
const { remedy } = catalogue[failCode];

/** Of a commit and policy each is told once, whoever tells it and after how long. */
function toEvents({ kind, awaited, message }: ApplyOutcome): readonly StatusEvent[] {
  if (kind === 'superseded' || kind === 'unknown') return [];
  const { about, commit, update, subject } = awaited;
  const isApplied = kind === 'applied';
  return [
    {
      reason: isApplied ? 'ImageApplied' : failCode,
      type: isApplied ? 'Normal' : 'Warning',
      about,
      action: 'ApplyImage',
      note: isApplied ? `${message} (${subject})` : `${message}. ${remedy} (${subject})`,
      id: JSON.stringify([commit, update.policy, update.to, kind]),
      repeats: false,
    },
  ];
}

function describe({ update }: AwaitedUpdate): string {
  return `${update.to} of policy "${update.policy}"`;
}

function shorten(commit: string): string {
  return commit.slice(0, 12);
}

function formatNames(objects: readonly ReconcilerName[]): string {
  const names = objects.slice(0, maxNamed).map(formatName).join(', ');
  return objects.length > maxNamed ? `${names} and ${objects.length - maxNamed} more` : names;
}

function formatSeconds(ms: number): string {
  return `${Math.max(0, Math.round(ms / 100) / 10)} s`;
}

function addNotes(text: string, notes: readonly string[]): string {
  const more = notes.length > maxNamed ? [`${notes.length - maxNamed} more are not`] : [];
  return notes.length === 0 ? text : `${text} (${[...notes.slice(0, maxNamed), ...more].join('; ')})`;
}
