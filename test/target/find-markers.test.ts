import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { findSites } from '../../src/target/find-sites.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const whole = '# {"$imagepolicy": "shop:web"}';
const tag = '# {"$imagepolicy": "shop:web:tag"}';

/** What the text's markers claim, as `path part value`. */
function claims(text: string): string[] {
  const { sites } = findSites(bytes(text), 'a.yaml');
  return sites
    .filter((site) => site.claim.by === 'policy')
    .flatMap((site) => site.scalars.map(({ path, part, value }) => `${path} ${part} ${value}`));
}

/** The text's problems, as `line message`. */
function faults(text: string): string[] {
  return findSites(bytes(text), 'a.yaml').problems.map(({ code, message, place }) => {
    assert.equal(code, 'MarkerInvalid');
    return `${place?.line} ${message.replace('Cannot follow the image policy marker: ', '')}`;
  });
}

const followed: Record<string, [string, string[]]> = {
  'behind an empty value': [`tag: ${tag}\n`, ['tag tag ']],
  'behind an empty value at the end of the file': [`tag:\t${tag}`, ['tag tag ']],
  'behind an empty item': [`- ${tag}\n- a\n`, ['[0] tag ']],
  'behind an empty value in a flow map': [`{repository: r, tag: } ${tag}`, ['tag tag ']],
  'in a list of objects': [
    `kind: List\nitems:\n- spec: {image: "r:1"} ${whole}\n`,
    ['items[0].spec.image reference r:1'],
  ],
  'in JSON over several lines': [
    `{\n  "image": "r:1", ${whole}\n  "b": {"tag": "2"} ${tag}\n}\n`,
    ['image reference r:1', 'b.tag tag 2'],
  ],
  'in a sequence at the top': [`- r:1 ${whole}\n- - r:2 ${whole}\n`, ['[0] reference r:1', '[1][0] reference r:2']],
  'behind the value of an explicit key': [`? image\n: r:1 ${whole}\n`, ['image reference r:1']],
  'behind tabs': [`image: r:1\t\t${whole}\n`, ['image reference r:1']],
  'with blanks at its end': [`image: r:1 ${whole}  \t \n`, ['image reference r:1']],
  'with blanks inside': ['image: r:1 #   {   "$imagepolicy"  :  "shop:web"   }\n', ['image reference r:1']],
  'in text': ['image: r:1 # see {"$imagepolicy": "shop:web"} (ours)\n', ['image reference r:1']],
  'with CRLF': [`image: r:1 ${whole}\r\ntag: 2 ${tag}\r\n`, ['image reference r:1', 'tag tag 2']],
  'behind a value on the line after its key': [`image:\n  r:1 ${whole}\n`, ['image reference r:1']],
  'behind an anchored and tagged value': [`image: &i !!str r:1 ${whole}\nb: *i\n`, ['image reference r:1']],
  'in the second document': [`a: 1\n---\nimage: r:1 ${whole}\n`, ['#1:image reference r:1']],
  'in a literal block': [`v: |\n  a:\n    image: r:1 ${whole}\n`, ['v|a.image reference r:1']],
  'behind one of several values, by its key': [`{name: x, tag: "1", n: 2} ${tag}\n`, ['tag tag 1']],
  'in a flow map beside an alias, by its key': [`a: &a 1\nb: {x: *a, tag: "1"} ${tag}\n`, ['b.tag tag 1']],
};

const reported: Record<string, [string, string[]]> = {
  'on a value that is tagged a number': [
    `tag: !!int 5 ${tag}\n`,
    ['1 its value is tagged tag:yaml.org,2002:int; a string was wanted'],
  ],
  'on a value with the long form of such a tag': [
    `tag: !<tag:yaml.org,2002:float> 5 ${tag}\n`,
    ['1 its value is tagged tag:yaml.org,2002:float; a string was wanted'],
  ],
  'on an alias': [
    `a: &img r:1\nb: *img ${whole}\n`,
    ['2 its value is the alias "*img", a value of its own was wanted'],
  ],
  'on an alias beside a value': [
    `a: &t "1"\nb: {repository: r, tag: *t} ${tag}\n`,
    ['2 several values stand before it on its line, and none is the one "tag" or "newTag"'],
  ],
  'on an empty value with an anchor': [`tag: &t ${tag}\n`, ['1 it has no value; a value on its line was wanted']],
  'on an empty value with a tag': [`tag: !!str ${tag}\n`, ['1 it has no value; a value on its line was wanted']],
  'on a key with no colon': [`? tag ${tag}\n`, ['1 there is no value before it on its line']],
  'on the key of a map': [`image: ${whole}\n  tag: 1\n`, ['1 there is no value before it on its line']],
  'on an empty document': [`--- ${tag}\n`, ['1 it has no value; a value on its line was wanted']],
  'on a line of its own': [`${whole}\nimage: r:1\n`, ['1 there is no value before it on its line']],
  'twice in a comment': [`image: r:1 ${whole} ${whole}\n`, ['1 several markers stand in one comment, one was wanted']],
  'in single quotes': [
    `image: r:1 # {'$imagepolicy': 'shop:web'}\n`,
    ['1 it is not of the form {"$imagepolicy": "<namespace>:<policy>"}'],
  ],
  'without quotes': [
    'image: r:1 # {$imagepolicy: shop:web}\n',
    ['1 it is not of the form {"$imagepolicy": "<namespace>:<policy>"}'],
  ],
  'with an unknown part': [
    'image: r:1 # {"$imagepolicy": "shop:web:version"}\n',
    ['1 the part ":version" is not known, :tag, :name or :digest was wanted'],
  ],
  'with no namespace': [
    'image: r:1 # {"$imagepolicy": "web"}\n',
    ['1 "web" is not of the form <namespace>:<policy>[:tag|:name|:digest]'],
  ],
  'behind a string over several lines': [
    `image: "r\n  :1" ${whole}\n`,
    ['2 its value spans several lines; a value on one line was wanted'],
  ],
  'behind plain text over several lines': [
    `image: r\n  s ${whole}\n`,
    ['2 its value spans several lines; a value on one line was wanted'],
  ],
  'behind a block header': [`image: | ${whole}\n  r:1\n`, ['1 there is no value before it on its line']],
  'in a folded block': [
    `v: >\n  image: r:1 ${whole}\n`,
    ['1 it stands inside a block scalar, where YAML has no comments, and it is folded, a literal one ("|") was wanted'],
  ],
  'in a block that is no YAML': [
    `v: |\n  {{ x\n  image: r:1 ${whole}\n`,
    ['1 it stands inside a block scalar, where YAML has no comments, and its text is not valid YAML'],
  ],
  'in a block within a block': [
    `v: |\n  w: |\n    image: r:1 ${whole}\n`,
    ['2 it stands inside a block scalar, where YAML has no comments, and it is within another one'],
  ],
  'badly in a block, at its line in the file': [
    'a: 1\nv: |\n\n  image: r:1 # $imagepolicy\n',
    ['4 it is not of the form {"$imagepolicy": "<namespace>:<policy>"}'],
  ],
};

describe('findMarkers', () => {
  for (const [name, [text, expected]] of Object.entries(followed)) {
    it(`follows a marker ${name}`, () => {
      assert.deepEqual(faults(text), []);
      assert.deepEqual(claims(text), expected);
    });
  }

  for (const [name, [text, expected]] of Object.entries(reported)) {
    it(`reports a marker ${name}`, () => {
      assert.deepEqual(claims(text), []);
      assert.deepEqual(faults(text), expected);
    });
  }

  it('names the anchor that is to be marked', () => {
    const [problem] = findSites(bytes(`a: &img r:1\nb: *img ${whole}\n`), 'a.yaml').problems;
    assert.equal(problem?.remedy, 'Put the marker behind the value with the anchor "&img".');
  });

  it('keeps structure from what stands beside a marker that cannot be followed', () => {
    const text =
      'image: r:1 # {"$imagepolicy": web}\nother:\n  image: r:2\nv: {repository: r, tag: 1} # $imagepolicy\n';
    const { sites } = findSites(bytes(text), 'a.yaml');
    assert.deepEqual(
      sites.map((site) => site.scalars[0]?.path),
      ['other.image'],
    );
  });
});
