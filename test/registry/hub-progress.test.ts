import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TallymanError } from '../../src/error/tallyman-error.ts';
import type { HubPage } from '../../src/registry/hub-page.ts';
import { noProgress, readOn } from '../../src/registry/hub-progress.ts';

/** Pages of two tags each, newest first, of which `brokenPage` fails; `asked` are the pages read. */
function openPages(
  names: readonly string[],
  brokenPage?: number,
  code: 'ImageNotFound' | 'RegistryInvalid' = 'RegistryInvalid',
) {
  const asked: number[] = [];
  const readPage = async (page: number): Promise<HubPage> => {
    asked.push(page);
    if (page === brokenPage) throw new TallymanError(code, 'Cannot read: no page, one was wanted');
    const entries = names.slice((page - 1) * 2, page * 2).map((tag) => ({ tag, pushedMs: Number(tag.slice(1)) }));
    return { entries, isLast: page * 2 >= names.length };
  };
  return { asked, readPage };
}

const names = ['t9', 't8', 't7', 't6', 't5', 't4', 't3', 't2'];
const all = new Set(names);

describe('readOn', () => {
  it('goes on one page before where it was cut off', async () => {
    const broken = openPages(names, 4);
    const { progress, fault } = await readOn(noProgress, all, broken.readPage);
    assert.ok(fault instanceof TallymanError);
    assert.deepEqual([progress.times.size, progress.openPage], [6, 4]);
    const whole = openPages(names);
    const second = await readOn(progress, all, whole.readPage);
    assert.deepEqual(whole.asked, [1, 3, 4]);
    assert.deepEqual([second.progress.times.size, second.progress.openPage], [8, undefined]);
  });

  it('forgets nothing where the first page fails', async () => {
    const { progress } = await readOn(noProgress, all, openPages(names, 4).readPage);
    assert.deepEqual((await readOn(progress, all, openPages(names, 1).readPage)).progress, progress);
  });

  it('reads all again where the page to go on at is gone', async () => {
    const { progress } = await readOn(noProgress, all, openPages(names, 4).readPage);
    const gone = await readOn(progress, all, openPages(names, 3, 'ImageNotFound').readPage);
    assert.equal(gone.progress.openPage, undefined);
    const whole = openPages(names);
    await readOn(gone.progress, all, whole.readPage);
    assert.deepEqual(whole.asked, [1, 2, 3, 4]);
  });

  it('does not take what a cut look left unread for known', async () => {
    const { progress } = await readOn(noProgress, all, openPages(names).readPage);
    const grown = ['t20', 't19', 't18', 't17', ...names];
    const tags = new Set(grown);
    const cut = await readOn(progress, tags, openPages(grown, 2).readPage);
    const whole = openPages(grown);
    const { times } = (await readOn(cut.progress, tags, whole.readPage)).progress;
    assert.equal(times.size, 12);
    assert.deepEqual(whole.asked, [1, 2, 3]);
  });

  it('keeps no time of a tag that is not listed, and reads past signatures', async () => {
    const signed = ['t9', 's8', 's7', 's6', 't5', 't4'];
    const tags = new Set(['t9', 't5', 't4']);
    const { progress } = await readOn(noProgress, tags, openPages(signed).readPage);
    assert.deepEqual([...progress.times.keys()], ['t9', 't5', 't4']);
    const later = openPages(['s12', 's11', ...signed]);
    await readOn(progress, new Set(['t5', 't4']), later.readPage);
    assert.deepEqual(later.asked, [1, 2, 3, 4]);
  });
});
