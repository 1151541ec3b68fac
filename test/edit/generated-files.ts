/** Generated YAML files with images of ghcr.io/acme/web in them, for properties about finding and editing. */
import fc from 'fast-check';

const zeros = `sha256:${'0d'.repeat(32)}`;
const quotes = fc.constantFrom('', "'", '"');
const oldVersion = fc.constantFrom('1.0.0', '1.2.3-rc.1', 'latest', '0.9.10', 'v1.4.0');
const image = 'ghcr.io/acme/web';

/** One value in quotes or none. */
const quoted = fc.tuple(quotes, oldVersion).map(([quote, version]) => ({
  version,
  tag: `${quote}${version}${quote}`,
  reference: `${quote}${image}:${version}${quote}`,
  pinned: `${quote}${image}:${version}@${zeros}${quote}`,
  name: `${quote}${image}${quote}`,
}));
type Quoted = ReturnType<typeof quoted.generate>['value'];

const marker = (part: string) => ` # {"$imagepolicy": "shop:web${part}"}`;
const lines = (...texts: ((values: Quoted) => string)[]) =>
  fc.tuple(quoted, fc.constantFrom(...texts)).map(([values, text]) => text(values));

/** Lines that carry an image by marker, without indentation. */
const markedCarrier = lines(
  ({ reference }) => `image: ${reference}${marker('')}`,
  ({ tag }) => `tag:   ${tag}${marker(':tag')}`,
  ({ tag }) => `image: {repository: x, tag: ${tag}}${marker(':tag')}`,
  ({ pinned }) => `ref: &a1 ${pinned}${marker('')}`,
  ({ version }) => `list: [ ${image}:${version} ]\t${marker('').trim()} and more`,
  () => `tag:${marker(':tag')}`,
  () => `flow: {a: b, tag: ,c: d}${marker(':tag')}`,
  ({ name, tag }) =>
    `split:\n  repository:  ${name}${marker(':name')}\n  tag: ${tag}${marker(':tag')}\n  digest: ""${marker(':digest')}`,
  ({ tag, reference }) =>
    `block: |\n  # text\n  v:\n    tag: ${tag}${marker(':tag')}\n\n  w: [${reference}]${marker('')}`,
  ({ tag }) => `block: |2-\n\n    tag: ${tag}${marker(':tag')}\n    ü:${marker(':tag')}`,
);
/** Lines that carry an image by structure alone. */
const structuredCarrier = lines(
  ({ reference }) => `image: ${reference}`,
  ({ pinned }) => `image:   ${pinned} # pinned`,
  ({ name, tag }) => `image:\n  repository: ${name}\n  tag: ${tag}`,
  ({ tag }) => `v: {registry: ghcr.io, tag: ${tag}, repository: acme/web, digest: }`,
  ({ tag }) => `v: {repository: ${image}, tag: ${tag}, digest: "${zeros}"}`,
  ({ name, tag }) => `mainImage:\n  tag:  ${tag}   # first\n  name: ${name}`,
  ({ name }) => `image:\n  repository: ${name}\n  tag:\n  x: 1`,
  ({ name, tag }) =>
    `helm:\n  parameters:\n  - name: a.repository\n    value: ${name}\n  - name: a.tag\n    value: ${tag}`,
  ({ reference }) => `helm: {parameters: [{name: image, value: ${reference}}]}`,
  ({ version }) => `kustomize:\n  images:\n  - x=${image}:${version}\n  - "${image}:${version}"`,
  ({ name, tag }) => `helm:\n  values: |\n    image:\n      repository: ${name}\n      tag: ${tag} # here\n\n    o: 1`,
  ({ reference }) => `helm:\n    values: |-\n        - a: {image: ${reference}}`,
);

/** Lines that must come through untouched; each stands alone at any indentation. */
const bystander = fc.constantFrom(
  'a: 1', 'b:   "x # y"  ', "c: 'it''s'", 'd: [1,2 , 3]', 'e: {f: g,h: i}', '# a comment\twith a tab', '#', '', '   ', 'k: 0777', 'l: ~',
  'm: !!str 12', 'n: !Custom {x: 1}', 'o: ünï ☃ 😀', 'q: "\\u0041\\t"', '? complex', 'r: &anchor v', 's: >-\n    folded\n      more', 't: |2\n      x\n    y',
  'image: nginx:1.0', 'dup: 1', 'dup: 2', 'u: 2024-01-02', 'plain: some words # not a marker', 'w: *anchor', 'empty:', 'repository: other',
); // biome-ignore format: a table

/** A document: a map, a sequence of maps, or a map nested deeper, at any indentation. */
function documentOf(carrier: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const block = fc
    .tuple(fc.array(bystander, { maxLength: 4 }), carrier, fc.array(bystander, { maxLength: 4 }))
    .map(([before, line, after]) => {
      const anchored = before.some((text) => text.includes('&anchor'));
      return [...before, line, ...after].filter((text) => !text.includes('*anchor') || anchored);
    });
  return fc
    .tuple(
      fc.array(block, { minLength: 1, maxLength: 2 }),
      fc.constantFrom('map', 'sequence', 'nested'),
      fc.integer({ min: 1, max: 4 }),
    )
    .map(([blocks, shape, width]) => {
      const indent = ' '.repeat(width);
      const shift = (all: readonly string[], by: string) =>
        all.map((line) => (line.trim() === '' ? line : by + line.replaceAll(/\n(?=.)/g, `\n${by}`)));
      if (shape === 'map') return blocks.flat().join('\n');
      if (shape === 'nested') return `top:\n${shift(blocks.flat(), indent).join('\n')}`;
      return blocks.map((all) => `-${indent.slice(1)} z: 0\n${shift(all, `${indent} `).join('\n')}`).join('\n');
    });
}

function fileOf(carrier: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc
    .tuple(
      fc.array(documentOf(carrier), { minLength: 1, maxLength: 2 }),
      fc.constantFrom('\n', '\r\n'),
      fc.boolean(),
      fc.constantFrom('', '---\n', '# head\n---\n'),
    )
    .map(
      ([documents, newline, mark, head]) =>
        `${mark ? '\ufeff' : ''}${(head + documents.join('\n---\n')).replaceAll('\n', newline)}${newline}`,
    );
}

/** Files whose images are marked. */
export const markedFile = fileOf(markedCarrier);
/** Files whose images stand where structure finds them. */
export const structuredFile = fileOf(structuredCarrier);
/** Both kinds, each file of one. */
export const anyFile = fc.oneof(markedFile, structuredFile);
