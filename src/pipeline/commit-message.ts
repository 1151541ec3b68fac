/** What a commit says: a subject for people, every change, and trailers that are Tallyman's memory inside Git. */
import { createHash } from 'node:crypto';
import { type Edit, listUpdates, type Update } from '../edit/plan.ts';
import { printable } from '../error/printable.ts';
import type { Hold } from '../hold/hold.ts';
import { formatBaseMark, formatHeldMark, formatKeptMark, formatUpdateMark, type UpdateMark } from '../hold/marks.ts';

/** Where an image's source is, as its publisher's annotations say. `{ url: 'https://github.com/acme/web', revision: '3f2c…' }` */
export interface ImageSource {
  readonly url: string;
  readonly revision: string | undefined;
}

/** What a message may say besides the changes. */
export interface MessageFacts {
  /** By `image:version`. */
  readonly sources: ReadonlyMap<string, ImageSource>;
  /** By the keys of policies, those that a person holds: their versions are carried along. */
  readonly holds?: ReadonlyMap<string, Hold> | undefined;
  /** What was written earlier and stands in places that the edits leave alone. */
  readonly kept?: readonly UpdateMark[] | undefined;
  /** The commit that the edits were planned for, whose past is known. */
  readonly base?: string | undefined;
}

/** The whole message. Trailers as `git interpret-trailers` reads them. */
export function formatCommitMessage(edits: readonly Edit[], { sources, holds, kept = [], base }: MessageFacts): string {
  const updates = listUpdates(edits);
  const lines = updates.map((update) => `- ${formatChange(update)} in ${countPlaces(edits, update)}`);
  const from = [...new Set(updates.flatMap(({ image, to }) => formatSource(sources.get(`${image}:${to}`)) ?? []))];
  const policies = [...new Set(updates.map(({ policy }) => policy))];
  const held = policies.flatMap((policy) =>
    (holds?.get(policy)?.versions ?? []).map(({ version }) => ({ policy, version })),
  );
  const trailers = [
    ...(base === undefined ? [] : [formatBaseMark(base)]),
    ...updates.map(formatUpdateMark),
    ...held.map(formatHeldMark),
    ...kept.map(formatKeptMark),
    ...from.map((source) => `Tallyman-Source: ${source}`),
    `Tallyman-Plan: ${identifyPlan(edits)}`,
  ];
  return `${formatSubject(updates)}\n\n${lines.join('\n')}\n\n${trailers.join('\n')}\n`;
}

/** The same edits have the same id, whoever planned them and when: 40 hexadecimal digits of a SHA-256. */
export function identifyPlan(edits: readonly Edit[]): string {
  const facts = edits.map(({ file, start, end, oldText, newText }) => [file, start, end, oldText, newText]);
  return createHash('sha256')
    .update(JSON.stringify(facts.sort(compareEdits)))
    .digest('hex')
    .slice(0, 40);
}

function compareEdits(a: readonly (string | number)[], b: readonly (string | number)[]): number {
  const [left, right] = [`${a[0]}`, `${b[0]}`];
  return left === right ? Number(a[1]) - Number(b[1]) : left < right ? -1 : 1;
}

/** The source that annotations name, if it is an address that may be shown: they are written by the image's publisher. */
export function readImageSource(annotations: Readonly<Record<string, string>>): ImageSource | undefined {
  const text = annotations['org.opencontainers.image.source'];
  if (text === undefined || text.length > 300 || !URL.canParse(text)) return undefined;
  const url = new URL(text);
  if (!['https:', 'http:'].includes(url.protocol) || url.username !== '' || url.password !== '') return undefined;
  const revision = annotations['org.opencontainers.image.revision'];
  const plain = revision !== undefined && /^[A-Za-z0-9._/-]{1,100}$/.test(revision);
  return { url: `${url.origin}${url.pathname}`, revision: plain ? revision : undefined };
}

function formatSubject(updates: readonly Update[]): string {
  const [first] = updates;
  if (updates.length === 1 && first !== undefined) return formatChange(first);
  return `Update ${new Set(updates.map((update) => update.image)).size} images`;
}

function formatChange({ policy, from, to }: Update): string {
  return `${policy}: ${from === undefined ? to : `${shorten(from)} → ${shorten(to)}`}`;
}

/** A digest's first twelve digits are enough for people; the trailer has them all. */
function shorten(version: string): string {
  return printable(version, 200).replace(/(sha(?:256|384|512):[0-9a-f]{12})[0-9a-f]+$/, '$1');
}

function countPlaces(edits: readonly Edit[], update: Update): string {
  const places = edits.filter((edit) => edit.update.policy === update.policy && edit.update.from === update.from);
  const files = [...new Set(places.map((edit) => edit.file))];
  return files.length === 1 ? printable(files[0] ?? '', 300) : `${files.length} files`;
}

function formatSource(source: ImageSource | undefined): string | undefined {
  if (source === undefined) return undefined;
  return source.revision === undefined ? source.url : `${source.url}@${source.revision}`;
}
