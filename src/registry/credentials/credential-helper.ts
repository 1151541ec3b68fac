/** Asks Docker's credential helpers: programs `docker-credential-<name>` that print a credential. */
import { TallymanError } from '../../error/tallyman-error.ts';
import { untilAborted } from '../../signal/until-aborted.ts';
import { startDeadline } from '../deadline.ts';
import { parseJsonObject } from '../json.ts';
import { rememberRecent } from '../remember-recent.ts';
import type { Credential } from './credential.ts';

/**
 * Runs `<program> get` with the input on standard input, until it ends or the signal does. Rejects with an error that has a
 * `code` where it cannot be started (`ENOENT`, `EACCES`) or prints too much.
 */
export type RunHelper = (
  program: string,
  input: string,
  options: { signal: AbortSignal },
) => Promise<{ /** Exit code; null where a signal ended it. */ readonly code: number | null; readonly stdout: string }>;

/** What a helper is asked. */
export interface HelperQuestion {
  /** As the file has it: `ecr-login` for `docker-credential-ecr-login`. */
  readonly name: unknown;
  /** `ghcr.io`; `https://index.docker.io/v1/` for Docker Hub. */
  readonly server: string;
  /** Where the helper is named, for messages. */
  readonly origin: string;
}

export interface CredentialHelper {
  /**
   * What the helper has for the server; undefined where it has nothing. Answers are kept for an hour, that there is none
   * and failures for a minute; callers that ask at the same time share one run. Throws ConfigInvalid where there is no
   * such program, RegistryUnavailable where it fails; nothing that it printed is ever told.
   */
  find(question: HelperQuestion, options: { signal: AbortSignal }): Promise<Credential | undefined>;
  /** The next `find` for the server runs its helper again. */
  forget(server: string): void;
}

interface HelperOptions {
  readonly run: RunHelper;
  /** Milliseconds since 1970, UTC. */
  readonly now: () => number;
}

/** An answer, kept or still on its way; then `endsAtMs` is Infinity. */
interface Answer {
  readonly server: string;
  readonly credential: Promise<Credential | undefined>;
  readonly controller: AbortController;
  callers: number;
  endsAtMs: number;
}

const timeoutMs = 5000;
const keptMs = 3_600_000;
const noneKeptMs = 60_000;
/** Hosts that no policy names any more are dropped, oldest first. */
const maxAnswers = 1000;

export function createCredentialHelper({ run, now }: HelperOptions): CredentialHelper {
  const answers = new Map<string, Answer>();

  function start(key: string, ask: { program: string; question: HelperQuestion }): Answer {
    const controller = new AbortController();
    const credential = askTwice({ ...ask, run, signal: controller.signal });
    const answer: Answer = { server: ask.question.server, credential, controller, callers: 0, endsAtMs: Infinity };
    const keep = (lifeMs: number): void => {
      answer.endsAtMs = now() + lifeMs;
    };
    credential.then(
      (found) => keep(found === undefined ? noneKeptMs : keptMs),
      () => keep(noneKeptMs),
    );
    rememberRecent(answers, [key, answer], maxAnswers);
    return answer;
  }

  return {
    async find(question, { signal }) {
      signal.throwIfAborted();
      const program = toProgram(question);
      const key = `${program} ${question.server}`;
      const known = answers.get(key);
      const answer = known !== undefined && known.endsAtMs > now() ? known : start(key, { program, question });
      answer.callers += 1;
      try {
        return await untilAborted(answer.credential, signal);
      } finally {
        answer.callers -= 1;
        if (answer.callers === 0 && answer.endsAtMs === Infinity) {
          // Nobody waits any more: the program must not keep this one from ending.
          answers.delete(key);
          answer.controller.abort();
        }
      }
    },
    forget(server) {
      for (const [key, answer] of answers)
        if (answer.server === server && answer.endsAtMs !== Infinity) answers.delete(key);
    },
  };
}

function toProgram({ name, server, origin }: HelperQuestion): string {
  if (typeof name === 'string' && /^[A-Za-z0-9._-]+$/.test(name)) return `docker-credential-${name}`;
  const found = `the name of the credential helper for "${server}" is none, letters, digits and . _ - were wanted`;
  throw new TallymanError('ConfigInvalid', `Cannot use ${origin}: ${found}`, {
    remedy: 'Correct `credHelpers` or `credsStore` there: the part of the name behind `docker-credential-`.',
  });
}

interface Ask {
  readonly program: string;
  readonly question: HelperQuestion;
  readonly run: RunHelper;
  readonly signal: AbortSignal;
}

/** Key stores fail now and then when they are asked at a bad moment. */
async function askTwice(ask: Ask): Promise<Credential | undefined> {
  try {
    return await askOnce(ask);
  } catch (error) {
    if (ask.signal.aborted || !(error instanceof TallymanError) || error.disposition === 'stalled') throw error;
    return askOnce(ask);
  }
}

async function askOnce({ program, question, run, signal }: Ask): Promise<Credential | undefined> {
  const fail = (found: string): TallymanError => toFailure(program, question, found);
  const deadline = startDeadline(signal, timeoutMs, () => fail(`it did not end within ${timeoutMs / 1000} s`));
  try {
    const running = run(program, question.server, { signal: deadline.signal }).catch((error: unknown) => {
      deadline.signal.throwIfAborted();
      throw translateFailure(error, { program, question });
    });
    const { code, stdout } = await untilAborted(running, deadline.signal);
    if (code === 0) return readAnswer(stdout, fail);
    // The words of docker-credential-helpers; they come on standard output.
    if (stdout.includes('credentials not found in native keychain')) return undefined;
    throw fail(code === null ? 'it was ended by a signal' : `it ended with exit code ${code}`);
  } finally {
    deadline.stop();
  }
}

/** Docker's credential helper protocol: `{"ServerURL":…,"Username":…,"Secret":…}`; the user `<token>` marks an identity token. */
function readAnswer(stdout: string, fail: (found: string) => TallymanError): Credential | undefined {
  const { Username: username, Secret: secret } = parseJsonObject(Buffer.from(stdout)) ?? {};
  if (typeof username !== 'string' || typeof secret !== 'string')
    throw fail('its answer is no JSON object with "Username" and "Secret"');
  if (secret === '') return undefined;
  if (/\p{Cs}/u.test(username + secret)) throw fail('its answer has half a character');
  return username === '<token>' ? { identityToken: secret } : { username, password: secret };
}

/** With these, a person must act; others (no memory, too many processes) go away by themselves. */
const missingCodes = ['ENOENT', 'EACCES', 'ENOTDIR', 'ENOEXEC', 'ENAMETOOLONG'];

function translateFailure(error: unknown, { program, question }: Pick<Ask, 'program' | 'question'>): unknown {
  const code = error instanceof Error && 'code' in error ? String(error.code) : undefined;
  if (code === undefined) return error;
  if (code === 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER') return toFailure(program, question, 'it printed too much');
  if (!missingCodes.includes(code)) return toFailure(program, question, `it cannot be started (${code})`);
  const found = `it cannot be started (${code}), but ${question.origin} names it; a program on PATH was wanted`;
  return new TallymanError('ConfigInvalid', `Cannot ask "${program}" for "${question.server}": ${found}`, {
    remedy: `Put ${program} on the PATH of Tallyman, or take it out of \`credHelpers\` and \`credsStore\` there.`,
  });
}

/** Without what was printed: it may hold a secret. */
function toFailure(program: string, { server, origin }: HelperQuestion, found: string): TallymanError {
  const message = `Cannot ask "${program}" (of ${origin}) for "${server}": ${found}, a credential was wanted`;
  return new TallymanError('RegistryUnavailable', message, {
    remedy: `Run \`echo ${server} | ${program} get\` by hand to see why it fails; it is tried again by itself.`,
  });
}
