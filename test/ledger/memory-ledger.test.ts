import { testLedger } from '../contracts/ledger-contract.ts';
import { memoryLedger } from './memory-ledger.ts';

const texts = new Map<string, string>();
const scene = {
  ledger: memoryLedger(texts),
  other: memoryLedger(texts),
  damage: async (repository: string) => void texts.set(repository, 'something else'),
};
testLedger('in memory', () => scene);
