import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/**
 * Options for a `node:test` test that drives a program of Debian: `test('mutt fetches', needs('mutt', 'mutt'), …)`.
 * A missing program skips the test and names the apt line that brings it; where `CI` is set it throws instead, so that
 * nothing is left out there in silence.
 */
export function needs(command: string, debianPackage: string): { skip: string | false } {
  if (isInstalled(command)) return { skip: false }
  const missing = `${command} is missing: apt-get install -y ${debianPackage}`
  if (isCi()) throw new Error(missing)
  return { skip: missing }
}

/** `needs` for several programs at once, each with the package that brings it: `{ script: 'bsdutils', mutt: 'mutt' }`. */
export function needsAll(commands: Readonly<Record<string, string>>): { skip: string | false } {
  const verdicts = Object.entries(commands).map(([command, debianPackage]) => needs(command, debianPackage).skip)
  return { skip: verdicts.filter((verdict) => verdict !== false).join('; ') || false }
}

function isCi(): boolean {
  const value = process.env['CI']
  return value !== undefined && value !== '' && value !== 'false' && value !== '0'
}

/** True when a program of this name can be run from PATH (Debian keeps servers in the sbin folders, not on every PATH). */
function isInstalled(command: string): boolean {
  if (command.startsWith('/')) return isExecutableFile(command)
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin']
  return folders.some((folder) => folder !== '' && isExecutableFile(join(folder, command)))
}

function isExecutableFile(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}
