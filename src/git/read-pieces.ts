/** Small enough that a slow upload is seen to go on. */
const pieceBytes = 64 * 1024;

/** The bytes piece by piece, each after `check`; what that throws ends them. */
export function* readPieces(bytes: Buffer, check: () => void = () => undefined): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    check();
    yield bytes.subarray(at, at + pieceBytes);
  }
}
