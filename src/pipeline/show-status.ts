import type { StatusBoard } from './cluster-ports.ts';
import { describeStatus } from './describe-status.ts';
import type { PassObserver } from './pass-records.ts';

/** Shows after each pass how its policies stand; a pass that failed says nothing of them. */
export function createStatusObserver(board: StatusBoard, sources: readonly string[]): PassObserver {
  return {
    begin: () => {},
    end(source, { report }) {
      if (report !== undefined) board.show(describeStatus(report), { source, sources });
    },
    leave: board.forget,
  };
}
