import { catalogue, type Disposition, type ErrorCode } from './catalogue.ts';

/** A place in a file of the Yaml repo or of the configuration; line and column count from 1. */
export interface Place {
  readonly file: string;
  readonly line?: number;
  readonly column?: number;
}

/** An object as Kubernetes names it, whether or not a cluster has it. `{ apiVersion: 'tallyman.dev/v1alpha1', kind: 'ImagePolicy', namespace: 'shop', name: 'web' }` */
export interface ObjectName {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

/** A version that was about to be written. */
export interface StoppedUpdate {
  /** `namespace/name` */
  readonly policy: string;
  /** What the policy is written as. */
  readonly object: ObjectName | undefined;
  readonly from: string | undefined;
  readonly to: string;
}

interface TallymanErrorOptions {
  readonly place?: Place | undefined;
  /** Whom it concerns, as `namespace/name`. */
  readonly policy?: string | undefined;
  /** What it kept from being written. */
  readonly stops?: readonly StoppedUpdate[] | undefined;
  /** Replaces the catalogue's general remedy where a more exact one is known. */
  readonly remedy?: string | undefined;
  readonly cause?: unknown;
}

/**
 * The one error class. `message` reads `Cannot <verb> <object> "<value>": <what was found>, <what was wanted>` and never
 * holds a secret; `remedy` is our own sentence, never a library's.
 */
export class TallymanError extends Error {
  override readonly name = 'TallymanError';
  readonly code: ErrorCode;
  readonly place: Place | undefined;
  readonly policy: string | undefined;
  readonly stops: readonly StoppedUpdate[] | undefined;
  readonly remedy: string;

  constructor(code: ErrorCode, message: string, options: TallymanErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.place = options.place;
    this.policy = options.policy;
    this.stops = options.stops;
    this.remedy = options.remedy ?? catalogue[code].remedy;
  }

  get disposition(): Disposition {
    return catalogue[this.code].disposition;
  }
}
