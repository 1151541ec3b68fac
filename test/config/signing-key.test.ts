import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { parseConfig } from '../../src/config/load-config.ts';
import { readSigningKey } from '../../src/config/read-secret.ts';
import { placesOf } from './secret-places.ts';

const folder = mkdtempSync(join(tmpdir(), 'tallyman-signing-'));
after(() => rmSync(folder, { recursive: true }));

const problemsOf = (signing: string): string => {
  const result = parseConfig(`commit: { signing: ${signing} }`, 'c.yaml');
  return 'problems' in result ? result.problems.map((problem) => problem.message).join('\n') : '';
};

describe('commit.signing', () => {
  it('takes a key file alone, or with one source of the passphrase', () => {
    assert.equal(problemsOf('{ format: ssh, keyFile: k }'), '');
    assert.equal(problemsOf('{ format: openpgp, keyFile: k, passphraseFile: p }'), '');
    assert.equal(problemsOf('{ format: openpgp, keyFile: k, passphraseEnv: P }'), '');
  });

  it('refuses both sources, another format, and no key file', () => {
    assert.match(
      problemsOf('{ format: ssh, keyFile: k, passphraseFile: p, passphraseEnv: P }'),
      /at most one of passphraseFile and passphraseEnv/,
    );
    assert.match(problemsOf('{ format: x509, keyFile: k }'), /commit\.signing\.format/);
    assert.match(problemsOf('{ format: ssh }'), /commit\.signing": .*exactly one of keyFile and secret/);
  });
});

describe('readSigningKey', () => {
  const keyFile = join(folder, 'key');
  const passphraseFile = join(folder, 'phrase');

  it('gives the text as it is now, and the passphrase without the line end', () => {
    writeFileSync(keyFile, 'KEY 1\n');
    writeFileSync(passphraseFile, ' größe \n');
    const signing = { format: 'ssh', keyFile, passphraseFile } as const;
    assert.deepEqual(readSigningKey(signing, placesOf()), { file: keyFile, text: 'KEY 1\n', passphrase: ' größe ' });
    writeFileSync(keyFile, 'KEY 2\n');
    assert.equal(readSigningKey(signing, placesOf()).text, 'KEY 2\n');
    assert.equal(readSigningKey({ format: 'ssh', keyFile }, placesOf()).passphrase, undefined);
    assert.equal(readSigningKey({ format: 'ssh', keyFile, passphraseEnv: 'P' }, placesOf({ P: 'a' })).passphrase, 'a');
  });

  it('names what is missing, and shows nothing of the rest', () => {
    writeFileSync(keyFile, 'SECRET');
    writeFileSync(passphraseFile, '\n');
    const refused = (signing: object, wanted: RegExp) =>
      assert.throws(() => readSigningKey({ format: 'ssh', keyFile, ...signing }, placesOf()), {
        code: 'ConfigInvalid',
        message: wanted,
      });
    refused({ keyFile: join(folder, 'none') }, /Cannot read signing key file ".*none": ENOENT/);
    refused({ passphraseFile: join(folder, 'none') }, /Cannot read secret file ".*none": ENOENT/);
    refused({ passphraseFile }, /^Cannot read the passphrase of ".*key": file ".*phrase" is empty or missing/);
    refused({ passphraseEnv: 'P' }, /environment variable "P" is empty or missing, a passphrase was wanted/);
  });
});
