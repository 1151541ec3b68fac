/** Gitea's configuration for tests: everything under one folder, nothing to the outside, and quick rather than safe. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';

/** What differs from one Gitea to the next. */
export interface GiteaSettings {
  /** Holds all that it writes. */
  readonly folder: string;
  /** Holds its templates and other files that it reads. */
  readonly staticFolder: string;
  readonly port: number;
  /** What it says its own address is; undefined: whatever the client calls it. */
  readonly rootUrl: string | undefined;
  readonly ssh: { readonly port: number; readonly hostKeyFile: string } | undefined;
}

type Section = Readonly<Record<string, string | number | boolean>>;

/** The text of `app.ini`. Source: Gitea's "Configuration Cheat Sheet". */
export function formatGiteaConfig(settings: GiteaSettings): string {
  const { folder } = settings;
  const sections: Readonly<Record<string, Section>> = {
    server: { ...planServer(settings), ...planSsh(settings) },
    database: {
      DB_TYPE: 'sqlite3',
      PATH: join(folder, 'gitea.db'),
      // The value ends up in a list of SQLite's parameters, so it can bring another: no waiting for the disk.
      SQLITE_JOURNAL_MODE: 'MEMORY&_synchronous=OFF',
      SQLITE_TIMEOUT: 20_000,
    },
    security: {
      INSTALL_LOCK: true,
      SECRET_KEY: randomBytes(16).toString('hex'),
      INTERNAL_TOKEN: randomBytes(16).toString('hex'),
      // One round: each request that signs in with a password would take 20 ms otherwise.
      PASSWORD_HASH_ALGO: 'pbkdf2$1$50',
    },
    oauth2: { JWT_SECRET: randomBytes(32).toString('base64url') },
    log: { MODE: 'file', ROOT_PATH: join(folder, 'log'), LEVEL: 'Info' },
    service: { DISABLE_REGISTRATION: true },
    mailer: { ENABLED: false },
    packages: { ENABLED: true },
    actions: { ENABLED: false },
    webhook: { ALLOWED_HOST_LIST: 'loopback', DELIVER_TIMEOUT: 5 },
    // The rest makes it start sooner.
    cron: { ENABLED: false },
    indexer: { ISSUE_INDEXER_TYPE: 'db' },
    queue: { TYPE: 'channel' },
    i18n: { LANGS: 'en-US', NAMES: 'English' },
  };
  const texts = Object.entries(sections).map(([name, section]) => `[${name}]\n${formatSection(section)}`);
  // Without it, Gitea does not start as root, which is who runs many a container.
  return [formatSection({ WORK_PATH: folder, I_AM_BEING_UNSAFE_RUNNING_AS_ROOT: true }), ...texts].join('\n');
}

function planServer({ folder, staticFolder, port, rootUrl }: GiteaSettings): Section {
  return {
    PROTOCOL: 'http',
    HTTP_ADDR: '127.0.0.1',
    HTTP_PORT: port,
    ROOT_URL: rootUrl ?? `http://127.0.0.1:${port}/`,
    // Its default goes by the Host header, older versions by ROOT_URL alone.
    PUBLIC_URL_DETECTION: rootUrl === undefined ? 'auto' : 'never',
    STATIC_ROOT_PATH: staticFolder,
    APP_DATA_PATH: join(folder, 'data'),
    OFFLINE_MODE: true,
    LFS_START_SERVER: false,
  };
}

/** Its own SSH server, which knows its users from the database: no file of this machine's user is touched. */
function planSsh({ folder, ssh }: GiteaSettings): Section {
  const files = { SSH_ROOT_PATH: join(folder, 'ssh'), SSH_CREATE_AUTHORIZED_KEYS_FILE: false };
  if (ssh === undefined) return { DISABLE_SSH: true, ...files };
  return {
    ...files,
    DISABLE_SSH: false,
    START_SSH_SERVER: true,
    BUILTIN_SSH_SERVER_USER: 'git',
    SSH_DOMAIN: '127.0.0.1',
    SSH_LISTEN_HOST: '127.0.0.1',
    SSH_LISTEN_PORT: ssh.port,
    SSH_PORT: ssh.port,
    SSH_SERVER_HOST_KEYS: ssh.hostKeyFile,
  };
}

function formatSection(section: Section): string {
  return Object.entries(section)
    .map(([key, value]) => `${key} = ${value}\n`)
    .join('');
}
