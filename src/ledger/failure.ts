/** What LMDB and the file system say, as errors of ours. */
import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { TallymanError } from '../error/tallyman-error.ts';

/** The failure of a file that holds something else than a ledger, or not all of it. */
export function damaged(file: string, found: string): TallymanError {
  return new TallymanError('LedgerUnavailable', `Cannot use ledger "${file}": ${found}, a whole ledger was wanted`, {
    remedy: `Stop Tallyman and put a backup of "${file}" in its place, or remove it with its "-lock": all tags begin anew then.`,
  });
}

/** LMDB's own codes for files that it cannot make sense of (lmdb.h): PAGE_NOTFOUND, CORRUPTED, PANIC, VERSION_MISMATCH, INVALID. */
const damagedCodes: readonly unknown[] = [-30797, -30796, -30795, -30794, -30793];

/** MDB_MAP_FULL. */
const mapFull = -30792;

/** Errors as LMDB throws them (numbers) and as Node does (names). */
const found: Readonly<Record<string, string>> = {
  '5': 'the disk failed or is full',
  '27': 'the file may grow no further',
  '28': 'the disk is full',
  '13': 'access is denied',
  '30': 'the file system is read-only',
  '-30790': 'too many processes read it',
  EACCES: 'access is denied',
  EPERM: 'access is denied',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the quota is used up',
  EFBIG: 'the file may grow no further',
  ENOTDIR: 'a part of the path is no folder',
  EEXIST: 'a part of the path is no folder',
};

/** The failure of opening, reading or writing the file. */
export function toLedgerFailure(file: string, verb: 'open' | 'read' | 'write', cause: unknown): TallymanError {
  if (cause instanceof TallymanError) return cause;
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  if (damagedCodes.includes(code)) return damaged(file, 'LMDB finds pages that are none');
  if (code === mapFull)
    return new TallymanError('LedgerUnavailable', `Cannot ${verb} ledger "${file}": it has reached its greatest size`, {
      remedy: `Stop Tallyman and remove "${file}" with its "-lock": all tags begin anew then.`,
      cause,
    });
  const known = found[String(code)] ?? `it failed (${String(code ?? 'unknown fault')})`;
  const space = verb === 'write' ? describeSpace(file) : '';
  return new TallymanError('LedgerUnavailable', `Cannot ${verb} ledger "${file}": ${known}${space}`, {
    remedy:
      'Make the folder of `stateDir` in the configuration writable, with free space; it is tried again by itself.',
    cause,
  });
}

function describeSpace(file: string): string {
  try {
    const { bavail, bsize } = statfsSync(dirname(file));
    return `, ${Math.floor((bavail * bsize) / 1e6)} MB are free there`;
  } catch {
    // Only an addition to what is told anyway.
    return '';
  }
}
