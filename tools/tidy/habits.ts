/** How a file is written: sizes, no barrels, no default exports, nothing left to do, nothing of one machine. */
import type { Finding, SourceFile } from './source.ts'

const FILE_LINES_MAX = 400
const FUNCTION_LINES_MAX = 70
/** Tests are tables: they may be longer. */
const TEST_FILE_LINES_MAX = 600
const TEST_FUNCTION_LINES_MAX = 100

const LEFT_TO_DO = /\b(?:TODO|FIXME|XXX|HACK)\b/
const KEBAB_CASE = /^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.(?:test|fuzz|bench|d))*\.ts$/
const MACHINE_PATH = /(?:^|[\s'"`(=:])(?:\/work\/|\/home\/\w|\/root\/|\/Users\/\w|[A-Z]:\\\\)/

export function checkHabits(sources: readonly SourceFile[]): Finding[] {
  return sources.flatMap((source) => [...sizes(source), ...form(source), ...comments(source), ...machinePaths(source)])
}

/** The same for text that is no code: docs, scripts, configuration. */
export function checkTexts(texts: ReadonlyMap<string, string>): Finding[] {
  return [...texts].flatMap(([path, text]) => {
    const found = machinePaths({ path, text })
    const toDo = path.endsWith('.md') ? lineMatching(text, LEFT_TO_DO) : undefined
    return toDo === undefined ? found : [...found, { path, line: toDo, rule: 'left-to-do', text: 'do it, or file it' }]
  })
}

function sizes(source: SourceFile): Finding[] {
  const fileMax = source.isTest ? TEST_FILE_LINES_MAX : FILE_LINES_MAX
  const functionMax = source.isTest ? TEST_FUNCTION_LINES_MAX : FUNCTION_LINES_MAX
  const tooLong = source.functions
    .filter(({ lines }) => lines > functionMax)
    .map(({ name, line, lines }) => ({
      path: source.path,
      line,
      rule: 'size',
      text: `${name} has ${lines} lines, of at most ${functionMax}`,
    }))
  if (source.lines <= fileMax) return tooLong
  return [
    { path: source.path, line: 1, rule: 'size', text: `${source.lines} lines, of at most ${fileMax}` },
    ...tooLong,
  ]
}

function form(source: SourceFile): Finding[] {
  const { path, isBarrel, defaultExportLine } = source
  const name = path.slice(path.lastIndexOf('/') + 1)
  const found: Finding[] = []
  if (isBarrel || name === 'index.ts')
    found.push({ path, line: 1, rule: 'barrel', text: 'import from the file itself' })
  if (defaultExportLine !== undefined)
    found.push({ path, line: defaultExportLine, rule: 'default-export', text: 'export by name' })
  if (!KEBAB_CASE.test(name)) found.push({ path, line: 1, rule: 'file-name', text: 'file names are kebab-case' })
  return found
}

function comments(source: SourceFile): Finding[] {
  return source.comments
    .filter(({ text }) => LEFT_TO_DO.test(text))
    .map(({ line }) => ({ path: source.path, line, rule: 'left-to-do', text: 'do it, or file it' }))
}

function machinePaths({ path, text }: { readonly path: string; readonly text: string }): Finding[] {
  const line = lineMatching(text, MACHINE_PATH)
  return line === undefined
    ? []
    : [{ path, line, rule: 'machine-path', text: 'a path that exists on one machine only' }]
}

function lineMatching(text: string, pattern: RegExp): number | undefined {
  const index = text.split('\n').findIndex((line) => pattern.test(line))
  return index === -1 ? undefined : index + 1
}
