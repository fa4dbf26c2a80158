/** docs/rfc-index.tsv: each RFC that src/ cites, with its status here and the files that cite it. */
import type { Finding, SourceFile } from './source.ts'

export const RFC_INDEX = 'docs/rfc-index.tsv'
const HEADER = 'number\tstatus\ttitle\tfiles'
/** `full` and `part`: how much of it we do. `named`: only referred to, for a word or a reason. */
const STATUSES = new Set(['full', 'part', 'named'])
const CITATION = /\bRFC[ -]?(\d{3,5})\b/g

export function checkRfcIndex(sources: readonly SourceFile[], index: string | undefined): Finding[] {
  if (index === undefined) return [at(1, `${RFC_INDEX} is missing`)]
  const rows = rowsOf(index)
  const cited = citations(sources)
  const findings = rows.flatMap(({ number, status, title, files, line }) => {
    const now = cited.get(number)
    if (now === undefined) return [at(line, `RFC ${number} is cited nowhere in src/`)]
    const wrong: Finding[] = []
    if (!STATUSES.has(status) || title === '')
      wrong.push(at(line, `RFC ${number} needs a title and a status: ${[...STATUSES].join(', ')}`))
    if (files !== now.join(' ')) wrong.push(at(line, `files of RFC ${number} have changed: tools/tidy.ts --write`))
    return wrong
  })
  if (index.split('\n')[0] !== HEADER) findings.unshift(at(1, `first line: ${HEADER.replaceAll('\t', ' ⇥ ')}`))
  const listed = new Set(rows.map((row) => row.number))
  const missing = [...cited].filter(([number]) => !listed.has(number))
  const numbers = rows.map((row) => row.number)
  if (numbers.some((number, index) => index > 0 && number <= (numbers[index - 1] ?? 0)))
    findings.push(at(1, 'rows are sorted by number, each once'))
  return [...findings, ...missing.map(([number, files]) => at(1, `RFC ${number} is cited in ${files[0]}, not listed`))]
}

/** The index with its last column as the code is now; rows that nothing cites go, new ones wait for a status and title. */
export function writeRfcIndex(sources: readonly SourceFile[], index: string): string {
  const known = new Map(rowsOf(index).map((row) => [row.number, row]))
  const rows = [...citations(sources)]
    .toSorted(([a], [b]) => a - b)
    .map(([number, files]) => [
      number,
      known.get(number)?.status ?? '',
      known.get(number)?.title ?? '',
      files.join(' '),
    ])
  return [HEADER, ...rows.map((row) => row.join('\t')), ''].join('\n')
}

function citations(sources: readonly SourceFile[]): Map<number, string[]> {
  const cited = new Map<number, string[]>()
  const product = sources.filter((source) => source.path.startsWith('src/') && !source.isTest)
  for (const { path, text } of product.toSorted((a, b) => (a.path < b.path ? -1 : 1)))
    for (const number of new Set([...text.matchAll(CITATION)].map((match) => Number(match[1])))) {
      const files = cited.get(number) ?? []
      cited.set(number, [...files, path.slice('src/'.length)])
    }
  return cited
}

interface Row {
  readonly number: number
  readonly status: string
  readonly title: string
  readonly files: string
  readonly line: number
}

function rowsOf(index: string): Row[] {
  return index.split('\n').flatMap((line, at) => {
    const [number = '', status = '', title = '', files = ''] = line.split('\t')
    return /^\d+$/.test(number) ? [{ number: Number(number), status, title, files, line: at + 1 }] : []
  })
}

function at(line: number, text: string): Finding {
  return { path: RFC_INDEX, line, rule: 'rfc-index', text }
}
