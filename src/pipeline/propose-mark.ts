/** Tells a commit that Tallyman put on a branch of its own from one that a person made of it. */
import { createHash } from 'node:crypto';
import { readMarks } from '../hold/marks.ts';
import type { OwnCommit } from '../propose/plan-proposals.ts';
import type { CommitInfo, Snapshot } from './ports.ts';

const name = 'Tallyman-Branch';
const pattern = /^Tallyman-Branch: ([0-9a-f]{40}) ([0-9a-f]{40})$/m;

/** What a commit on a branch is made of. */
interface Made {
  readonly message: string;
  readonly parent: string;
  readonly whenMs: number;
}

/** 40 hexadecimal digits for the bytes that these files have in the snapshot. */
export function identifyFiles(snapshot: Snapshot, paths: ReadonlySet<string>): string {
  const facts = snapshot.files.filter(({ path }) => paths.has(path)).map(({ path, oid }) => `${oid} ${path}`);
  return hash(facts.sort());
}

/**
 * The message with one more trailer: of what files the change was made, and a seal over the message, the parent and the
 * second. Who amends, rebases or rewords the commit with git breaks the seal.
 */
export function sealMessage({ message, parent, whenMs }: Made, files: string): string {
  const plain = message.trimEnd();
  return `${plain}\n${name}: ${files} ${seal({ message: plain, parent, whenMs }, files)}\n`;
}

/** What one of our commits says; undefined for any other, also for ours with somebody's commit on top. */
export function readOwnCommit({ message, parents, whenMs }: CommitInfo): OwnCommit | undefined {
  const [line, files, sealed] = pattern.exec(message) ?? [];
  const [parent, ...more] = parents;
  if (line === undefined || files === undefined || parent === undefined || more.length > 0) return undefined;
  const plain = message.replace(line, '').trimEnd();
  if (seal({ message: plain, parent, whenMs }, files) !== sealed) return undefined;
  const marks = readMarks(plain);
  const plan = marks?.plans.at(-1);
  if (marks === undefined || plan === undefined) return undefined;
  return { plan, files, policies: [...new Set(marks.updates.map(({ policy }) => policy))] };
}

function seal({ message, parent, whenMs }: Made, files: string): string {
  return hash([message, parent, String(Math.floor(whenMs / 1000)), files]);
}

function hash(facts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(facts)).digest('hex').slice(0, 40);
}
