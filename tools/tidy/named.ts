/** Files, functions and tests that the documents about the code name are there: a document that lies is worse than none. */
import type { Finding } from './source.ts'

/** What is checked to the name; other documents speak in short forms (`gateway/outbound.ts`). */
const DOCUMENTS = ['docs/traceability.md', 'docs/flow.md', 'docs/threat-model.md', 'docs/behaviour.md']
/** `src/x.ts`, perhaps followed by a colon and names of what is in it: `functions`, “tests”. */
const NAMED = /`((?:src|test|tools|fuzz|bench|demo|bin)\/[\w./-]+)`((?:[:,] (?:`[\w.]+`|“[^”]+”))*)/g
const NAME = /`([\w.]+)`|“([^”]+)”/g
const MARKS = Array.from({ length: 16 }, (_, index) => `S${index + 1}`)

export function checkNamed(texts: ReadonlyMap<string, string>): Finding[] {
  return [...DOCUMENTS.flatMap((document) => checkDocument(document, texts)), ...checkMarks(texts)]
}

function checkDocument(document: string, texts: ReadonlyMap<string, string>): Finding[] {
  const text = texts.get(document) ?? ''
  return [...text.matchAll(NAMED)].flatMap((match) => {
    const [, file = '', names = ''] = match
    const line = text.slice(0, match.index).split('\n').length
    const found = texts.get(file)
    if (found === undefined) return [{ path: document, line, rule: 'named', text: `${file} is not there` }]
    return [...names.matchAll(NAME)]
      .map((name) => name[1] ?? name[2] ?? '')
      .filter((name) => !found.includes(name))
      .map((name) => ({ path: document, line, rule: 'named', text: `${file} has no ${name}` }))
  })
}

/** Every requirement has its row. */
function checkMarks(texts: ReadonlyMap<string, string>): Finding[] {
  const text = texts.get('docs/traceability.md')
  if (text === undefined) return []
  return MARKS.filter((mark) => !new RegExp(`^\\| ${mark} +\\|`, 'm').test(text)).map((mark) => ({
    path: 'docs/traceability.md',
    line: 1,
    rule: 'named',
    text: `${mark} has no row`,
  }))
}
