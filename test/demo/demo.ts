/** The main job, shown in a few seconds: a registry and a Yaml repo on this machine, the daemon, a new tag, and the commit it makes. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { startRegistryServer } from '../services/registry-server.ts';

const say = (text: string) => process.stdout.write(`${text}\n`);
const folder = mkdtempSync(join(tmpdir(), 'tallyman-demo-'));
const bare = join(folder, 'deploy.git');
const git = (args: readonly string[], options: { input?: string; cwd?: string } = {}): string => {
  const env = { ...process.env, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1' };
  const identity = ['-c', 'user.name=Ann', '-c', 'user.email=ann@example.com'];
  const result = spawnSync('git', [...identity, ...args], { cwd: folder, env, encoding: 'utf8', ...options });
  if (result.status !== 0) throw new Error(`git ${args[0]} failed: ${result.stderr || result.error?.message}`);
  return result.stdout.trim();
};

async function until(done: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!done()) {
    if (Date.now() > deadline) throw new Error(`${what} did not happen within 20 seconds`);
    await wait(20);
  }
}

function makeYamlRepo(image: string): void {
  git(['init', '-q', '--bare', '-b', 'main', bare]);
  git(['clone', '-q', bare, 'work'], {});
  const work = join(folder, 'work');
  writeFileSync(
    join(work, 'policy.yaml'),
    `apiVersion: tallyman.dev/v1alpha1
kind: ImagePolicy
metadata:
  name: web
  namespace: shop
spec:
  image: ${image}
  select:
    semver: ">=1.4.0 <2.0.0"
`,
  );
  writeFileSync(
    join(work, 'web.yaml'),
    `apiVersion: apps/v1
kind: Deployment
metadata:
  name: web   # comments, spacing and quotes stay as they are
spec:
  template:
    spec:
      containers:
        - {name: web, image: '${image}:1.4.2'}
`,
  );
  git(['add', '.'], { cwd: work });
  git(['commit', '-q', '-m', 'Deploy the web shop'], { cwd: work });
  git(['push', '-q', 'origin', 'HEAD:main'], { cwd: work });
}

const registry = await startRegistryServer();
const image = `${registry.host}/acme/web`;
for (const tag of ['1.3.0', '1.4.2', '2.0.0']) registry.publish('acme/web', tag);
makeYamlRepo(image);
const config = join(folder, 'config.yaml');
// What this machine's own `docker login` keeps is nobody's business here.
const settings = [
  'intervalSeconds: 1',
  'credentialSources: []',
  'log: { format: text }',
  `stateDir: ${join(folder, 'state')}`,
];
writeFileSync(config, `${settings.join('\n')}\n`);
say(`A registry at ${registry.url} has acme/web 1.3.0, 1.4.2 and 2.0.0; the Yaml repo ${bare} runs 1.4.2.`);

const script = new URL('../../src/main.ts', import.meta.url).pathname;
const args = ['--import', 'tsx', script, 'run', '--config', config, '--repo', bare];
say(`\n$ tallyman run --config ${config} --repo ${bare}`);
const daemon = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'pipe'] });
let told = '';
daemon.stderr.on('data', (piece: Buffer) => {
  told += piece.toString();
  process.stdout.write(piece);
});
try {
  await until(
    () => registry.requests.some((request) => request.url.includes('/tags/list')),
    'The first look at the registry',
  );
  const before = git(['rev-parse', 'main'], { cwd: bare });
  const source = 'https://git.example.com/acme/web';
  registry.publish('acme/web', '1.5.0', {
    'org.opencontainers.image.source': source,
    'org.opencontainers.image.revision': '3f2c9a1',
  });
  const published = Date.now();
  say('\nacme/web 1.5.0 is published …');
  await until(() => git(['rev-parse', 'main'], { cwd: bare }) !== before, `The commit (the daemon said: ${told})`);
  say(
    `… and ${((Date.now() - published) / 1000).toFixed(1)} s later the bot's commit is there (it looks once a second here):\n`,
  );
  say(git(['show', '--format=commit %H%nAuthor: %an <%ae>%n%n%w(0,4,4)%B', 'main'], { cwd: bare }));
  say('\n2.0.0 is outside the range, so it is left alone. Nothing but the version changed.');
} finally {
  daemon.kill('SIGTERM');
  if (daemon.exitCode === null) await new Promise((resolve) => daemon.once('exit', resolve));
  await registry.close();
  if (existsSync(folder)) rmSync(folder, { recursive: true, force: true });
}
