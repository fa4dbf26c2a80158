/** The program as it is installed, with its libraries and its Node, and nothing that only develops it. */
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { ROOT } from '../step.ts'
import { run } from './run.ts'

/** Of the package that carries Node, only the program is needed. */
const NOT_NEEDED = ['include', 'share']

export interface Stage extends Disposable {
  /** What is to be `/`. */
  readonly root: string
  readonly home: string
  readonly version: string
  readonly arch: string
}

/** From a package of `npm pack`; libraries are exactly those of the lock file. `arch` as Node calls it. */
export function stageProgram(npmPackage: string, arch: string): Stage {
  const root = mkdtempSync(path.join(tmpdir(), 'sealpost-stage-'))
  chmodSync(root, 0o755)
  const home = path.join(root, 'usr/lib/sealpost')
  mkdirSync(home, { recursive: true })
  run('tar', ['-xzf', npmPackage, '--strip-components=1', '-C', home])
  for (const name of ['package-lock.json', '.npmrc']) cpSync(path.join(ROOT, name), path.join(home, name))
  run('npm', ['ci', '--omit=dev', '--ignore-scripts', '--os=linux', `--cpu=${arch}`, '--prefer-offline'], home)
  for (const name of NOT_NEEDED)
    rmSync(path.join(home, 'node_modules', `node-linux-${arch}`, name), { recursive: true, force: true })
  const version = forgetDevelopment(path.join(home, 'package.json'))
  return { root, home, version, arch, [Symbol.dispose]: () => rmSync(root, { recursive: true, force: true }) }
}

/** Libraries that are not there are not to be missed. Returns the version. */
function forgetDevelopment(manifestFile: string): string {
  const manifest = JSON.parse(readFileSync(manifestFile, 'utf8')) as { version: string; devDependencies?: unknown }
  delete manifest.devDependencies
  writeFileSync(manifestFile, `${JSON.stringify(manifest, null, 2)}\n`)
  return manifest.version
}
