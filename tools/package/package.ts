/**
 * `npm run package [-- --out DIR] [--arch x64|arm64]`: what a provider installs, and what tells what is in it: the npm package,
 * the Debian package, the bill of materials (CycloneDX), and the digests of these. SEALPOST_RELEASE_KEY, a PEM file with an
 * Ed25519 key, signs digests and bill; the signatures are what `openssl pkeyutl -verify -rawin` reads.
 */
import { createHash, createPrivateKey, sign } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { requireNode } from '../step.ts'
import { makeDebianPackage } from './debian.ts'
import { run } from './run.ts'
import { type Stage, stageProgram } from './stage.ts'

requireNode()
const { values } = parseArgs({
  options: { out: { type: 'string', default: 'packages' }, arch: { type: 'string', default: process.arch } },
})
const out = path.resolve(values.out)
mkdirSync(out, { recursive: true })

const npmPackage = packForNpm()
using stage = stageProgram(path.join(out, npmPackage), values.arch)
const billOfMaterials = writeBill(stage)
const debianPackage = makeDebianPackage(stage, out)
const digests = writeDigests([npmPackage, debianPackage, billOfMaterials])
const signatures = signEach([billOfMaterials, digests])
for (const name of [npmPackage, debianPackage, billOfMaterials, digests, ...signatures])
  process.stdout.write(`${path.join(values.out, name)}\n`)

function packForNpm(): string {
  const said = run('npm', ['pack', '--json', '--pack-destination', out])
  // what prepack prints comes first
  const [packed] = JSON.parse(said.slice(said.indexOf('['))) as { readonly filename: string }[]
  if (packed === undefined) throw new Error('npm pack made nothing')
  return packed.filename
}

/** Of what is installed, not of what the lock file could bring. */
function writeBill({ home, version }: Stage): string {
  const bill = JSON.parse(
    run('npm', ['sbom', '--sbom-format', 'cyclonedx', '--sbom-type', 'application'], home),
  ) as unknown
  const file = `sealpost-${version}.cdx.json`
  writeFileSync(path.join(out, file), `${JSON.stringify(bill, null, 2)}\n`)
  return file
}

function writeDigests(names: readonly string[]): string {
  const digest = (name: string): string =>
    createHash('sha256')
      .update(readFileSync(path.join(out, name)))
      .digest('hex')
  writeFileSync(path.join(out, 'SHA256SUMS'), names.map((name) => `${digest(name)}  ${name}\n`).join(''))
  return 'SHA256SUMS'
}

function signEach(names: readonly string[]): string[] {
  const keyFile = process.env['SEALPOST_RELEASE_KEY']
  if (keyFile === undefined) {
    process.stderr.write('not signed: SEALPOST_RELEASE_KEY names no key\n')
    return []
  }
  const key = createPrivateKey(readFileSync(keyFile))
  if (key.asymmetricKeyType !== 'ed25519') throw new Error(`${keyFile} holds no Ed25519 key`)
  return names.map((name) => {
    writeFileSync(path.join(out, `${name}.sig`), sign(null, readFileSync(path.join(out, name)), key))
    return `${name}.sig`
  })
}
