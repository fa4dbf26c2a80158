import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test, type TestContext } from 'node:test'
import { tidy } from './tidy.ts'

const HOME = 'home' // spelt out, the paths below would be findings themselves
const INDEX_HEADER = 'number\tstatus\ttitle\tfiles\n'
/** A tree that breaks no rule; each case adds to it or replaces in it. */
const CLEAN: Readonly<Record<string, string>> = {
  'src/main.ts': "import './gateway/in.ts'\nimport './relay/out.ts'\n",
  'src/base/bytes.ts': 'export const LF = 10\n',
  'src/message/parse.ts': "import { LF } from '../base/bytes.ts'\n/** RFC 5322 */\nexport const parsePart = () => LF\n",
  'src/gateway/in.ts': "import { parsePart } from '../message/parse.ts'\nexport const accept = () => parsePart()\n",
  'src/relay/out.ts': "import net from 'node:net'\nexport const connect = () => net.connect(25)\n",
  'fuzz/message.fuzz.ts':
    "import { parsePart } from '../src/message/parse.ts'\nexport const target = parsePart\nexport const seeds = () => []\n",
  'docs/rfc-index.tsv': `${INDEX_HEADER}5322\tpart\tInternet Message Format\tmessage/parse.ts\n`,
}

async function findingsIn(t: TestContext, files: Readonly<Record<string, string>>): Promise<string[]> {
  const root = mkdtempSync(path.join(tmpdir(), 'tidy-'))
  t.after(() => rmSync(root, { recursive: true }))
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(root, file)), { recursive: true })
    writeFileSync(path.join(root, file), text)
  }
  const { findings } = await tidy(root)
  return findings.map((each) => `${each.path}:${each.line} ${each.rule}`)
}

const lines = (count: number): string => 'export {}\n'.repeat(count)
const longFunction = (count: number): string => `export function long() {\n${'  void 0\n'.repeat(count - 2)}}\n`
const row = (text: string): string => `${CLEAN['docs/rfc-index.tsv']}${text}\n`

const cases: readonly [why: string, files: Readonly<Record<string, string>>, expected: readonly string[]][] = [
  ['a tidy tree has no findings', {}, []],
  [
    'a lock file without the binary for another platform: npm ci refuses it everywhere',
    {
      'package-lock.json':
        '{"packages":{"node_modules/a":{"optionalDependencies":{"a-linux":"1","a-mac":"1"}},"node_modules/a-linux":{}}}',
    },
    ['package-lock.json:1 lock'],
  ],
  [
    'the documents name a file, a function or a test that is not there',
    {
      'docs/flow.md':
        'First `src/main.ts`, then `src/message/parse.ts`: `parsePart`, `parseWhole`, “a test”;\nlast `src/gone.ts`.\n',
    },
    ['docs/flow.md:1 named', 'docs/flow.md:1 named', 'docs/flow.md:2 named'],
  ],
  [
    'a requirement without a row',
    { 'docs/traceability.md': Array.from({ length: 15 }, (_, at) => `| S${at + 1} | x |\n`).join('') },
    ['docs/traceability.md:1 named'],
  ],
  ['a folder that is not on the map', { 'src/magic/x.ts': 'export const x = 1\n' }, ['src/magic/x.ts:1 map']],
  ['a low rank knows a higher one', { 'src/base/x.ts': "import '../message/parse.ts'\n" }, ['src/base/x.ts:1 ranks']],
  ['agents know each other', { 'src/relay/x.ts': "import '../gateway/in.ts'\n" }, ['src/relay/x.ts:1 ranks']],
  [
    'also when only for a type',
    { 'src/relay/x.ts': "import type { A } from '../gateway/in.ts'\n" },
    ['src/relay/x.ts:1 ranks'],
  ],
  [
    'also by re-export',
    { 'src/relay/x.ts': "export const y = 1\nexport { accept } from '../gateway/in.ts'\n" },
    ['src/relay/x.ts:2 ranks'],
  ],
  ['also by import()', { 'src/relay/x.ts': "await import('../gateway/in.ts')\n" }, ['src/relay/x.ts:1 ranks']],
  [
    'message knows a protocol',
    { 'src/protocol/p.ts': 'export const p = 1\n', 'src/message/x.ts': "import '../protocol/p.ts'\n" },
    ['src/message/x.ts:1 ranks'],
  ],
  ['a protocol may know message', { 'src/protocol/p.ts': "import '../message/parse.ts'\n" }, []],
  [
    'the product knows a test’s helper',
    { 'src/relay/x.ts': "import '../../test/support/y.ts'\n" },
    ['src/relay/x.ts:1 ranks'],
  ],
  ['a test may know it', { 'src/relay/x.test.ts': "import '../../test/support/y.ts'\n" }, []],
  [
    'files in a circle',
    { 'src/relay/a.ts': "import './b.ts'\n", 'src/relay/b.ts': "import './a.ts'\n" },
    ['src/relay/b.ts:1 cycle'],
  ],
  [
    'types that know each other',
    { 'src/relay/a.ts': "import type { B } from './b.ts'\n", 'src/relay/b.ts': "import './a.ts'\n" },
    [],
  ],
  ['a library beside its door', { 'src/relay/x.ts': "import 'smtp-server/lib/x'\n" }, ['src/relay/x.ts:1 doors']],
  ['a library at its door', { 'src/receive/x.ts': "import 'smtp-server'\n" }, []],
  ['the database beside its door', { 'src/keys/x.ts': "import { X } from 'kysely'\n" }, ['src/keys/x.ts:1 doors']],
  ['a library without a door', { 'src/relay/x.ts': "import 'pkijs'\n" }, ['src/relay/x.ts:1 doors']],
  ['which a test may use', { 'src/relay/x.test.ts': "import 'pkijs'\n" }, []],
  ['a module of node that has a door', { 'src/queue/x.ts': "import 'node:sqlite'\n" }, ['src/queue/x.ts:1 doors']],
  ['a module of node without its prefix', { 'src/queue/x.ts': "import 'fs'\n" }, ['src/queue/x.ts:1 doors']],
  [
    'a pure folder with a socket',
    { 'src/protocol/x.ts': "import net from 'node:net'\n" },
    ['src/protocol/x.ts:1 pure'],
  ],
  ['a pure folder that asks what an IP address is', { 'src/protocol/x.ts': "import { isIP } from 'node:net'\n" }, []],
  ['a pure folder with timers', { 'src/policy/x.ts': "import 'node:timers/promises'\n" }, ['src/policy/x.ts:1 pure']],
  [
    'a pure folder that logs',
    { 'src/policy/x.ts': "import '../base/log.ts'\n", 'src/base/log.ts': 'export const l = 1\n' },
    ['src/policy/x.ts:1 pure'],
  ],
  [
    'Date.now in a pure folder',
    { 'src/message/x.ts': 'export const x = () => Date.now()\n' },
    ['src/message/x.ts:1 pure'],
  ],
  [
    'new Date() in a pure folder',
    { 'src/message/x.ts': 'export const x = () => new Date()\n' },
    ['src/message/x.ts:1 pure'],
  ],
  ['new Date(ms) is no clock', { 'src/message/x.ts': 'export const x = (ms: number) => new Date(ms)\n' }, []],
  ['setTimeout in a pure folder', { 'src/message/x.ts': 'setTimeout(() => {}, 1)\n' }, ['src/message/x.ts:1 pure']],
  ['process in a pure folder', { 'src/message/x.ts': 'export const x = process.env\n' }, ['src/message/x.ts:1 pure']],
  [
    'a name of its own that looks like it',
    { 'src/message/x.ts': 'function process() {}\nprocess()\nexport const x = { fetch: 1 }.fetch\n' },
    [],
  ],
  ['a clock in a test of a pure folder', { 'src/message/x.test.ts': 'Date.now()\n' }, []],
  ['a file of 401 lines', { 'src/relay/x.ts': lines(401) }, ['src/relay/x.ts:1 size']],
  ['a file of 400 lines', { 'src/relay/x.ts': lines(400) }, []],
  ['a function of 71 lines', { 'src/relay/x.ts': longFunction(71) }, ['src/relay/x.ts:1 size']],
  ['a function of 70 lines', { 'src/relay/x.ts': longFunction(70) }, []],
  [
    'a heading over many tests is no function',
    { 'src/relay/x.test.ts': `describe('x', () => {\n${'  void 0\n'.repeat(150)}})\n` },
    [],
  ],
  ['a barrel', { 'src/relay/all.ts': "export * from './out.ts'\n" }, ['src/relay/all.ts:1 barrel']],
  ['an index.ts', { 'src/relay/index.ts': 'export const x = 1\n' }, ['src/relay/index.ts:1 barrel']],
  ['a default export', { 'src/relay/x.ts': 'export default 1\n' }, ['src/relay/x.ts:1 default-export']],
  [
    'a default export by name',
    { 'src/relay/x.ts': 'const x = 1\nexport { x as default }\n' },
    ['src/relay/x.ts:2 default-export'],
  ],
  ['a name in camel case', { 'src/relay/smtpOut.ts': 'export const x = 1\n' }, ['src/relay/smtpOut.ts:1 file-name']],
  ['something left to do', { 'src/relay/x.ts': '// TODO: more\n' }, ['src/relay/x.ts:1 left-to-do']],
  ['something left to do in a document', { 'docs/x.md': 'one\n\nFIXME\n' }, ['docs/x.md:3 left-to-do']],
  ['the word as a value', { 'src/relay/x.ts': "export const x = 'TODO'\n" }, []],
  ['a path of one machine', { 'tools/x.ts': `export const x = '/${HOME}/me/x'\n` }, ['tools/x.ts:1 machine-path']],
  ['a path of one machine in a script', { 'bin/x': `#!/bin/sh\ncd /${HOME}/me/x\n` }, ['bin/x:2 machine-path']],
  ['an RFC that is not listed', { 'src/relay/x.ts': '// RFC 5321 §4.1\n' }, ['docs/rfc-index.tsv:1 rfc-index']],
  [
    'an RFC that is not cited',
    { 'docs/rfc-index.tsv': row('6376\tnamed\tDKIM\trelay/x.ts') },
    ['docs/rfc-index.tsv:3 rfc-index'],
  ],
  [
    'a listed file that does not cite it',
    { 'docs/rfc-index.tsv': `${INDEX_HEADER}5322\tpart\tIMF\trelay/out.ts\n` },
    ['docs/rfc-index.tsv:2 rfc-index'],
  ],
  [
    'a status that means nothing',
    { 'docs/rfc-index.tsv': `${INDEX_HEADER}5322\tyes\tIMF\tmessage/parse.ts\n` },
    ['docs/rfc-index.tsv:2 rfc-index'],
  ],
  [
    'a parser that is not fuzzed',
    { 'src/protocol/x.ts': 'export const parseX = () => 1\n' },
    ['src/protocol/x.ts:1 fuzz'],
  ],
  ['a fuzz target without seeds', { 'fuzz/x.fuzz.ts': 'export const target = () => {}\n' }, ['fuzz/x.fuzz.ts:1 fuzz']],
  ['a document that is not there', { 'src/relay/x.ts': '// docs/decisions/0999-x.md\n' }, ['src/relay/x.ts:1 link']],
  ['a broken link', { 'docs/decisions/a.md': '\n[x](../b.md)\n' }, ['docs/decisions/a.md:2 link']],
  ['a good link', { 'docs/decisions/a.md': '[x](../b.md#y)\n', 'docs/b.md': '# x\n' }, []],
  [
    'a client that CI lacks',
    { 'test/x.test.ts': "\nneeds('mutt', 'mutt')\n", '.ci/run': 'packages=(\n  curl\n)\n' },
    ['test/x.test.ts:2 packages'],
  ],
  [
    'a client that CI brings',
    { 'test/x.test.ts': "needs('curl', 'curl')\n", '.ci/run': 'packages=(\n  curl\n)\n' },
    [],
  ],
  [
    'a generated document that is missing',
    { 'src/config/describe.ts': "export const describeConfig = () => 'x'\n" },
    ['docs/operating/configuration.md:1 generated'],
  ],
  [
    'one that differs',
    { 'src/config/describe.ts': "export const describeConfig = () => 'x'\n", 'docs/operating/configuration.md': 'y' },
    ['docs/operating/configuration.md:1 generated'],
  ],
  [
    'one that does not',
    { 'src/config/describe.ts': "export const describeConfig = () => 'x'\n", 'docs/operating/configuration.md': 'x' },
    [],
  ],
]
for (const [why, files, expected] of cases)
  test(why, async (t) => assert.deepEqual(await findingsIn(t, { ...CLEAN, ...files }), expected))

test('a tree without sources is a finding, not a success', async (t) => {
  assert.deepEqual(await findingsIn(t, { 'README.md': 'empty' }), ['src:1 empty'])
})

test('--write puts the files of the RFC index right and lists new ones for a human to finish', async (t) => {
  const root = mkdtempSync(path.join(tmpdir(), 'tidy-'))
  t.after(() => rmSync(root, { recursive: true }))
  for (const [file, text] of Object.entries({ ...CLEAN, 'src/relay/x.ts': '// RFC 5321, RFC 5322\n' })) {
    mkdirSync(path.dirname(path.join(root, file)), { recursive: true })
    writeFileSync(path.join(root, file), text)
  }
  const { findings } = await tidy(root, { write: true })
  assert.deepEqual(readFileSync(path.join(root, 'docs/rfc-index.tsv'), 'utf8').split('\n'), [
    INDEX_HEADER.trimEnd(),
    '5321\t\t\trelay/x.ts',
    '5322\tpart\tInternet Message Format\tmessage/parse.ts relay/x.ts',
    '',
  ])
  assert.deepEqual(
    [...new Set(findings.map((each) => each.text))],
    ['RFC 5321 needs a title and a status: full, part, named'],
  )
})
