/** What the documents tell people to type is there: commands, options, and as many words as they take. */
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Command } from 'commander'
import { program } from './program.ts'

const ROOT = join(import.meta.dirname, '../..')
const PAGES = ['README.md', 'CONTRIBUTING.md', ...globSync('docs/**/*.md', { cwd: ROOT })]

/** At the beginning of a command of the shell, also of one for another user or in a container. */
const TYPED = /(?:^|[|&] |\$ |-u sealpost (?:-- )?|sealpost-front -- )sealpost (?<words>[^|&>#;]*)/g
const INLINE = /`sealpost (?<words>[^`|&>#;]*)[^`]*`/g

/** Each with where it stands. `whole`: with all its words, not only named in a sentence. */
function* commandLines(): Generator<{ readonly where: string; readonly words: string[]; readonly whole: boolean }> {
  for (const page of PAGES) {
    let inBlock = false
    for (const [index, line] of readFileSync(join(ROOT, page), 'utf8').split('\n').entries()) {
      if (/^\s*```/.test(line)) inBlock = !inBlock
      for (const { groups } of line.trim().matchAll(inBlock ? TYPED : INLINE)) {
        const words = groups?.['words']?.match(/'[^']*'|"[^"]*"|[^\s'"]+/g) ?? []
        yield { where: `${page}:${index + 1}`, words, whole: inBlock }
      }
    }
  }
}

/** What is wrong with it; `undefined` when nothing is. */
function wrongWith(sealpost: Command, words: readonly string[], whole: boolean): string | undefined {
  let command = sealpost
  let operands = 0
  for (let at = 0; at < words.length; at++) {
    const word = words[at] as string
    if (word.startsWith('-')) {
      const name = word.split('=')[0]
      const option = command.options.find(({ long, short }) => long === name || short === name)
      if (option === undefined && word !== '--help') return `${command.name()} has no option ${name}`
      if (option?.required === true && !word.includes('=')) at++
    } else if (command.commands.length > 0) {
      const next = command.commands.find((each) => each.name() === word)
      if (next === undefined) return `${command.name()} has no command ${word}`
      command = next
    } else operands++
  }
  if (!whole) return undefined
  const { registeredArguments: taken } = command
  if (taken.filter(({ required }) => required).length > operands) return `${command.name()} wants more words`
  return operands > taken.length && !taken.some(({ variadic }) => variadic)
    ? `${command.name()}: too many words`
    : undefined
}

test('every command line in the documents can be typed', async () => {
  const sealpost = await program()
  const lines = [...commandLines()]
  assert.ok(lines.filter(({ whole }) => whole).length > 40, 'they are found')
  const wrong = lines.flatMap(({ where, words, whole }) => {
    const why = wrongWith(sealpost, words, whole)
    return why === undefined ? [] : [`${where}: ${why}`]
  })
  assert.deepEqual(wrong, [])
})
