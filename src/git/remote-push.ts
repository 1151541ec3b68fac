/** Moves branches of a remote, each only from where it is known to be. */
import { TallymanError } from '../error/tallyman-error.ts';
import type { BranchPush, NewCommit, PushOutcome } from '../pipeline/ports.ts';
import { formatBranchRef, showBranch } from './branch.ts';
import { type BuiltCommit, buildCommit } from './commit.ts';
import { pushRejected } from './errors.ts';
import type { Accepted, KeptClone } from './kept-clone.ts';
import { type FormattedPack, formatPack } from './pack-write.ts';
import type { RemoteRefs } from './remote-refs.ts';
import { advertisePush, type PushAnswer, type PushRequest, sendPack } from './send-pack.ts';
import type { SignCommit } from './sign-commit.ts';
import type { GitTransport } from './transport.ts';
import type { Log } from './yaml-repo.ts';

export interface Remote {
  readonly transport: GitTransport;
  readonly refs: RemoteRefs;
  readonly clone: KeptClone;
  readonly sign: SignCommit | undefined;
  /** Sent with each commit. */
  readonly pushOptions: readonly string[];
  readonly log: Log;
}

interface Pushing {
  readonly commit: NewCommit;
  readonly ref: string;
  readonly signal: AbortSignal;
}

/** Pushes on top of the watched branch, and keeps the commit in the clone. */
export async function pushCommit(remote: Remote, { commit, ref, signal }: Pushing): Promise<PushOutcome> {
  const { refs, capabilities } = await advertisePush(remote.transport, { signal });
  if (refs.get(ref) !== commit.base.commit) return { kind: 'moved' };
  const options = checkOptions(remote, ref, capabilities);
  const { built, formatted } = await build(remote, commit);
  const request = { ref, from: built.base, to: built.oid, pack: formatted.pack, capabilities, options };
  if (!(await swapRef(remote, request, signal))) return { kind: 'moved' };
  await keep(remote, { built, pack: formatted, ref }, signal);
  return { kind: 'pushed', commit: built.oid };
}

/** Puts another branch on a new commit. Nothing of it is kept: it is no part of the watched branch. */
export async function pushBranch(
  remote: Remote,
  { branch, expected, commit }: BranchPush,
  signal: AbortSignal,
): Promise<PushOutcome> {
  const ref = formatBranchRef(branch);
  const { refs, capabilities } = await advertisePush(remote.transport, { signal });
  const options = checkOptions(remote, ref, capabilities);
  const { built, formatted } = await build(remote, commit);
  const pushed: PushOutcome = { kind: 'pushed', commit: built.oid };
  // It may be there since a push whose answer was lost.
  if (refs.get(ref) === built.oid) return pushed;
  if (refs.get(ref) !== expected) return { kind: 'moved' };
  const request = { ref, from: expected, to: built.oid, pack: formatted.pack, capabilities, options };
  return (await swapRef(remote, request, signal)) ? pushed : { kind: 'moved' };
}

/** Removes another branch; false where it is not at `expected`. */
export async function deleteBranch(
  remote: Remote,
  { branch, expected }: { branch: string; expected: string },
  signal: AbortSignal,
): Promise<boolean> {
  const ref = formatBranchRef(branch);
  const { refs, capabilities } = await advertisePush(remote.transport, { signal });
  const found = refs.get(ref);
  if (found !== expected) return found === undefined;
  if (!capabilities.has('delete-refs')) throw pushRejected(branch, 'the server lets no branch be deleted');
  return swapRef(remote, { ref, from: expected, to: undefined, pack: undefined, capabilities }, signal);
}

/** The options to be sent; throws `PushRejected` where the server has no place for them. */
function checkOptions({ pushOptions }: Remote, ref: string, capabilities: ReadonlySet<string>): readonly string[] {
  if (pushOptions.length === 0 || capabilities.has('push-options')) return pushOptions;
  throw pushRejected(
    showBranch(ref),
    'the server takes no push options, it must where `pushOptions` are configured',
    'Let the server take them (`git config receive.advertisePushOptions true`), or remove `pushOptions` under `repos`.',
  );
}

async function build(
  { clone, sign }: Remote,
  commit: NewCommit,
): Promise<{ built: BuiltCommit; formatted: FormattedPack }> {
  const built = await buildCommit(commit, clone.objects().find, sign);
  return { built, formatted: formatPack(built.objects) };
}

/** True where the ref is at `to` afterwards, false where it was not at `from` any more. */
async function swapRef(
  { transport, refs }: Remote,
  request: PushRequest & { capabilities: ReadonlySet<string> },
  signal: AbortSignal,
): Promise<boolean> {
  const { ref, from, to } = request;
  // Twice: an answer that is lost on the way is no answer, and the commit has the same id both times.
  for (let last = false; ; last = true) {
    const answer = await sendOrLose(() => sendPack(transport, request, { signal }), signal);
    if (answer.kind === 'refused')
      throw pushRejected(showBranch(ref), `the server said "${answer.reason}"`, answer.remedy);
    const found = answer.kind === 'accepted' ? to : (await refs.fetchRefs(ref, { signal })).get(ref);
    if (found === to) return true;
    if (found !== from) return false;
    if (last && answer.kind === 'lost') throw answer.error;
    if (last && answer.kind === 'moved')
      throw pushRejected(showBranch(ref), `the branch did not move, the server said "${answer.reason}"`);
  }
}

type Answer = PushAnswer | { readonly kind: 'lost'; readonly error: TallymanError };

async function sendOrLose(send: () => Promise<PushAnswer>, signal: AbortSignal): Promise<Answer> {
  try {
    return await send();
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof TallymanError && error.code === 'RepoUnavailable') return { kind: 'lost', error };
    throw error;
  }
}

/** The push has happened: failing to keep a copy of it costs a download, nothing else. */
async function keep({ clone, log, transport }: Remote, accepted: Accepted, signal: AbortSignal): Promise<void> {
  try {
    await clone.add(accepted, { signal });
  } catch (error) {
    log('Cannot keep the pushed commit in the kept clone; it is fetched next time', {
      url: transport.shownUrl,
      found: String(error),
    });
  }
}
