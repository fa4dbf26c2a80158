/** The Debian package: the staged program in /usr/lib/sealpost, and a systemd unit. */
import { chmodSync, cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { ROOT } from '../step.ts'
import { run } from './run.ts'
import type { Stage } from './stage.ts'

const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' }
const SCRIPTS = ['postinst', 'prerm', 'postrm']

/** Puts it in the folder `out`; returns its name. */
export function makeDebianPackage({ root, version, arch }: Stage, out: string): string {
  const architecture = ARCHITECTURES[arch]
  if (architecture === undefined) throw new Error(`no Debian package for ${arch}; there is one for x64 and arm64`)
  place(root, 'packaging/systemd/sealpost.service', 'lib/systemd/system/sealpost.service')
  place(root, 'LICENSE', 'usr/share/doc/sealpost/copyright')
  mkdirSync(path.join(root, 'usr/bin'))
  symlinkSync('../lib/sealpost/bin/sealpost', path.join(root, 'usr/bin/sealpost'))
  describe(root, { VERSION: version, ARCHITECTURE: architecture })
  const name = `sealpost_${version}_${architecture}.deb`
  run('dpkg-deb', ['--root-owner-group', '-Zzstd', '--build', root, path.join(out, name)])
  return name
}

function describe(root: string, facts: Readonly<Record<string, string>>): void {
  const folder = path.join(root, 'DEBIAN')
  mkdirSync(folder)
  const installedKb = run('du', ['-sk', '--exclude=DEBIAN', root]).split('\t')[0] ?? ''
  const values: Readonly<Record<string, string>> = { ...facts, INSTALLED_KB: installedKb }
  const control = readFileSync(path.join(ROOT, 'packaging/debian/control'), 'utf8')
  const filled = control.replaceAll(/@(\w+)@/g, (_all, name: string) => values[name] ?? '')
  writeFileSync(path.join(folder, 'control'), filled)
  for (const name of SCRIPTS) {
    cpSync(path.join(ROOT, 'packaging/debian', name), path.join(folder, name))
    chmodSync(path.join(folder, name), 0o755)
  }
}

function place(root: string, from: string, to: string): void {
  const target = path.join(root, to)
  mkdirSync(path.dirname(target), { recursive: true })
  cpSync(path.join(ROOT, from), target)
  chmodSync(target, 0o644)
}
