const newline = 0x0a;
const hash = 0x23;

/** Skips in YAML text without parsing it. Asked from left to right, all answers together cost one pass over the text. */
export interface GapSkipper {
  /** Where blanks, line ends and comments end that begin here. */
  skipGap(from: number): number;
  /** Where the next blank is. */
  skipWord(from: number): number;
}

/** A skipper for one text. */
export function createGapSkipper(text: string): GapSkipper {
  // The last gap from its first line end or comment: from any line end or comment inside it the same end is reached.
  let gapStart = -1;
  let gapEnd = -1;
  let wordStart = -1;
  let wordEnd = -1;
  return {
    skipGap(from) {
      let at = from;
      let first = -1;
      for (;;) {
        const code = text.charCodeAt(at);
        if (code === newline || code === hash) {
          if (gapStart <= at && at < gapEnd) return gapEnd;
          if (first === -1) first = at;
          at = findNextLine(text, at);
        } else if (isBlank(code)) at += 1;
        else break;
      }
      if (first !== -1) {
        gapStart = first;
        gapEnd = at;
      }
      return at;
    },
    skipWord(from) {
      if (wordStart <= from && from < wordEnd) return wordEnd;
      wordStart = from;
      wordEnd = from;
      while (wordEnd < text.length && !isBlank(text.charCodeAt(wordEnd))) wordEnd += 1;
      return wordEnd;
    },
  };
}

function findNextLine(text: string, from: number): number {
  const lineEnd = text.indexOf('\n', from);
  return lineEnd === -1 ? text.length : lineEnd + 1;
}

/** Space, tab, carriage return and line end. */
function isBlank(code: number): boolean {
  return code === 0x20 || (code >= 0x09 && code <= 0x0d);
}
