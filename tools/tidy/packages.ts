/** The Debian packages that tests need are those that .ci/run brings. */
import type { Finding, SourceFile } from './source.ts'

const CI_SCRIPT = '.ci/run'
/** `needs('command', 'package')` of test/support/apt.ts. */
const NEEDS = /\bneeds\('[^']+', '([^']+)'\)/g
const NEEDS_TEST = 'test/support/apt.test.ts'

export function checkPackages(sources: readonly SourceFile[], ciScript: string | undefined): Finding[] {
  const brought = new Set(ciScript?.match(/packages=\(([^)]*)\)/)?.[1]?.split(/\s+/))
  return sources
    .filter((source) => source.isTest && source.path !== NEEDS_TEST)
    .flatMap(({ path, text }) => [...text.matchAll(NEEDS)].map((match) => ({ path, text, match })))
    .filter(({ match }) => !brought.has(match[1] ?? ''))
    .map(({ path, text, match }) => ({
      path,
      line: text.slice(0, match.index).split('\n').length,
      rule: 'packages',
      text: `${CI_SCRIPT} does not install ${match[1]}`,
    }))
}
