/** Tells the cluster of each pass. */
import type { EventRecorder } from './cluster-ports.ts';
import { type EventSource, listDone, listFailure, listFound } from './list-events.ts';
import type { PassObserver } from './pass-records.ts';

/** What a pass found stays so until one that did not fail finds otherwise; a failure until a pass does not fail. */
export function createEventObserver(recorder: EventRecorder, sources: readonly EventSource[]): PassObserver {
  const known = new Map(sources.map((source) => [source.subject, source]));
  return {
    begin: () => {},
    leave() {
      for (const subject of known.keys())
        for (const kind of ['found', 'failed']) recorder.keep(`${subject} ${kind}`, []);
    },
    end(subject, { report, failure }) {
      const source = known.get(subject);
      if (source === undefined || (report === undefined && failure === undefined)) return;
      if (report !== undefined) {
        recorder.record(listDone(report, source));
        recorder.keep(`${subject} found`, listFound(report, subject));
      }
      recorder.keep(`${subject} failed`, failure === undefined ? [] : listFailure(failure, subject));
    },
  };
}
