/** Keys that ssh-keygen and gpg make for one test, and what git says of the commits that they signed. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TallymanError } from '../../src/error/tallyman-error.ts';
import { createCommitSigner, type SignCommit, type SigningFormat } from '../../src/git/sign-commit.ts';
import { runGit } from '../services/git-server.ts';

export const email = 'tallyman@example.com';

export interface SshKeyOptions {
  readonly type: string;
  readonly bits?: number | undefined;
  readonly passphrase?: string | undefined;
  /** `RFC4716` is OpenSSH's own. */
  readonly format?: 'RFC4716' | 'PEM' | 'PKCS8' | undefined;
}

/** A new key pair `<folder>/<name>` and `.pub`; gives the private key's path. */
export function makeSshKey(folder: string, options: SshKeyOptions, name = 'key'): string {
  const file = join(folder, name);
  const { type, bits, passphrase = '', format = 'RFC4716' } = options;
  const size = bits === undefined ? [] : ['-b', String(bits)];
  const args = ['-q', '-t', type, ...size, '-N', passphrase, '-a', '1', '-m', format, '-C', email, '-f', file];
  execFileSync('ssh-keygen', args, { stdio: ['ignore', 'pipe', 'pipe'] });
  return file;
}

/** The file with which git and ssh-keygen know the key; gives its path. */
export function allowSigner(keyFile: string): string {
  const file = `${keyFile}.allowed`;
  writeFileSync(file, `${email} namespaces="git" ${readFileSync(`${keyFile}.pub`, 'utf8')}`);
  return file;
}

/** Runs with a folder for GnuPG's keys and agent; the agent is ended afterwards. */
export async function withGpgHome(run: (gpg: Gpg) => Promise<void>): Promise<void> {
  // Sockets have short names: not below the test's own folder.
  const home = mkdtempSync(join(tmpdir(), 'tm-gpg-'));
  try {
    await run(createGpg(home));
  } finally {
    spawnSync('gpgconf', ['--kill', 'all'], { env: { ...process.env, GNUPGHOME: home } });
    rmSync(home, { recursive: true, force: true });
  }
}

export interface Gpg {
  readonly home: string;
  /** Standard output of `gpg …`; the passphrase is that of the keys. */
  run(args: readonly string[], options?: { passphrase?: string; nowSeconds?: number; input?: string }): string;
  /** The main key's fingerprint of the only key pair. */
  fingerprint(): string;
}

function createGpg(home: string): Gpg {
  // As many rounds as fit into 100 ms, by default, and again for each export.
  writeFileSync(join(home, 'gpg-agent.conf'), 's2k-count 65536\n');
  const run: Gpg['run'] = (args, { passphrase = '', nowSeconds, input } = {}) => {
    const time = nowSeconds === undefined ? [] : [`--faked-system-time=${nowSeconds}!`];
    const all = ['--batch', '--yes', '--no-tty', '--pinentry-mode', 'loopback', '--passphrase', passphrase, ...time];
    const options = { env: { PATH: process.env.PATH, GNUPGHOME: home, LC_ALL: 'C' }, input, stdio: 'pipe' } as const;
    return execFileSync('gpg', [...all, ...args], options).toString('utf8');
  };
  return {
    home,
    run,
    fingerprint: () => /^fpr:+([0-9A-F]{40}):/m.exec(run(['--list-keys', '--with-colons']))?.[1] ?? '',
  };
}

/** A signer with a key that does not change. */
export function signerOf(format: SigningFormat, text: string, passphrase?: string): SignCommit {
  return createCommitSigner(format, () => ({ file: '/keys/signing', text, passphrase }));
}

/** The refusal of a key: `ConfigInvalid`, naming the file, with nothing of these secrets and nothing of the library's. */
export async function refusalOf(signing: Promise<string>, secrets: readonly string[] = []): Promise<string> {
  const failure = await signing.then(
    () => assert.fail('a failure was wanted'),
    (error: TallymanError) => error,
  );
  assert.equal(failure.code, 'ConfigInvalid', String(failure.stack));
  assert.match(failure.message, /^Cannot sign commits with "\/keys\/signing": .*, .* was wanted$/);
  const words = `${failure.message} ${failure.remedy} ${failure.stack} ${String(failure.cause)}`;
  for (const secret of secrets.filter((text) => text.length > 3)) assert.ok(!words.includes(secret), words);
  return failure.message.replace(/^.*?": /, '');
}

/** What git says of a commit's signature, from both its outputs; throws where it is not good. */
export function verifyCommit(repo: string, commit: string, known: { allowed: string } | { gpg: Gpg }): string {
  const ssh = 'allowed' in known ? ['gpg.format=ssh', `gpg.ssh.allowedSignersFile=${known.allowed}`] : [];
  const env = {
    PATH: process.env.PATH,
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_CONFIG_NOSYSTEM: '1',
    LC_ALL: 'C',
    ...('gpg' in known && { GNUPGHOME: known.gpg.home }),
  };
  const settings = ssh.flatMap((setting) => ['-c', setting]);
  const run = (args: readonly string[]) => spawnSync('git', [...settings, ...args], { cwd: repo, env });
  const { status, stderr } = run(['verify-commit', '--raw', commit]);
  assert.equal(status, 0, stderr.toString());
  runGit(repo, ['fsck', '--strict']);
  const log = run(['log', '-1', '--show-signature', '--format=%G?%n%GS%n%B', commit]);
  assert.equal(log.status, 0);
  return `${stderr}${log.stdout}${log.stderr}`;
}

/** A folder of its own below another one. */
export function makeFolder(parent: string, name: string): string {
  mkdirSync(join(parent, name));
  return join(parent, name);
}
