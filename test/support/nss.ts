/** An NSS database, as Thunderbird keeps one in its profile: the correspondent's keys, both authorities, our certificates. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Correspondence } from './correspondence.ts'
import { openssl, runProgram } from './correspondent.ts'

export const NSS_PROGRAMS = { certutil: 'libnss3-tools', pk12util: 'libnss3-tools' } as const

/** `folder` is made where it is missing. The database has no password; nicknames are `rsa`, `p256`, `our-rsa`, `our-p256`. */
export async function makeNssDatabase(folder: string, { peer, ourCaFile, users }: Correspondence): Promise<void> {
  await mkdir(folder, { recursive: true })
  const database = ['-d', `sql:${folder}`]
  await must('certutil', [...database, '-N', '--empty-password'])
  const add = (nickname: string, file: string, trust: string): Promise<void> =>
    must('certutil', [...database, '-A', '-n', nickname, '-t', trust, '-i', file])
  await add('peer-ca', peer.caFile, ',C,')
  await add('our-ca', ourCaFile, ',C,')
  for (const kind of ['rsa', 'p256'] as const) {
    const { certificateFile, keyFile } = peer.keys[kind]
    const bundle = join(folder, `${kind}.p12`)
    const files = ['-inkey', keyFile, '-in', certificateFile, '-out', bundle]
    await openssl(['pkcs12', '-export', ...files, '-name', kind, '-passout', 'pass:x'])
    await must('pk12util', [...database, '-i', bundle, '-W', 'x', '-K', ''])
    await add(`our-${kind}`, users[kind].certificateFile, ',,')
  }
}

/** The version of the library, which is what opens and verifies. */
export async function nssVersion(): Promise<string> {
  const { stdout } = await runProgram('dpkg-query', ['--show', '--showformat=${Version}', 'libnss3'])
  return /\d+(?:\.\d+)+/.exec(stdout.toString().replace(/^\d+:/, ''))?.[0] ?? ''
}

async function must(program: string, args: readonly string[]): Promise<void> {
  const { status, stdout, stderr } = await runProgram(program, args)
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} failed (${status}): ${stdout.toString()}${stderr}`)
}
