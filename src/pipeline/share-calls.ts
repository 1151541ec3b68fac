/** One call for all who ask the same at the same time. */

/** Joins the call of that name that is under way, or starts it. Throws the caller's own reason where its signal aborts first. */
export type ShareCall<Value> = (
  name: string,
  signal: AbortSignal,
  start: (signal: AbortSignal) => Promise<Value>,
) => Promise<Value>;

interface SharedCall<Value> {
  readonly abort: AbortController;
  readonly result: Promise<Value>;
  waiting: number;
}

/** A caller that goes takes the call from no other; once all have gone it is aborted, and who comes then starts anew. */
export function createCallSharer<Value>(): ShareCall<Value> {
  const calls = new Map<string, SharedCall<Value>>();
  return (name, signal, start) => {
    if (signal.aborted) return Promise.reject(signal.reason);
    const known = calls.get(name);
    if (known !== undefined) return wait(known, signal);
    const abort = new AbortController();
    const forget = () => {
      if (calls.get(name) === call) calls.delete(name);
    };
    abort.signal.addEventListener('abort', forget, { once: true });
    const call: SharedCall<Value> = { abort, result: start(abort.signal).finally(forget), waiting: 0 };
    calls.set(name, call);
    return wait(call, signal);
  };
}

function wait<Value>(call: SharedCall<Value>, signal: AbortSignal): Promise<Value> {
  call.waiting += 1;
  return new Promise((resolve, reject) => {
    const leave = () => {
      call.waiting -= 1;
      reject(signal.reason);
      if (call.waiting === 0) call.abort.abort(signal.reason);
    };
    signal.addEventListener('abort', leave, { once: true });
    const stay = () => signal.removeEventListener('abort', leave);
    call.result.finally(stay).then(resolve, reject);
  });
}
