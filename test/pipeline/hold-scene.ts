/** A policy shop/web over a repository in memory, and what people do to it. */
import { changeHold } from '../../src/pipeline/change-hold.ts';
import { type PassContext, runPass } from '../../src/pipeline/run-pass.ts';
import { fakeRegistry, listingOf } from './fake-registry.ts';
import { type FakeYamlRepo, fakeYamlRepo, passOver, repoFiles } from './fake-yaml-repo.ts';

const { signal } = new AbortController();
const image = 'ghcr.io/acme/web';
/** A file with that version. */
export const file = (version: string) => `image: ${image}:${version}\n`;
export const key = 'shop/web';

export interface Scene {
  readonly repo: FakeYamlRepo;
  readonly context: PassContext;
  /** Tags of the registry. */
  readonly tags: string[];
  /** The first place's version after a pass. */
  pass(): Promise<string>;
  /** Codes of the last pass's problems, and where. */
  told: string[];
  hold(verb: 'hold' | 'resume', reason?: string): Promise<string>;
}

export function openScene(currents: readonly string[] = ['1.0.0'], spec = 'select: {semver: "*"}'): Scene {
  const repo = fakeYamlRepo(repoFiles(spec, currents));
  const tags = ['1.0.0', '1.1.0'];
  const registry = fakeRegistry({ listTags: async () => listingOf(...tags) });
  const context = passOver(repo, registry);
  const scene: Scene = {
    repo,
    context,
    tags,
    told: [],
    async pass() {
      const { problems } = await runPass(context, { signal });
      scene.told = problems.map(({ code, place }) => `${code} ${place?.file}:${place?.line}`);
      return repo.read('web-0.yaml').trim().split(':')[2] ?? '';
    },
    hold: async (verb, reason = '') => (await changeHold(context, { verb, policy: key, reason }, { signal })).told,
  };
  return scene;
}
