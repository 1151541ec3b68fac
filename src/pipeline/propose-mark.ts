/** Tells a commit that Tallyman put on a branch of its own from one that a person made of it. */
import { createHash } from 'node:crypto';
import { formatHeldMark, formatKeptMark, readMarks } from '../hold/marks.ts';
import type { OwnCommit } from '../propose/plan-proposals.ts';
import type { CommitInfo, Snapshot } from './ports.ts';

const name = 'Tallyman-Branch';
const pattern = /^Tallyman-Branch: ([0-9a-f]{40}) ([0-9a-f]{40})$/m;

/** What a commit on a branch is made of. */
interface Made {
  readonly message: string;
  readonly parent: string;
  /** All its files. */
  readonly tree: string;
  readonly whenMs: number;
}

/**
 * 40 hexadecimal digits for what a proposal was made of: the bytes that its files have in the snapshot, and what its message
 * carries of earlier versions, which changes when a person takes one away in another file.
 */
export function identifyBase(
  snapshot: Snapshot,
  { paths, message }: { paths: ReadonlySet<string>; message: string },
): string {
  const facts = snapshot.files.filter(({ path }) => paths.has(path)).map(({ path, oid }) => `${oid} ${path}`);
  const { held = [], kept = [] } = readMarks(message) ?? {};
  const carried = [...held.map(formatHeldMark), ...kept.map(formatKeptMark)];
  return hash([...facts, ...carried].sort());
}

/**
 * The message with one more trailer: of what files the change was made, and a seal over the message, the parent, the
 * files and the second. Who amends, rebases or rewords the commit with git breaks the seal, whatever dates they give it.
 */
export function sealMessage({ message, parent, tree, whenMs }: Made, files: string): string {
  const plain = message.trimEnd();
  return `${plain}\n${name}: ${files} ${seal({ message: plain, parent, tree, whenMs }, files)}\n`;
}

/** What one of our commits says; undefined for any other, also for ours with somebody's commit on top. */
export function readOwnCommit({ message, parents, tree, whenMs }: CommitInfo): OwnCommit | undefined {
  const [line, files, sealed] = pattern.exec(message) ?? [];
  const [parent, ...more] = parents;
  if (line === undefined || files === undefined || parent === undefined || more.length > 0) return undefined;
  const plain = message.replace(line, '').trimEnd();
  if (seal({ message: plain, parent, tree, whenMs }, files) !== sealed) return undefined;
  const marks = readMarks(plain);
  const plan = marks?.plans.at(-1);
  if (marks === undefined || plan === undefined) return undefined;
  return { plan, files, policies: [...new Set(marks.updates.map(({ policy }) => policy))] };
}

function seal({ message, parent, tree, whenMs }: Made, files: string): string {
  return hash([message, parent, tree, String(Math.floor(whenMs / 1000)), files]);
}

function hash(facts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(facts)).digest('hex').slice(0, 40);
}
