/** Who may know whom (docs/architecture.md): ranks, doors of libraries, pure folders, no cycles. */
import { isBuiltin } from 'node:module'
import { packageOf, type Finding, type SourceFile } from './source.ts'

/** A folder imports itself and what has a lower rank; so folders of one rank never import each other. */
const RANKS: Readonly<Record<string, number>> = {
  base: 0,
  message: 1,
  protocol: 1,
  protection: 2,
  authentication: 2,
  policy: 3,
  store: 4,
  config: 4,
  keys: 5,
  receive: 6,
  gateway: 6,
  queue: 6,
  relay: 6,
  deliver: 6,
  access: 6,
  publish: 6,
  observe: 6,
  admin: 6,
  wiring: 7,
  doctor: 7,
  'main.ts': 8,
  cli: 9,
}

/** Within one rank: protocols speak of addresses, which message/ knows; message/ knows no protocol. */
const ALSO_KNOWS: Readonly<Record<string, string>> = { protocol: 'message' }

/** The one place that imports a library, or two where one serves and the other asks (invariant 8). */
const DOORS: Readonly<Record<string, string | readonly string[]>> = {
  'smtp-server': 'src/receive/',
  nodemailer: 'src/relay/',
  kysely: 'src/store/',
  zod: 'src/config/',
  yaml: 'src/config/',
  pino: 'src/base/log.ts',
  'dns-packet': 'src/base/dns-client.ts',
  ldapts: 'src/keys/user-sources/ldap/',
  commander: 'src/cli/',
  aws4fetch: 'src/store/bucket/s3-request.ts',
  'node:http': ['src/keys/http-fetch.ts', 'src/store/bucket/s3-request.ts'].concat([
    'src/publish/https-listener.ts',
    'src/observe/http-listener.ts',
  ]),
  'node:https': ['src/keys/http-fetch.ts', 'src/store/bucket/s3-request.ts', 'src/publish/https-listener.ts'],
  pg: 'src/store/dialect/',
  'node:sqlite': 'src/store/dialect/',
  'node:worker_threads': 'src/base/',
}

const PURE_FOLDERS = new Set(['message', 'protocol', 'protection', 'authentication', 'policy'])
/** What of node a pure folder may import: computation only. */
const PURE_BUILTINS = new Set([
  'node:assert',
  'node:assert/strict',
  'node:buffer',
  'node:crypto',
  'node:string_decoder',
  'node:url',
  'node:util',
  'node:zlib',
])
/** Functions of other modules of node that only compute. */
const PURE_NAMES: Readonly<Record<string, readonly string[]>> = { 'node:net': ['isIP', 'isIPv4', 'isIPv6'] }
/** Files of base that do I/O, read a clock or start threads. */
const IMPURE_BASE = new Set(
  ['log', 'events', 'worker-pool', 'job-thread', 'stream-task', 'serve-jobs'].map((name) => `src/base/${name}.ts`),
)
const IMPURE_GLOBALS = new Set(
  ['setTimeout', 'setInterval', 'setImmediate', 'process', 'performance', 'fetch', 'console', 'globalThis'].concat([
    'Worker',
    'WebSocket',
    'EventSource',
  ]),
)
const CLOCK_USES = new Set(['Date.now', 'new Date()', 'Date()'])

export function checkLayers(sources: readonly SourceFile[]): Finding[] {
  const product = sources.filter((source) => source.path.startsWith('src/'))
  return [
    ...product.flatMap(checkRanks),
    ...product.flatMap(checkDoors),
    ...product.flatMap(checkPure),
    ...cycles(sources),
  ]
}

/** `message` for src/message/parse.ts, `main.ts` for src/main.ts. */
function folderOf(path: string): string {
  return path.split('/')[1] ?? ''
}

function checkRanks(source: SourceFile): Finding[] {
  const folder = folderOf(source.path)
  const rank = RANKS[folder]
  if (rank === undefined)
    return [finding(source, 1, 'map', `src/${folder} is not on the map: give it a rank in tools/tidy/layers.ts`)]
  return source.imports.flatMap(({ target, line }) => {
    if (target === undefined) return []
    if (!target.startsWith('src/'))
      return source.isTest ? [] : [finding(source, line, 'ranks', `the product imports ${target}, outside src/`)]
    const other = folderOf(target)
    if (other === folder || other === ALSO_KNOWS[folder] || (RANKS[other] ?? rank) < rank) return []
    return [finding(source, line, 'ranks', `${folder} (rank ${rank}) must not know ${other} (rank ${RANKS[other]})`)]
  })
}

function checkDoors(source: SourceFile): Finding[] {
  return source.imports.flatMap(({ specifier, target, line }) => {
    if (target !== undefined) return []
    if (isBuiltin(specifier) && !specifier.startsWith('node:'))
      return [finding(source, line, 'doors', `write node:${specifier}`)]
    const name = isBuiltin(specifier) ? specifier : packageOf(specifier)
    const door = DOORS[name]
    if (source.isTest || (door === undefined && isBuiltin(specifier))) return []
    if (door === undefined)
      return [finding(source, line, 'doors', `${name} has no door: tools/tidy/layers.ts lists them`)]
    const doors = [door].flat()
    if (doors.some((each) => source.path.startsWith(each))) return []
    return [finding(source, line, 'doors', `${name} is imported by ${doors.join(', ')} only`)]
  })
}

function checkPure(source: SourceFile): Finding[] {
  if (source.isTest || !PURE_FOLDERS.has(folderOf(source.path))) return []
  const imported = source.imports
    .filter((each) => (each.target === undefined ? isImpure(each) : IMPURE_BASE.has(each.target)))
    .map(({ specifier, line }) => finding(source, line, 'pure', `a pure folder imports ${specifier}`))
  const used = source.globals.flatMap(({ name, line }) => {
    const impure = CLOCK_USES.has(name) || IMPURE_GLOBALS.has(name.split(/[.( ]/)[0] ?? '') || name === 'new Worker(…)'
    return impure ? [finding(source, line, 'pure', `a pure folder uses ${name}`)] : []
  })
  return [...imported, ...used]
}

function isImpure({ specifier, names }: SourceFile['imports'][number]): boolean {
  if (!isBuiltin(specifier) || PURE_BUILTINS.has(specifier)) return false
  const pureNames = PURE_NAMES[specifier] ?? []
  return names.length === 0 || !names.every((name) => pureNames.includes(name))
}

/** Files that import each other in a circle, each circle told once. A type may be shared both ways: it is gone at run time. */
function cycles(sources: readonly SourceFile[]): Finding[] {
  const byPath = new Map(sources.map((source) => [source.path, source]))
  const state = new Map<string, 'open' | 'done'>()
  const findings: Finding[] = []
  function walk(source: SourceFile, trail: readonly string[]): void {
    state.set(source.path, 'open')
    const here = [...trail, source.path]
    for (const { target, line, isType } of source.imports) {
      const next = isType || target === undefined ? undefined : byPath.get(target)
      if (next === undefined || state.get(next.path) === 'done') continue
      if (state.get(next.path) === undefined) walk(next, here)
      else {
        const circle = [...here.slice(here.indexOf(next.path)), next.path].join(' → ')
        findings.push(finding(source, line, 'cycle', circle))
      }
    }
    state.set(source.path, 'done')
  }
  for (const source of sources) if (!state.has(source.path)) walk(source, [])
  return findings
}

function finding(source: SourceFile, line: number, rule: string, text: string): Finding {
  return { path: source.path, line, rule, text }
}
