import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { parseConfig } from '../../src/config/load-config.ts';
import { planEdits } from '../../src/edit/plan-edits.ts';
import { readPolicies } from '../../src/policy/read-policies.ts';
import { selectTag } from '../../src/select/select-tag.ts';
import { generatedSchemas } from '../generated-schemas.ts';

const read = (file: string) => readFileSync(`config/samples/${file}`, 'utf8');

describe('config/', () => {
  for (const [file, text] of Object.entries(generatedSchemas())) {
    it(`${file} is in step (npm run generate)`, () => assert.equal(readFileSync(file, 'utf8'), text));
  }

  for (const file of ['config.yaml', 'secrets.yaml'])
    it(`samples/${file} is valid`, () => {
      const result = parseConfig(read(file), file);
      assert.deepEqual('problems' in result ? result.problems : [], []);
    });

  it('samples/image-policy.yaml is valid and finds the sample deployment', () => {
    const { policies, problems } = readPolicies(read('image-policy.yaml'), 'image-policy.yaml');
    assert.deepEqual(problems, []);
    const files = new Map([['deployment.yaml', new TextEncoder().encode(read('deployment.yaml'))]]);
    const tags = ['1.4.2-alpine', '1.5.0-alpine', '1.6.0', '1.6.0-debug', '2.0.0-alpine'];
    const selections = policies.map((policy) => selectTag(policy, tags, '1.4.2-alpine'));
    const plan = planEdits(files, policies, selections);
    assert.deepEqual(
      plan.edits.map((edit) => edit.newText),
      ['ghcr.io/acme/web:1.5.0-alpine'],
    );
  });
});
