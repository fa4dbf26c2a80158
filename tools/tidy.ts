/**
 * Enforces docs/architecture.md: who may know whom, one door a library, pure folders, sizes, the RFC index, generated
 * documents. Part of `npm run check`. `node tools/tidy.ts --write` rewrites what is generated.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { checkFuzzed } from './tidy/fuzzed.ts'
import { checkGenerated, type GeneratedDocument } from './tidy/generated.ts'
import { checkHabits, checkTexts } from './tidy/habits.ts'
import { checkLayers } from './tidy/layers.ts'
import { checkLinks } from './tidy/links.ts'
import { checkLock } from './tidy/lock.ts'
import { checkNamed } from './tidy/named.ts'
import { checkPackages } from './tidy/packages.ts'
import { checkRfcIndex, RFC_INDEX, writeRfcIndex } from './tidy/rfc-index.ts'
import { readSource, type Finding, type SourceFile } from './tidy/source.ts'

const FOLDERS = ['src', 'test', 'tools', 'fuzz', 'bench', 'demo', 'docs', 'bin', '.ci']
/** Bytes of mails and keys, which are as they are. */
const DATA_FOLDERS = new Set(['fuzz/corpus', 'test/golden', 'test/vectors'])
const TEXT_FILE = /\.(?:md|tsv|json|sh|smtp|pop3)$|^(?:bin|\.ci)\//
const GENERATED: readonly GeneratedDocument[] = [
  { document: 'docs/operating/configuration.md', module: 'src/config/describe.ts', function: 'describeConfig' },
  {
    document: 'docs/algorithms.md',
    module: 'src/protection/smime/describe-algorithms.ts',
    function: 'describeAlgorithms',
  },
  {
    document: 'docs/algorithms-openpgp.md',
    module: 'src/protection/openpgp/describe-algorithms.ts',
    function: 'describeOpenpgpAlgorithms',
  },
]

if (import.meta.main) {
  const root = path.resolve(import.meta.dirname, '..')
  const { findings, sourceCount } = await tidy(root, { write: process.argv.includes('--write') })
  for (const { path: file, line, rule, text } of findings) process.stdout.write(`${file}:${line}: ${rule}: ${text}\n`)
  process.stdout.write(`tidy: ${sourceCount} source files, ${findings.length} findings\n`)
  process.exitCode = findings.length === 0 ? 0 : 1
}

/** All findings in the repository at `root`. Reading nothing is one. */
export async function tidy(
  root: string,
  options: { readonly write?: boolean } = {},
): Promise<{ readonly findings: readonly Finding[]; readonly sourceCount: number }> {
  const texts = readTexts(root)
  const sources = [...texts].filter(([file]) => file.endsWith('.ts')).map(([file, text]) => readSource(file, text))
  if (!sources.some((source) => source.path.startsWith('src/')))
    return { findings: [{ path: 'src', line: 1, rule: 'empty', text: 'no source file was read' }], sourceCount: 0 }
  const write = options.write === true
  if (write) writeFileSync(path.join(root, RFC_INDEX), writeRfcIndex(sources, texts.get(RFC_INDEX) ?? ''))
  return { findings: await allFindings(root, texts, sources, write), sourceCount: sources.length }
}

async function allFindings(
  root: string,
  texts: ReadonlyMap<string, string>,
  sources: readonly SourceFile[],
  write: boolean,
): Promise<Finding[]> {
  const index = write ? readFileSync(path.join(root, RFC_INDEX), 'utf8') : texts.get(RFC_INDEX)
  return [
    ...checkLayers(sources),
    ...checkHabits(sources),
    ...checkTexts(new Map([...texts].filter(([file]) => !file.endsWith('.ts')))),
    ...checkLinks(texts),
    ...checkNamed(texts),
    ...checkLock(texts.get('package-lock.json')),
    ...checkFuzzed(sources),
    ...checkPackages(sources, texts.get('.ci/run')),
    ...checkRfcIndex(sources, index),
    ...(await checkGenerated(root, GENERATED, new Set(texts.keys()), write)),
  ]
}

/** Every file that rules look at, by its path from the root, with slashes. */
function readTexts(root: string): Map<string, string> {
  const texts = new Map<string, string>()
  function readFolder(folder: string): void {
    if (DATA_FOLDERS.has(folder)) return
    for (const entry of readdirSync(path.join(root, folder), { withFileTypes: true })) {
      const file = folder === '' ? entry.name : `${folder}/${entry.name}`
      if (entry.isDirectory()) {
        if (folder !== '' || FOLDERS.includes(file)) readFolder(file)
      } else if (file.endsWith('.ts') || TEXT_FILE.test(file))
        texts.set(file, readFileSync(path.join(root, file), 'utf8'))
    }
  }
  readFolder('')
  return texts
}
