/** What a daemon tells of itself, as Prometheus reads it. */
import assert from 'node:assert/strict';
import { waitUntil } from '../wait-until.ts';

/** By name and labels, as they stand in the line. */
export type Metrics = ReadonlyMap<string, number>;

async function scrape(url: string): Promise<Metrics> {
  const answer = await fetch(`${url}/metrics`);
  assert.equal(answer.status, 200);
  assert.match(answer.headers.get('content-type') ?? '', /^text\/plain/);
  const lines = (await answer.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(lines.map((line) => [line.replace(/ [^ ]*$/, ''), Number(line.replace(/^.* /, ''))]));
}

/** Scrapes all of them until it holds; what they told then. */
export async function scrapeUntil<Urls extends readonly string[]>(
  urls: Urls,
  holds: (...all: { [Index in keyof Urls]: Metrics }) => boolean,
): Promise<{ [Index in keyof Urls]: Metrics }> {
  let all: readonly Metrics[] = [];
  const own = (): string => JSON.stringify(all.map((one) => [...one].filter(([key]) => key.startsWith('tallyman'))));
  await waitUntil(
    async () => {
      all = await Promise.all(urls.map(scrape));
      return holds(...(all as { [Index in keyof Urls]: Metrics }));
    },
    { timeoutMs: 30_000, tell: own },
  );
  return all as { [Index in keyof Urls]: Metrics };
}
