/** Every parser of foreign bytes is fuzzed, from its first commit. */
import type { Finding, SourceFile } from './source.ts'

/** Folders whose parsers meet bytes from outside. */
const FOREIGN = /^src\/(?:message|protocol|protection|authentication)\//
const PARSER = /^(?:parse|read|decode)[A-Z]/

/** An exported parser that no fuzz target reaches, by imports, is a finding. */
export function checkFuzzed(sources: readonly SourceFile[]): Finding[] {
  const targets = sources.filter((source) => source.path.startsWith('fuzz/') && source.path.endsWith('.fuzz.ts'))
  const reached = reachableFrom(targets, new Map(sources.map((source) => [source.path, source])))
  const parsers = sources.filter((source) => FOREIGN.test(source.path) && !source.isTest && !reached.has(source.path))
  const unreached = parsers.flatMap(({ path, exportedNames }) => {
    const name = exportedNames.find((exported) => PARSER.test(exported))
    return name === undefined ? [] : [{ path, line: 1, rule: 'fuzz', text: `no fuzz target reaches ${name}` }]
  })
  const shapeless = targets
    .filter(({ exportedNames }) => !exportedNames.includes('target') || !exportedNames.includes('seeds'))
    .map(({ path }) => ({ path, line: 1, rule: 'fuzz', text: 'exports target(bytes) and seeds()' }))
  return [...unreached, ...shapeless]
}

function reachableFrom(start: readonly SourceFile[], byPath: ReadonlyMap<string, SourceFile>): Set<string> {
  const reached = new Set<string>()
  const open = [...start]
  for (let source = open.pop(); source !== undefined; source = open.pop())
    for (const { target } of source.imports) {
      const next = target === undefined || reached.has(target) ? undefined : byPath.get(target)
      if (next === undefined) continue
      reached.add(next.path)
      open.push(next)
    }
  return reached
}
