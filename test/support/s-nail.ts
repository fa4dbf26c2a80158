/** s-nail as a correspondent's mail reader: its commands `type` and `verify`, and what it sends. */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Draft } from './correspondent-mail.ts'
import { type Correspondence, ourAddress } from './correspondence.ts'
import { type KeyKind, type Ran, runProgram } from './correspondent.ts'

export interface SNail {
  readonly name: string
  show(mail: Buffer, reads: KeyKind): Promise<{ readonly message: string; readonly verdict: string }>
  /** Writes a mail and protects it; as it leaves s-nail. */
  compose(draft: Draft): Promise<Buffer>
}

/** Reads no start-up files; `-#` asks nothing. */
const BATCH = ['-:/', '-#', '-S', 'v15-compat', '-S', 'sendwait', '-S', 'ttycharset=utf-8', '-S', 'sendcharsets=utf-8']

export async function makeSNail(correspondence: Correspondence): Promise<SNail> {
  const { peer, ourCaFile, users } = correspondence
  const home = join(peer.folder, 's-nail')
  await mkdir(home)
  const trust = ['-S', 'smime-ca-no-defaults', '-S', `smime-ca-file=${ourCaFile}`]
  for (const kind of ['rsa', 'p256'] as const) await writeFile(pairOf(home, kind), await keyThenCertificate(peer, kind))
  const version = /v([\d.]+)/.exec((await runProgram('s-nail', ['--version'])).stdout.toString())?.[1] ?? ''
  let last = 0
  const run = (args: readonly string[], input?: Uint8Array): Promise<Ran> =>
    runProgram('s-nail', [...BATCH, ...args], { env: { HOME: home }, ...(input && { input }) })
  return {
    name: `s-nail ${version}`,
    async show(mail, reads) {
      const folder = join(home, `${++last}`)
      for (const sub of ['cur', 'new', 'tmp']) await mkdir(join(folder, sub), { recursive: true })
      await writeFile(join(folder, 'cur', '1:2,'), mail.toString('latin1').replaceAll('\r\n', '\n'), 'latin1')
      const settings = ['-R', '-S', `smime-sign-cert=${pairOf(home, reads)}`, ...trust]
      const command = (name: string): Promise<Ran> => run([...settings, '-Y', `${name} 1`, '-Y', 'exit', '-f', folder])
      const [typed, verified] = [await command('type'), await command('verify')]
      return { message: typed.stdout.toString(), verdict: verified.stdout.toString() + verified.stderr }
    },
    async compose({ from, to, subject, body, sign, encrypt }) {
      const [sent, mailer] = [join(home, `sent-${++last}`), join(home, `mailer-${last}`)]
      await writeFile(mailer, `#!/bin/sh\nexec cat > ${sent}\n`, { mode: 0o755 })
      const signing = sign ? ['-S', 'smime-sign', '-S', `smime-sign-cert=${pairOf(home, from)}`] : []
      const recipient = `smime-encrypt-${ourAddress(to)}=${users[to].certificateFile}`
      const settings = [...signing, ...(encrypt ? ['-S', recipient] : []), '-S', `mta=${mailer}`]
      const author = ['-S', `from=${correspondence.addressOf(from)}`, '-s', subject]
      const { stderr } = await run([...settings, ...author, ourAddress(to)], Buffer.from(body))
      return readFile(sent).catch(() => {
        throw new Error(`s-nail sent nothing: ${stderr}`)
      })
    },
  }
}

const pairOf = (home: string, kind: KeyKind): string => join(home, `${kind}-pair.pem`)

async function keyThenCertificate({ keys }: Correspondence['peer'], kind: KeyKind): Promise<string> {
  const { keyFile, certificateFile } = keys[kind]
  return `${await readFile(keyFile, 'utf8')}${await readFile(certificateFile, 'utf8')}`
}
