import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type ForgeKind, findForge } from '../../src/forge/find-forge.ts';

const cases: readonly {
  url: string;
  kind?: ForgeKind;
  apiUrl?: string;
  found: string | undefined;
}[] = [
  { url: 'https://github.com/acme/deploy.git', found: 'github https://api.github.com acme/deploy' },
  { url: 'https://github.com/acme/deploy/', found: 'github https://api.github.com acme/deploy' },
  { url: 'git@github.com:acme/deploy.git', found: 'github https://api.github.com acme/deploy' },
  { url: 'ssh://git@github.com:22/acme/deploy.git', found: 'github https://api.github.com acme/deploy' },
  { url: 'https://gitlab.com/acme/infra/deploy.git', found: 'gitlab https://gitlab.com/api/v4 acme/infra/deploy' },
  { url: 'https://codeberg.org/acme/deploy', found: 'gitea https://codeberg.org/api/v1 acme/deploy' },
  { url: 'https://git.example.com/acme/deploy.git', found: undefined },
  { url: 'https://github.com/acme', found: undefined },
  { url: 'https://github.com/acme/deploy/wiki', found: undefined },
  { url: 'not a url', kind: 'github', found: undefined },
  {
    url: 'https://git.example.com/acme/deploy.git',
    kind: 'github',
    found: 'github https://git.example.com/api/v3 acme/deploy',
  },
  {
    url: 'http://git.example.com:3000/acme/deploy.git',
    kind: 'gitea',
    found: 'gitea http://git.example.com:3000/api/v1 acme/deploy',
  },
  {
    url: 'https://example.com/gitea/acme/deploy.git',
    kind: 'gitea',
    found: 'gitea https://example.com/gitea/api/v1 acme/deploy',
  },
  {
    url: 'https://example.com/gitlab/acme/infra/deploy.git',
    kind: 'gitlab',
    apiUrl: 'https://example.com/gitlab/api/v4/',
    found: 'gitlab https://example.com/gitlab/api/v4 acme/infra/deploy',
  },
  {
    url: 'ssh://git@git.example.com:2222/acme/deploy.git',
    kind: 'gitea',
    found: 'gitea https://git.example.com/api/v1 acme/deploy',
  },
];

describe('findForge', () => {
  for (const { url, kind, apiUrl, found } of cases)
    it(`${kind ?? 'by host'}: ${url}`, () => {
      const place = findForge(url, { kind, apiUrl });
      assert.equal(place && `${place.kind} ${place.apiUrl} ${place.project}`, found);
    });
});
