import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createProblem } from '../../src/error/problem.ts';
import { createProblemTeller } from '../../src/pipeline/tell-report.ts';
import { recordingLog } from './recording-log.ts';

describe('createProblemTeller', () => {
  it('tells a problem when it comes and when it goes, not in between', () => {
    const { log, lines } = recordingLog();
    const teller = createProblemTeller(log);
    const problem = createProblem('PolicyInvalid', 'Cannot do it');
    teller.tell([problem]);
    teller.tell([problem]);
    teller.tell([]);
    assert.deepEqual(lines, ['warn Cannot do it', 'info over: Cannot do it']);
  });
});

describe('createProblemTeller on numbers', () => {
  it('takes a message whose numbers change for the same problem', () => {
    const { log, lines } = recordingLog();
    const teller = createProblemTeller(log);
    teller.tell([createProblem('RegistryUnavailable', 'Cannot list: it asks to wait 21 s')]);
    teller.tell([createProblem('RegistryUnavailable', 'Cannot list: it asks to wait 20 s')]);
    assert.equal(lines.length, 1);
  });
});
