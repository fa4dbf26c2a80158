/** Documents that code and documents speak of are there. */
import path from 'node:path'
import type { Finding } from './source.ts'

/** `docs/decisions/0002-sinks.md`, wherever it is written; and `[text](decisions/0002-sinks.md)` in a document. */
const MENTION = /\bdocs\/[\w./-]+\.(?:md|tsv)\b/g
const LINK = /\]\(([\w./-]+\.(?:md|tsv))(?:#[\w-]*)?\)/g

export function checkLinks(texts: ReadonlyMap<string, string>): Finding[] {
  return [...texts].flatMap(([file, text]) => {
    if (file.startsWith('tools/')) return [] // speaks of documents in general
    const mentions = [...text.matchAll(MENTION)].map((match) => ({ target: match[0], at: match.index }))
    const links = !file.endsWith('.md')
      ? []
      : [...text.matchAll(LINK)].map((match) => ({
          target: path.posix.join(path.posix.dirname(file), match[1] ?? ''),
          at: match.index,
        }))
    return [...mentions, ...links]
      .filter(({ target }) => !texts.has(target))
      .map(({ target, at }) => ({
        path: file,
        line: text.slice(0, at).split('\n').length,
        rule: 'link',
        text: `${target} is not there`,
      }))
  })
}
