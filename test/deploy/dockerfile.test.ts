/** Runs the steps of deploy/Dockerfile in folders instead of images, and what they yield as the user it names. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { parseDockerfile, type Stage } from './dockerfile.ts';

const run = promisify(execFile);
const stages = parseDockerfile(readFileSync('deploy/Dockerfile', 'utf8'));
const [build, final] = stages;
assert.ok(build !== undefined && final !== undefined);
const argumentsOf = (text: string): readonly string[] => JSON.parse(text);
const findStep = ({ steps }: Stage, keyword: string) => steps.find((step) => step.keyword === keyword)?.text ?? '';

describe('deploy/Dockerfile', () => {
  const root = mkdtempSync(join(tmpdir(), 'tallyman-image-'));
  const context = join(root, 'context');
  const folderOf = (name: string) => join(root, 'stages', name);
  before(async () => {
    await copyContext(context);
    for (const [index, stage] of stages.entries()) await runStage(stage, stage.name ?? String(index));
    // Whoever runs it is not who built it.
    for (const folder of [root, join(root, 'stages')]) chmodSync(folder, 0o755);
  });
  after(() => rmSync(root, { recursive: true, force: true }));

  async function runStage({ steps }: Stage, name: string): Promise<void> {
    let workFolder = folderOf(name);
    for (const { keyword, text } of steps) {
      if (keyword === 'WORKDIR') {
        workFolder = join(folderOf(name), text);
        mkdirSync(workFolder, { recursive: true });
      } else if (keyword === 'COPY') copy(text, workFolder);
      else if (keyword === 'RUN') await run('sh', ['-c', text], { cwd: workFolder, env: cleanEnvironment() });
      else
        assert.ok(['ENV', 'USER', 'EXPOSE', 'ENTRYPOINT', 'CMD'].includes(keyword), `a step that is known: ${keyword}`);
    }
  }

  function copy(text: string, workFolder: string): void {
    const [, stage, rest = ''] = /^(?:--from=(\S+)\s+)?(.+)$/.exec(text) ?? [];
    const paths = rest.split(/\s+/);
    const target = join(workFolder, paths.at(-1) ?? '');
    for (const path of paths.slice(0, -1)) {
      const source = stage === undefined ? join(context, path) : join(folderOf(stage), path);
      // As Docker does it: of a folder what is in it, of a file itself.
      const isFolder = statSync(source).isDirectory();
      cpSync(source, isFolder ? target : join(target, basename(path)), { recursive: true });
    }
  }

  const home = join(folderOf('1'), 'tallyman');

  it('leaves tools and tests behind', () => {
    assert.deepEqual(readdirSync(home).sort(), ['config', 'dist', 'node_modules', 'package.json']);
    for (const tool of ['typescript', '@biomejs', 'tsx'])
      assert.ok(!existsSync(join(home, 'node_modules', tool)), tool);
  });

  it('starts as its user, where nothing can be written', async () => {
    const [node, ...args] = argumentsOf(findStep(final, 'ENTRYPOINT'));
    assert.equal(node, '/nodejs/bin/node');
    const [uid] = findStep(final, 'USER').split(':');
    const asUser = process.getuid?.() === 0 ? ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups'] : [];
    const command = [...asUser, process.execPath, ...args, '--version'];
    const { stdout } = await run(command[0] ?? '', command.slice(1), { cwd: home, env: { NODE_ENV: 'production' } });
    assert.equal(stdout.trim(), JSON.parse(readFileSync('package.json', 'utf8')).version);
  });

  it('runs as what the manifests run', () => {
    const statefulSet = readFileSync('deploy/base/stateful-set.yaml', 'utf8');
    const [uid] = findStep(final, 'USER').split(':');
    assert.match(statefulSet, new RegExp(`runAsUser: ${uid}\\b`));
    assert.match(statefulSet, new RegExp(`containerPort: ${findStep(final, 'EXPOSE')}\\b`));
    const configFile = argumentsOf(findStep(final, 'CMD')).at(-1) ?? '';
    assert.match(statefulSet, new RegExp(`mountPath: ${configFile.replace(/\/[^/]+$/, '')},`));
    assert.match(build.image, /^node:20-/);
    assert.match(final.image, /nodejs20-.*:nonroot$/);
  });
});

/** What the image is built from: what the ignore file lets in. */
async function copyContext(target: string): Promise<void> {
  const lines = readFileSync('deploy/Dockerfile.dockerignore', 'utf8').split('\n');
  const rules = lines.filter((line) => line !== '' && !line.startsWith('#'));
  assert.equal(rules[0], '*', 'nothing comes in that is not named');
  for (const rule of rules.slice(1)) cpSync(rule.replace(/^!/, ''), join(target, rule.slice(1)), { recursive: true });
}

/** npm tells the scripts that it runs of itself, and those would tell the npm below. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^npm_(?!config_(?:registry|cache|cafile))|^NODE_/i.test(name),
  );
  return { ...Object.fromEntries(kept), npm_config_prefer_offline: 'true' };
}
