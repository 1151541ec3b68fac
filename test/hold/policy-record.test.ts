import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type MarkedCommit, placeCommits } from '../../src/hold/known-past.ts';
import type { CommitMarks } from '../../src/hold/marks.ts';
import { readPolicyRecord } from '../../src/hold/policy-record.ts';
import { testPolicy } from '../make-policy.ts';

const key = 'shop/web';
const web = testPolicy();
const update = (to: string, policy = key) => ({ policy, image: 'ghcr.io/acme/web', from: '1.0.0', to });
const wrote = (to: string, held: readonly string[] = [], policy = key): Partial<CommitMarks> => ({
  updates: [update(to, policy)],
  held: held.map((version) => ({ policy, version })),
});
const hold = (reason = '', policy = key): Partial<CommitMarks> => ({ holds: [{ policy, reason }] });
const resume: Partial<CommitMarks> = { resumes: [key] };

/** Newest first; ids count down to `c1`. */
const commits = (...marks: readonly Partial<CommitMarks>[]): MarkedCommit[] =>
  marks.map((some, index) => ({
    id: `c${marks.length - index}`,
    whenMs: marks.length - index,
    marks: { updates: [], held: [], kept: [], holds: [], resumes: [], plans: ['12ab'], bases: [], ...some },
  }));

describe('readPolicyRecord', () => {
  interface Expected {
    readonly asked?: string;
    readonly written?: readonly string[];
    readonly kept?: readonly string[];
    readonly carried?: readonly string[];
    readonly since?: string;
    readonly settled: boolean;
  }
  const rows: Record<string, [readonly MarkedCommit[], Expected]> = {
    'nothing where nobody wrote for it': [commits(wrote('2.0.0', [], 'shop/api')), { settled: false }],
    'what the newest commit wrote, and no older one': [
      commits(wrote('1.2.0', ['1.1.0']), wrote('1.1.0', ['0.9.0'])),
      { written: ['1.2.0'], carried: ['1.1.0'], since: 'c2', settled: true },
    ],
    'what one of another branch’s past did not know': [
      commits({ ...wrote('1.2.0'), bases: ['x'] }, wrote('1.1.0', ['1.0.5']), wrote('0.9.0')),
      { written: ['1.1.0', '1.2.0'], carried: ['1.0.5'], since: 'c3 c2', settled: true },
    ],
    'no end where none of them is known to know the past': [
      commits({ ...wrote('1.2.0'), bases: ['x'] }, { ...wrote('1.1.0'), plans: [] }),
      { written: ['1.1.0', '1.2.0'], since: 'c2 c1', settled: false },
    ],
    'what came between the commit that it was made for and its own': [
      commits({ ...wrote('1.2.0'), bases: ['c2'] }, wrote('1.1.0'), wrote('1.0.5'), wrote('0.9.0')),
      { written: ['1.1.0', '1.2.0'], since: 'c4 c3', settled: true },
    ],
    'a hold that came between': [
      commits({ ...wrote('1.2.0'), bases: ['c1'] }, hold('audit'), wrote('1.1.0')),
      { asked: 'c2 audit', settled: true },
    ],
    'the newest hundred of what a message says': [
      commits({ updates: Array.from({ length: 103 }, (_, index) => update(`1.${index}.0`)) }),
      { written: Array.from({ length: 100 }, (_, index) => `1.${index + 3}.0`), since: 'c1', settled: true },
    ],
    'what it left standing first': [
      commits({ ...wrote('1.2.0'), kept: [update('1.1.0'), update('3.0.0', 'shop/api')] }, wrote('1.0.5')),
      { written: ['1.1.0', '1.2.0'], kept: ['1.1.0'], since: 'c2', settled: true },
    ],
    'no version kept of another image, or by a commit that wrote nothing for it': [
      commits(
        { kept: [update('1.9.0')] },
        { ...wrote('1.2.0'), kept: [{ ...update('1.1.0'), image: 'ghcr.io/acme/old' }] },
      ),
      { written: ['1.2.0'], since: 'c1', settled: true },
    ],
    'also behind commits for others': [
      commits(wrote('2.0.0', ['1.9.0'], 'shop/api'), hold('', 'shop/db'), wrote('1.1.0')),
      { written: ['1.1.0'], since: 'c1', settled: true },
    ],
    'nothing of an image that the policy had before': [
      commits({ updates: [{ policy: key, image: 'ghcr.io/acme/old', from: '8.0.0', to: '9.0.0' }] }, wrote('1.1.0')),
      { written: ['1.1.0'], since: 'c1', settled: true },
    ],
    'a hold, without looking further': [commits(hold('audit'), wrote('1.1.0')), { asked: 'c2 audit', settled: true }],
    'the newest of two holds': [commits(hold('b'), hold('a')), { asked: 'c2 b', settled: true }],
    'a hold that was ended, with what counts from before it': [
      commits(resume, hold(), wrote('1.1.0', ['1.0.5'])),
      { written: ['1.1.0'], carried: ['1.0.5'], since: 'c1', settled: true },
    ],
    'nothing lost before the second end behind one hold': [
      commits(resume, resume, hold(), wrote('1.1.0', ['1.0.5'])),
      { written: ['1.1.0'], since: 'c4', settled: true },
    ],
    'no hold where two were ended by one': [
      commits(resume, hold(), hold(), wrote('1.1.0', ['1.0.5'])),
      { written: ['1.1.0'], carried: ['1.0.5'], since: 'c1', settled: true },
    ],
    'what was freed before a hold that was ended': [
      commits(resume, hold(), resume, wrote('1.1.0', ['1.0.5'])),
      { written: ['1.1.0'], since: 'c2', settled: true },
    ],
    'a hold that began again': [commits(hold(), resume, hold(), wrote('1.1.0')), { asked: 'c4', settled: true }],
    'the newest end of several': [
      commits(resume, resume, wrote('1.1.0')),
      { written: ['1.1.0'], since: 'c3', settled: true },
    ],
    'what was written after the end': [
      commits(wrote('1.2.0'), resume, wrote('1.1.0', ['1.0.5'])),
      { written: ['1.2.0'], since: 'c3', settled: true },
    ],
    'nothing yet where only an end was seen': [commits(resume), { settled: false }],
  };
  for (const [name, [chain, expected]] of Object.entries(rows)) {
    it(name, () => {
      const links = chain.map(({ id }) => ({ id, parents: [`c${Number(id.slice(1)) - 1}`] }));
      const placed = placeCommits(chain, links);
      const { asked, written, kept, since, ...rest } = readPolicyRecord(web, { commits: placed, length: chain.length });
      const found = {
        ...rest,
        asked: asked && `${asked.commit} ${asked.reason}`.trim(),
        written: written.map(({ to }) => to),
        kept: kept.map(({ to }) => to),
        since: since.length === 0 ? undefined : since.join(' '),
      };
      assert.deepEqual(found, { asked: undefined, written: [], kept: [], carried: [], since: undefined, ...expected });
    });
  }
});
