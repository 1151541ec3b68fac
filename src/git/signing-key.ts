import { TallymanError } from '../error/tallyman-error.ts';

/** A private key as it lies in its file. */
export interface SigningKey {
  /** The file's name, for messages; they never hold anything of the rest. */
  readonly file: string;
  readonly text: string;
  readonly passphrase: string | undefined;
}

/** The failure of a key that cannot sign. The library's own error is left out: it can repeat parts of the key. */
export function keyInvalid(file: string, found: string, wanted: string): TallymanError {
  return new TallymanError('ConfigInvalid', `Cannot sign commits with "${file}": ${found}, ${wanted} was wanted`, {
    remedy: 'Correct `commit.signing` in the configuration, or the files or the Secret that it names.',
  });
}

/** The failure of a key that its passphrase did not open. */
export function keyLocked({ file, passphrase }: SigningKey): TallymanError {
  return passphrase === undefined
    ? keyInvalid(
        file,
        'the key is locked and no passphrase is given',
        '`passphraseFile`, `passphraseEnv` or the key `passphrase` of a Secret',
      )
    : keyInvalid(file, 'the passphrase does not open it', "the key's own passphrase");
}
