/** The lock file is whole: what `npm ci` would miss on some machine is missing on all of them. */
import type { Finding } from './source.ts'

const LOCK = 'package-lock.json'

interface Locked {
  readonly packages?: Readonly<Record<string, { readonly optionalDependencies?: Readonly<Record<string, string>> }>>
}

/**
 * npm writes a lock file without the binaries for other platforms when the registry does not have them (yet), and `npm ci`
 * then refuses that file wherever it runs (docs/decisions/0023-the-lock-file-is-whole.md).
 */
export function checkLock(text: string | undefined): Finding[] {
  if (text === undefined) return []
  const { packages = {} } = JSON.parse(text) as Locked
  return Object.entries(packages).flatMap(([where, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies)
      .filter((name) => !(`node_modules/${name}` in packages) && !(`${where}/node_modules/${name}` in packages))
      .map((name) => ({
        path: LOCK,
        line: 1,
        rule: 'lock',
        text: `${name}, which ${where === '' ? 'we' : where} may need, is not in it: "npm ci" will fail; take a version whose binaries are all there`,
      })),
  )
}
