import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { inspect } from 'node:util';
import { TallymanError } from '../../../src/error/tallyman-error.ts';
import { parseImageReference } from '../../../src/image/reference.ts';
import { createEndpointSource } from '../../../src/registry/credentials/endpoint-source.ts';
import { createPullSecretsSource } from '../../../src/registry/credentials/pull-secrets.ts';

const { signal } = new AbortController();
const entry = (username: string): object => ({ auth: Buffer.from(`${username}:hunter2`).toString('base64') });
const modern = (auths: object): string => JSON.stringify({ auths });
/** As the source gives it for the secret of that number. */
const of = (secret: number, username: string) => ({
  username,
  password: 'hunter2',
  origin: `Secret "shop/s${secret}"`,
});

/** The source over these texts, which a test may change; what it told last is in `told`. */
function prepare(texts: string[], faults: Error[] = []) {
  const told: { last: readonly Error[] } = { last: [] };
  const listPullSecrets = () => ({
    secrets: texts.map((text, index) => ({ title: `Secret "shop/s${index + 1}"`, text })),
    faults,
  });
  const source = createPullSecretsSource({ listPullSecrets }, (now) => {
    told.last = now;
  });
  const find = async (image: string) => source.find(parseImageReference(image), { signal });
  return { source, find, told };
}

describe('createPullSecretsSource', () => {
  const rows: [name: string, texts: string[], image: string, found: ReturnType<typeof of> | undefined][] = [
    ['no secrets', [], 'ghcr.io/acme/web', undefined],
    ['none for the host', [modern({ 'quay.io': entry('u') })], 'ghcr.io/acme/web', undefined],
    ['.dockerconfigjson', [modern({ 'ghcr.io': entry('u') })], 'ghcr.io/acme/web', of(1, 'u')],
    ['.dockercfg', [JSON.stringify({ 'https://index.docker.io/v1/': entry('hub') })], 'nginx', of(1, 'hub')],
    [
      'the earlier secret of two with the same key',
      [modern({}), modern({ 'a.io': entry('one') }), modern({ 'a.io': entry('two') })],
      'a.io/x',
      of(2, 'one'),
    ],
    [
      'a closer path in a later secret',
      [modern({ 'a.io': entry('one') }), modern({ 'a.io/x': entry('two') })],
      'a.io/x/y',
      of(2, 'two'),
    ],
    [
      'a name before a wildcard',
      [modern({ '*.a.io': entry('one'), 'b.a.io': entry('two') })],
      'b.a.io/x',
      of(1, 'two'),
    ],
    ['a wildcard', [modern({ 'https://*.a.io': entry('one') })], 'b.a.io/x', of(1, 'one')],
    ['a broken one before it', ['{', modern({ 'a.io': entry('one') })], 'a.io/x', of(2, 'one')],
    ['a broken entry beside it', [modern({ 'a.io/x': 'hunter2', 'a.io': entry('one') })], 'a.io/x', of(1, 'one')],
    ['helpers are never run', [JSON.stringify({ credHelpers: { 'a.io': 'x' }, credsStore: 'x' })], 'a.io/x', undefined],
  ];
  for (const [name, texts, image, found] of rows)
    it(name, async () => assert.deepEqual(await prepare(texts).find(image), found));

  it('uses a changed secret at once', async () => {
    const texts = [modern({ 'a.io': entry('one') })];
    const { find } = prepare(texts);
    assert.deepEqual(await find('a.io/x'), of(1, 'one'));
    texts[0] = modern({ 'a.io': entry('two') });
    assert.deepEqual(await find('a.io/x'), of(1, 'two'));
    texts.pop();
    assert.equal(await find('a.io/x'), undefined);
  });

  it('gives the next one where one was refused, and begins anew where all were', async () => {
    const texts = [modern({ 'a.io': entry('one') }), modern({ 'a.io': entry('two') })];
    const { find, source } = prepare(texts);
    const [one, two] = [of(1, 'one'), of(2, 'two')];
    const another = (refused: typeof one) => source.another?.({ host: 'a.io', path: 'x' }, refused);
    assert.deepEqual(await find('a.io/x'), one);
    assert.equal(another(of(1, 'somebody else')), false);
    assert.equal(another(one), true);
    assert.deepEqual([await find('a.io/x'), await find('a.io/y')], [two, one]);
    assert.equal(another(two), false);
    assert.deepEqual(await find('a.io/x'), one);
    assert.equal(another(one), true);
    texts[0] = modern({ 'a.io': entry('rotated') });
    assert.deepEqual(await find('a.io/x'), of(1, 'rotated'));
  });

  it('gives a mirror what is for the mirror alone', async () => {
    const texts = [modern({ 'docker.io': entry('upstream') })];
    const { source } = prepare(texts);
    const mirrored = createEndpointSource(() => ({ endpoint: 'https://mirror.example:8443' }), source);
    const find = () => mirrored.find(parseImageReference('nginx'), { signal });
    assert.equal(await find(), undefined);
    texts.push(modern({ 'mirror.example:8443': entry('one') }));
    assert.deepEqual(await find(), of(2, 'one'));
  });

  it('tells what it cannot use as long as that is so, and has it for the reason where nothing was found', async () => {
    const missing = new TallymanError('SecretUnavailable', 'Cannot use Secret "shop/gone"');
    const faults = [missing];
    const texts = ['{"auths":{"a.io":"hunter2"', modern({ 'a.io': entry('one') })];
    const { find, source, told } = prepare(texts, faults);
    assert.deepEqual(await find('a.io/x'), of(2, 'one'));
    assert.deepEqual(
      told.last.map(({ message }) => message),
      [
        'Cannot use Secret "shop/gone"',
        'Cannot read Secret "shop/s1": it is no JSON object in UTF-8, one with "auths" was wanted',
      ],
    );
    assert.equal(source.doubt?.(), missing);
    assert.doesNotMatch(inspect(told.last, { depth: 9 }), /hunter2/);
    faults.pop();
    texts.shift();
    await find('a.io/x');
    assert.deepEqual([told.last, source.doubt?.()], [[], undefined]);
  });

  it('tells of a broken entry where there is no other, without its content', async () => {
    await assert.rejects(prepare([modern({ 'u:hunter2@a.io': 'x', 'a.io': 'hunter2' })]).find('a.io/x'), {
      code: 'ConfigInvalid',
      message:
        'Cannot use the entry for "a.io/x" in Secret "shop/s1": it is no JSON object, one with "auth" was wanted',
    });
  });
});
