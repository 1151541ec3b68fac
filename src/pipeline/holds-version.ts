/** Whether a file's bytes say a version. */

/** The tag, and the digest where the version has one, each as a word of its own: `1.1` is not in `1.10`. */
export function holdsVersion(bytes: Uint8Array, version: string): boolean {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  const parts = version.split('@').filter((part) => part !== '');
  return parts.every((part) => holdsWord(text, part));
}

function holdsWord(text: string, word: string): boolean {
  for (let start = text.indexOf(word); start !== -1; start = text.indexOf(word, start + 1)) {
    const around = `${text[start - 1] ?? ''} ${text[start + word.length] ?? ''}`;
    if (!/[\w.+-]/.test(around)) return true;
  }
  return false;
}
