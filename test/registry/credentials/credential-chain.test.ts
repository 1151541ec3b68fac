import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createConfiguredSource } from '../../../src/registry/credentials/configured.ts';
import type { Credential, CredentialSource } from '../../../src/registry/credentials/credential.ts';
import { createCredentialChain } from '../../../src/registry/credentials/credential-chain.ts';

const repository = { host: 'a.io', path: 'acme/web' };
const { signal } = new AbortController();

function prepare(answers: readonly (Credential | Error | undefined)[]) {
  const asked: number[] = [];
  const forgotten: number[] = [];
  const sources = answers.map(
    (answer, index): CredentialSource => ({
      async find() {
        asked.push(index);
        if (answer instanceof Error) throw answer;
        return answer;
      },
      forget: () => forgotten.push(index),
    }),
  );
  return { chain: createCredentialChain(sources), asked, forgotten };
}

describe('createCredentialChain', () => {
  const [first, second] = [{ bearerToken: 'first' }, { bearerToken: 'second' }];
  const rows: [name: string, answers: (Credential | undefined)[], found: Credential | undefined, asked: number[]][] = [
    ['no sources', [], undefined, []],
    ['sources with nothing', [undefined, undefined], undefined, [0, 1]],
    ['the first that has something', [undefined, first, second], first, [0, 1]],
  ];
  for (const [name, answers, found, expected] of rows)
    it(name, async () => {
      const { chain, asked } = prepare(answers);
      assert.deepEqual(await chain.find(repository, { signal }), found);
      assert.deepEqual(asked, expected);
    });

  it('a failure ends the search', async () => {
    const { chain, asked } = prepare([undefined, new Error('broken'), first]);
    await assert.rejects(chain.find(repository, { signal }), /broken/);
    assert.deepEqual(asked, [0, 1]);
  });

  it('all forget', () => {
    const { chain, forgotten } = prepare([undefined, first, second]);
    chain.forget(repository);
    assert.deepEqual(forgotten, [0, 1, 2]);
  });
});

describe('createConfiguredSource', () => {
  it('gives what the settings of the host have now', async () => {
    const settings: { credential?: Credential } = {};
    const source = createConfiguredSource((host) => (host === 'a.io' ? settings : {}));
    assert.equal(await source.find(repository, { signal }), undefined);
    settings.credential = { username: 'u', password: 'p' };
    assert.deepEqual(await source.find(repository, { signal }), { username: 'u', password: 'p' });
    assert.equal(await source.find({ host: 'b.io', path: 'x' }, { signal }), undefined);
  });
});
