/** What a pull request says: every change for people, and the lines that are Tallyman's memory for squash merges. */

import { formatResumeMark } from '../hold/marks.ts';

/** One change as the pull request lists it. Texts may be anybody's. */
export interface ListedChange {
  readonly policy: string;
  /** Undefined where there was no version. */
  readonly from: string | undefined;
  readonly to: string;
  readonly files: readonly string[];
}

/** GitLab and Gitea take 255 characters, GitHub 256. */
const maxTitleChars = 250;
/** GitHub takes 65,536; what is added later has room behind it. */
const maxBodyChars = 60_000;
const maxGrownChars = 65_000;
const maxListed = 200;

/** Stands in a body that has no room for all of its lines: the rest is in the commit alone. */
const cutLine = 'More changes are in the commit.';

/** Whether the commit's message has more lines than the body. */
export function isCut(body: string): boolean {
  return body.includes(cutLine);
}

/**
 * Title and body for a commit's message (subject, paragraphs, trailers). Whatever others wrote stands in code spans, in which
 * no forge finds markup, links, or people to be told.
 */
export function formatPullRequest(message: string, changes: readonly ListedChange[]): { title: string; body: string } {
  const [subject = ''] = message.split('\n', 1);
  const trailers = (message.trimEnd().split('\n\n').at(-1) ?? '').split('\n');
  const list = changes.slice(0, maxListed).map(formatLine);
  const intro = 'Merging this writes the versions below; closing it keeps them from being proposed again.';
  const sources = trailers.flatMap((line) => /^Tallyman-Source: (.+)$/.exec(line)?.[1] ?? []).slice(0, maxListed);
  const origins = sources.length === 0 ? [] : [`By their publishers' word from ${sources.map(formatCode).join(', ')}.`];
  const head = [intro, list.join('\n'), ...origins];
  const roomChars = maxBodyChars - head.join('\n\n').length;
  const fitting = takeFitting(trailers, roomChars);
  const isWhole = changes.length <= maxListed && fitting.length === trailers.length;
  const fence = `\`\`\`text\n${fitting.join('\n')}\n\`\`\``;
  const body = [...head, ...(isWhole ? [] : [cutLine]), fence].join('\n\n');
  return { title: subject.length > maxTitleChars ? `${subject.slice(0, maxTitleChars - 1)}…` : subject, body };
}

function formatLine({ policy, from, to, files }: ListedChange): string {
  const version = from === undefined ? formatCode(to) : `${formatCode(from)} → ${formatCode(to)}`;
  const [file = ''] = files;
  const where = files.length === 1 ? formatCode(file) : `${files.length} files`;
  return `- ${formatCode(policy)}: ${version} in ${where}`;
}

/**
 * The text as a code span of Markdown. Source: CommonMark, "Code spans": it ends at as many backticks as it began with.
 *
 * @example
 * formatCode('a `b` @all') // '`` a `b` @all ``'
 */
export function formatCode(text: string): string {
  const line = text.replace(/\s+/g, ' ').slice(0, 300);
  const longest = Math.max(0, ...[...line.matchAll(/`+/g)].map(([run]) => run.length));
  if (longest === 0) return `\`${line}\``;
  const fence = '`'.repeat(longest + 1);
  return `${fence} ${line} ${fence}`;
}

/** The last line, the plan's id, is always among them. */
function takeFitting(lines: readonly string[], maxChars: number): readonly string[] {
  const last = lines.at(-1) ?? '';
  let left = maxChars - last.length;
  const fitting = lines.slice(0, -1).filter((line) => {
    left -= line.length + 1;
    return left >= 0;
  });
  return [...fitting, last];
}

const overLine = 'Tallyman-Closed: obsolete';

/** The body of a pull request that is closed because nothing of it is wanted any more. */
export function markOver(body: string): string {
  return addLine(body, overLine);
}

/** The body of a closed pull request that holds no version of the policy any more. */
export function markResumed(body: string, policy: string): string {
  return addLine(body, formatResumeMark(policy));
}

/** Where there is no room for the line, the first lines of the body give way: what they told is in the commit too. */
function addLine(body: string, line: string): string {
  const lines = body.trimEnd().split(/\r?\n/);
  if (lines.includes(line)) return body;
  const added = `\n\n\`\`\`text\n${line}\n\`\`\`\n`;
  const grown = `${body.trimEnd()}${added}`;
  if (grown.length <= maxGrownChars) return grown;
  const ours = lines.filter((one) => isMark(one));
  const block = takeLast(ours, maxGrownChars - added.length - cutLine.length - 20);
  return `${cutLine}\n\n\`\`\`text\n${block.join('\n')}\n\`\`\`${added}`;
}

/** As many of the last lines as fit. */
function takeLast(lines: readonly string[], maxChars: number): readonly string[] {
  let left = maxChars;
  const first = lines.findLastIndex((line) => {
    left -= line.length + 1;
    return left < 0;
  });
  return lines.slice(first + 1);
}

function isMark(line: string): boolean {
  return /^Tallyman-[A-Z][a-z]+: /.test(line);
}

/** Whether Tallyman closed it: that holds no version. */
export function isOver(body: string): boolean {
  return body.split(/\r?\n/).includes(overLine);
}
