/** Configuration files of docs/operating/set-ups/, so that what operators copy is what the tests run. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const FOLDER = join(import.meta.dirname, '../../docs/operating/set-ups')

/** The file with each key of `changes` replaced wherever it stands; throws when it stands nowhere. */
export function setUpFile(name: string, changes: Readonly<Record<string, string>>): string {
  let text = readFileSync(join(FOLDER, name), 'utf8')
  for (const [written, here] of Object.entries(changes)) {
    assert(text.includes(written), `${name} does not say "${written}"`)
    text = text.replaceAll(written, here)
  }
  return text
}
