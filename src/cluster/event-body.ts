/** Events as the API server takes them. Source: events.k8s.io/v1 and its validation, `pkg/apis/core/validation/events.go`. */
import { createHash } from 'node:crypto';
import { printable } from '../error/printable.ts';
import type { ObjectName } from '../error/tallyman-error.ts';
import type { StatusEvent } from '../pipeline/cluster-ports.ts';
import { isObjectName } from '../policy/object-name.ts';
import { formatMicroTime } from './micro-time.ts';

/** An object as an Event refers to it. */
export interface ObjectReference extends ObjectName {
  readonly uid?: string | undefined;
  readonly resourceVersion?: string | undefined;
}

/** Who tells: the pod of this process, or where it is in none, its namespace. */
export interface Reporter {
  readonly object: ObjectReference;
  /** Name of the pod or the machine. */
  readonly instance: string;
}

/** When it was seen first and last, by the wall's clock, and how often. */
export interface Occurrences {
  readonly firstMs: number;
  readonly lastMs: number;
  readonly count: number;
}

/** What is told, and of what object; the object is not that of the event where its namespace cannot be told of. */
export interface Telling {
  readonly event: StatusEvent;
  readonly regarding: ObjectReference;
}

const reportingController = 'tallyman.dev/tallyman';
const maxNoteBytes = 1024;
const maxWordChars = 128;
const maxNameChars = 253;

/** The name that the same event gets from every process, so that it is there once. */
export function nameEvent({ event, regarding }: Telling): string {
  const { reason, about, id } = event;
  const { apiVersion, kind, namespace, name, uid = '' } = regarding;
  const said = [reason, apiVersion, kind, namespace, name, uid, about ?? null, id];
  const hash = createHash('sha256').update(JSON.stringify(said)).digest('hex').slice(0, 20);
  const start = name.slice(0, maxNameChars - hash.length - 1).replace(/[^a-z0-9]+$/, '');
  return `${start}.${hash}`;
}

/** The object to be created. */
export function formatEvent(telling: Telling, seen: Occurrences, { instance }: Reporter): object {
  const { event, regarding } = telling;
  const { uid, resourceVersion, ...name } = regarding;
  return {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: { namespace: regarding.namespace, name: nameEvent(telling) },
    eventTime: formatMicroTime(seen.firstMs),
    ...(seen.count > 1 && { series: formatSeries(seen) }),
    type: event.type,
    reason: event.reason.slice(0, maxWordChars),
    action: event.action.slice(0, maxWordChars),
    // Cut before, too: a note may be of any length.
    note: cutNote(printable(describe(telling).slice(0, maxNoteBytes + 1))),
    regarding: {
      ...name,
      ...(uid !== undefined && { uid }),
      ...(resourceVersion !== undefined && { resourceVersion }),
    },
    ...(isElsewhere(telling) && event.about !== undefined && isObjectName(event.about) && { related: event.about }),
    reportingController,
    reportingInstance: instance.slice(0, maxWordChars),
  };
}

/** From the second time on: the API server takes no series of one. */
export function formatSeries({ count, lastMs }: Pick<Occurrences, 'count' | 'lastMs'>): object {
  return { count: Math.max(2, count), lastObservedTime: formatMicroTime(lastMs) };
}

function describe({ event, regarding }: Telling): string {
  const { about, note } = event;
  return isElsewhere({ event, regarding }) && about !== undefined
    ? `${about.kind} ${about.namespace}/${about.name}: ${note}`
    : note;
}

function isElsewhere({ event: { about }, regarding }: Telling): boolean {
  return about !== undefined && (about.kind !== regarding.kind || about.namespace !== regarding.namespace);
}

/** At most 1 KiB in UTF-8, whole characters. */
function cutNote(text: string): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= maxNoteBytes) return text;
  const ellipsis = Buffer.byteLength('…');
  let end = maxNoteBytes - ellipsis;
  // Bytes that go on with a character are 10xxxxxx.
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return `${bytes.subarray(0, end).toString('utf8')}…`;
}
