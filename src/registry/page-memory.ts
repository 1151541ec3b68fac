/** Keeps pages of tag lists with their entity tags, so that an unchanged page is answered by 304, without its body. */
import type { RepositoryAccess } from './access.ts';
import type { HttpAnswer } from './http.ts';

type Ask = RepositoryAccess['ask'];

export interface PageMemory {
  /** Asks by `ask`, with If-None-Match where the page is kept; a 304 gives the page that is kept. */
  ask(ask: Ask, request: Parameters<Ask>[0]): Promise<HttpAnswer>;
}

interface KeptPage {
  readonly etag: string;
  readonly answer: HttpAnswer;
}

/** Together, over all pages: only few registries offer entity tags on lists. */
const maxKeptBytes = 64 * 1024 * 1024;
const maxKeptPages = 10_000;

/** An empty memory. Source: RFC 9110, sections 8.8.3 and 13.1.2. */
export function createPageMemory(): PageMemory {
  const pages = new Map<string, KeptPage>();
  let keptBytes = 0;

  function drop(key: string): void {
    keptBytes -= pages.get(key)?.answer.body.length ?? 0;
    pages.delete(key);
  }

  function keep(key: string, page: KeptPage): void {
    drop(key);
    pages.set(key, page);
    keptBytes += page.answer.body.length;
    for (const oldest of pages.keys()) {
      if (keptBytes <= maxKeptBytes && pages.size <= maxKeptPages) break;
      drop(oldest);
    }
  }

  return {
    ask: async (ask, request) => {
      const key = request.url.href;
      const known = pages.get(key);
      const answer = await ask({
        ...request,
        ...(known !== undefined && { headers: { 'if-none-match': known.etag } }),
      });
      if (answer.status === 304 && known !== undefined) {
        keep(key, known);
        return { ...known.answer, warning: answer.warning };
      }
      const { etag } = answer.headers;
      if (answer.status === 200 && etag !== undefined && etag.length <= 500) keep(key, { etag, answer });
      else drop(key);
      return answer;
    },
  };
}
