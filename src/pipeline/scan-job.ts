/** The job that keeps what is known of an image repository's tags fresh. */
import { formatCanonical, parseImageReference } from '../image/reference.ts';
import { untilAborted } from '../signal/until-aborted.ts';
import type { JobOutcome, JobRequest, RunJob } from './job-ports.ts';
import type { TagQuestion } from './poll-images.ts';
import type { Clock } from './ports.ts';

/** What a scan asks, and when it is time again: see `Looks.refresh`. */
interface Refreshes {
  refresh(question: TagQuestion): Promise<number | undefined>;
}

const withTimes = ' times';
/** A look that is still under way is not asked about more often. */
const minPauseMs = 1000;

/** Looks at an image repository when it is time; not again once no policy of any Yaml repo wants it. */
export function createScanJob({ tags, clock }: { tags: Refreshes; clock: Pick<Clock, 'nowMs'> }): RunJob {
  return async ({ subject }, { signal }): Promise<JobOutcome> => {
    try {
      const dueMs = await untilAborted(tags.refresh(parseScanSubject(subject)), signal);
      // What a look fails with is kept beside the answer, and so is when to try again.
      return { againMs: dueMs === undefined ? undefined : Math.max(minPauseMs, dueMs - clock.nowMs()) };
    } catch (error) {
      // No registry is waited for at the end: whoever is there then looks.
      if (signal.aborted) return { againMs: 0 };
      throw error;
    }
  };
}

/** The scan that is to be there for as long as policies want the repository. */
export function requestScan(question: TagQuestion): JobRequest {
  // The first one only learns when it is time.
  return { subject: formatScanSubject(question), delayMs: minPauseMs, urgent: false, ifAbsent: true };
}

/** `ghcr.io/acme/web`, or `docker.io/library/nginx times` */
export function formatScanSubject({ repository: { host, path }, pushTimes }: TagQuestion): string {
  return `${formatCanonical({ host, path })}${pushTimes ? withTimes : ''}`;
}

/** The question behind a subject; throws `ReferenceInvalid`. */
function parseScanSubject(subject: string): TagQuestion {
  const pushTimes = subject.endsWith(withTimes);
  const { host, path } = parseImageReference(pushTimes ? subject.slice(0, -withTimes.length) : subject);
  return { repository: { host, path }, pushTimes };
}
