import { catalogue, type ErrorCode, severityOf } from './catalogue.ts';
import { printable } from './printable.ts';
import { type ObjectName, type Place, type StoppedUpdate, TallymanError } from './tallyman-error.ts';

/** One thing that went wrong, as plain data: what reports, Events, logs and `--output json` are made of. */
export interface Problem {
  readonly code: ErrorCode;
  readonly message: string;
  readonly remedy: string;
  readonly place?: Place;
  /** Whom it concerns, as `namespace/name`; absent when it concerns no one policy. */
  readonly policy?: string;
  /** The object of the Yaml repo that it was found in, where that is known. */
  readonly object?: ObjectName;
  /** What it kept from being written. */
  readonly stops?: readonly StoppedUpdate[];
}

interface ProblemFacts {
  readonly place?: Place | undefined;
  readonly policy?: string | undefined;
  readonly remedy?: string | undefined;
  readonly object?: ObjectName | undefined;
  readonly stops?: readonly StoppedUpdate[] | undefined;
}

/** The problem with its catalogue remedy filled in and its message made safe to show. */
export function createProblem(code: ErrorCode, message: string, about: ProblemFacts = {}): Problem {
  return {
    code,
    message: printable(message),
    remedy: about.remedy ?? catalogue[code].remedy,
    ...(about.place && { place: about.place }),
    ...(about.policy !== undefined && { policy: about.policy }),
    ...(about.object && { object: about.object }),
    ...(about.stops && { stops: about.stops }),
  };
}

const placeless: readonly ErrorCode[] = ['ConfigInvalid', 'SecretUnavailable'];

/** The problem that a caught failure is; anything that is not a TallymanError is a bug and becomes `Internal`. */
export function toProblem(error: unknown, about: { place?: Place; policy?: string } = {}): Problem {
  if (error instanceof TallymanError) {
    const { code, message, remedy, stops } = error;
    return createProblem(code, message, {
      // A fault of the configuration, or of what it names, is not at the place of the policy that met it.
      place: error.place ?? (placeless.includes(code) ? undefined : about.place),
      policy: error.policy ?? about.policy,
      remedy,
      stops,
    });
  }
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return createProblem('Internal', `Cannot go on: ${text}`, about);
}

/** Whether the problem keeps something from working; the others only say that something is not as it looks. */
export function isError({ code }: Problem): boolean {
  return severityOf(code) === 'error';
}

/** `file:line:column: message [code] remedy`, on one line. */
export function formatProblem(problem: Problem): string {
  const { place } = problem;
  const where = place
    ? [place.file, place.line, place.column].filter((part) => part !== undefined).join(':')
    : problem.policy;
  return `${where === undefined ? '' : `${printable(where)}: `}${problem.message} [${problem.code}] ${problem.remedy}`;
}

/** Each problem once, in the order of their first. */
export function dedupeProblems(problems: readonly Problem[]): readonly Problem[] {
  return [...new Map(problems.map((problem) => [JSON.stringify(problem), problem])).values()];
}
