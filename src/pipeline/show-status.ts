import type { StatusBoard } from './cluster-ports.ts';
import { describeStatus } from './describe-status.ts';
import type { PassObserver } from './pass-records.ts';

/** Shows after each pass how its policies stand; a pass that failed says nothing of them. */
export function createStatusObserver(board: StatusBoard): PassObserver {
  return {
    begin: () => {},
    end(_subject, { report }) {
      if (report !== undefined) board.show(describeStatus(report));
    },
    leave: board.forget,
  };
}
