/** What a pass did and found, as events about its policies. */
import type { Update } from '../edit/plan.ts';
import { formatProblem, type Problem } from '../error/problem.ts';
import type { ObjectName } from '../error/tallyman-error.ts';
import type { Selection } from '../select/selection.ts';
import type { StatusEvent } from './cluster-ports.ts';
import type { WholeReport } from './commit-and-propose.ts';

/** How the Yaml repo is called, and where people look at it. */
export interface EventSource {
  readonly subject: string;
  /** Undefined where it is not known how. */
  formatCommitUrl(commit: string): string | undefined;
}

/** What of a report is told. */
type ToldReport = Pick<WholeReport, 'policies' | 'commits' | 'proposals' | 'selections' | 'problems'>;

/**
 * What happened: a version that was committed (`ImageUpdated`) or proposed (`ImageProposed`), each with whence, whither and
 * where to look.
 */
export function listDone(report: ToldReport, source: EventSource): readonly StatusEvent[] {
  const { commits, proposals } = report;
  const objects = findObjects(report);
  const committed = commits.flatMap(({ commit, updates }) => {
    const where = `commit ${commit} ${source.formatCommitUrl(commit) ?? `in ${source.subject}`}`;
    return updates.map((update) => toDone('ImageUpdated', update, { objects, where }));
  });
  const proposed = proposals
    .filter(({ state }) => state === 'opened' || state === 'updated')
    .flatMap(({ branch, url, updates }) => {
      const where = `pull request ${url ?? `of branch ${branch} in ${source.subject}`}`;
      return updates.map((update) => toDone('ImageProposed', update, { objects, where }));
    });
  return [...committed, ...proposed];
}

/**
 * What is so: versions that wait (`ImageWaiting`), and problems by their codes. Of a problem that concerns no policy people
 * hear at the object that it was found in, or at Tallyman itself.
 */
export function listFound(report: ToldReport, subject: string): readonly StatusEvent[] {
  const objects = findObjects(report);
  const waiting = report.selections.filter(({ kind }) => kind === 'waiting');
  return [
    ...waiting.map((selection) => toWaiting(selection, objects)),
    ...report.problems.flatMap((problem) => listProblem(problem, { objects, subject })),
  ];
}

/**
 * A failure of the whole pass, told to the policies whose updates it stopped; where it stopped none, at Tallyman itself.
 */
export function listFailure(failure: Problem, subject: string): readonly StatusEvent[] {
  return listProblem(failure, { objects: new Map(), subject });
}

type Objects = ReadonlyMap<string, ObjectName>;

/** What the policies are written as, by their keys. */
export function findObjects({ policies }: Pick<ToldReport, 'policies'>): Objects {
  return new Map(policies.map(({ key, object }) => [key, object]));
}

function toDone(
  reason: 'ImageUpdated' | 'ImageProposed',
  { policy, image, from, to }: Update,
  { objects, where }: { objects: Objects; where: string },
): StatusEvent {
  const done = reason === 'ImageUpdated' ? 'Updated' : 'Proposed';
  const note = `${done} ${image} from ${from ?? 'no version'} to ${to}: ${where}`;
  const action = reason === 'ImageUpdated' ? 'UpdateImage' : 'ProposeImage';
  return { reason, type: 'Normal', about: findObject(policy, objects), action, note, id: note, repeats: false };
}

function toWaiting({ policy, current, reason: why, wakeMs }: Selection, objects: Objects): StatusEvent {
  const until = wakeMs === undefined ? '' : `${new Date(wakeMs).toISOString().slice(0, 16)}Z`;
  const note = `Waiting with ${current ?? 'no version'}: ${why}${why.includes(until) ? '' : `, until ${until}`}`;
  const about = findObject(policy, objects);
  return { reason: 'ImageWaiting', type: 'Normal', about, action: 'UpdateImage', note, id: why, repeats: false };
}

interface Telling {
  readonly objects: Objects;
  readonly subject: string;
}

function listProblem(problem: Problem, { objects, subject }: Telling): readonly StatusEvent[] {
  const { policy, object, stops = [] } = problem;
  if (stops.length > 0) {
    return stops.map(({ policy: stopped, object: known, from, to }) => {
      const note = `Not updated from ${from ?? 'no version'} to ${to}: ${describe(problem)} (${subject})`;
      const event = toEvent(problem, known ?? findObject(stopped, objects), note);
      return { ...event, id: JSON.stringify([event.id, to]) };
    });
  }
  const about = object ?? (policy === undefined ? undefined : findObject(policy, objects));
  return [toEvent(problem, about, `${describe(problem)} (${subject})`)];
}

/** A policy that cannot be used is called as its problems call it. */
export function findObject(policy: string, objects: Objects): ObjectName | undefined {
  const [namespace = '', name = ''] = policy.split('/', 2);
  return objects.get(policy) ?? { apiVersion: 'tallyman.dev/v1alpha1', kind: 'ImagePolicy', namespace, name };
}

/** With its place and remedy; the code is the reason. */
function describe({ code, message, ...problem }: Problem): string {
  return formatProblem({ ...problem, code, message }).replace(` [${code}] `, '. ');
}

function toEvent(problem: Problem, about: ObjectName | undefined, note: string): StatusEvent {
  const { code, message, place } = problem;
  // A hold is what a person wants, and has a version in its message that is another one's hold.
  const isHeld = code === 'ImageHeld';
  return {
    reason: code,
    type: isHeld ? 'Normal' : 'Warning',
    about,
    action: about === undefined ? 'MakePass' : 'UpdateImage',
    note,
    id: JSON.stringify([place, isHeld ? message : message.replace(/[0-9]+/g, '#')]),
    repeats: !isHeld,
  };
}
