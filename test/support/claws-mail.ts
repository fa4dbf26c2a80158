/** claws-mail on a screen that nobody sees, as a correspondent's mail reader; read as a screen reader reads it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Draft } from './correspondent-mail.ts'
import { type Correspondence, ourAddress } from './correspondence.ts'
import { runProgram } from './correspondent.ts'
import type { GpgsmHome } from './gpgsm.ts'

export interface Screen {
  /** Header and text, as they are shown. */
  readonly text: string
  /** What else is to be read in the window: there it says what it holds of a signature. */
  readonly labels: readonly string[]
}

export interface ClawsMail extends AsyncDisposable {
  readonly name: string
  show(mail: Buffer): Promise<Screen>
  /** Writes a mail and protects it; as it leaves claws-mail. */
  compose(draft: Draft): Promise<Buffer>
}

export const CLAWS_PROGRAMS = {
  'claws-mail': 'claws-mail claws-mail-smime-plugin python3-pyatspi',
  Xvfb: 'xvfb',
  'dbus-run-session': 'dbus',
} as const

const PLUGINS = '/usr/lib/x86_64-linux-gnu/claws-mail/plugins'
const FOLDERS = ['inbox', 'outbox', 'draft', 'queue', 'trash']

export async function startClawsMail(correspondence: Correspondence, gpgsm: GpgsmHome): Promise<ClawsMail> {
  const home = join(correspondence.peer.folder, 'claws-mail')
  const sent = join(home, 'sent')
  await writeProfile(home, sent)
  await using stack = new AsyncDisposableStack()
  const server = spawn('Xvfb', ['-displayfd', '3', '-nolisten', 'tcp'], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
  })
  stack.defer(() => stop(server, 'SIGTERM'))
  const [display] = (await once(server.stdio[3] as NodeJS.ReadableStream, 'data')) as [Buffer]
  const env = {
    PATH: process.env['PATH'] ?? '',
    HOME: home,
    GNUPGHOME: gpgsm.dir,
    LC_ALL: 'C.UTF-8',
    TZ: 'UTC',
    DISPLAY: `:${display.toString().trim()}`,
  }
  const script = join(import.meta.dirname, 'claws-mail.py')
  // pyatspi is there for Debian's own Python only.
  const child = spawn('dbus-run-session', ['--', '/usr/bin/python3', script], {
    env,
    stdio: ['pipe', 'pipe', 'ignore'],
    detached: true,
  })
  stack.defer(() => stop(child, 'SIGKILL'))
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  const ask = async (command: object): Promise<Screen> => {
    child.stdin.write(`${JSON.stringify(command)}\n`)
    for (;;) {
      const { value, done } = await lines.next()
      if (done === true) throw new Error('claws-mail is gone')
      if (value.startsWith('{')) return JSON.parse(value) as Screen // else the bus speaks
    }
  }
  const version = /[\d.]+/.exec((await runProgram('claws-mail', ['--version'])).stdout.toString())?.[0] ?? ''
  const blank = 'From: blank@peer.example\nSubject: blank\n\nNothing to see here.\n'
  await writeFile(join(home, 'Mail', 'inbox', '1'), blank)
  let last = 0
  const disposing = stack.move()
  return {
    name: `claws-mail ${version} with gpgsm ${gpgsm.version}`,
    async show(mail) {
      const text = mail.toString('latin1').replaceAll('\r\n', '\n')
      await writeFile(join(home, 'Mail', 'outbox', `${++last}`), text, 'latin1')
      return ask({ select: last })
    },
    async compose({ from, to, subject, body, sign, encrypt }) {
      const draft = join(home, `draft-${++last}`)
      const author = `From: ${correspondence.addressOf(from)}\nTo: ${ourAddress(to)}\n`
      const text = body.replace(/\n$/, '') // it ends the last line itself
      await writeFile(draft, `${author}Subject: ${subject}\n\n${text}`)
      const protect = [...(sign ? ['Sign'] : []), ...(encrypt ? ['Encrypt'] : [])]
      const answer = await ask({ compose: draft, protect })
      return readFile(sent).catch(() => {
        throw new Error(`claws-mail sent nothing: ${JSON.stringify(answer)}`)
      })
    },
    [Symbol.asyncDispose]: () => disposing.disposeAsync(),
  }
}

/** What its first dialogs would ask, and the plug-in. Mail is handed to a program that keeps it in the file `sent`. */
async function writeProfile(home: string, sent: string): Promise<void> {
  const settings = join(home, '.claws-mail')
  await mkdir(settings, { recursive: true })
  for (const folder of FOLDERS) await mkdir(join(home, 'Mail', folder), { recursive: true })
  const mailer = join(home, 'mailer')
  // It doubles dots, as if all programs that take mail were SMTP servers.
  await writeFile(mailer, `#!/bin/sh\nexec sed 's/^\\.\\././' > ${sent}\n`, { mode: 0o755 })
  const plugins = ['[Plugins_GTK3]', `${PLUGINS}/pgpcore.so`, `${PLUGINS}/smime.so`]
  const common = [
    '[Common]',
    'config_version=4',
    ...plugins,
    '[GPG]',
    'auto_check_signatures=1',
    'gpg_warning=0',
    'skip_encryption_warning=smime',
  ]
  await writeFile(join(settings, 'clawsrc'), `${common.join('\n')}\n`)
  const account = ['[Account: 1]', 'account_name=peer', 'is_default=1', 'name=Peer', 'address=peer@peer.example']
  const sending = ['protocol=6', 'use_mail_command=1', `mail_command=${mailer}`, 'default_privacy_system=smime']
  await writeFile(join(settings, 'accountrc'), `${[...account, ...sending].join('\n')}\n`)
  const items = FOLDERS.map((name) => `<folderitem type="${name}" name="${name}" path="${name}"/>`)
  const list = `<folderlist><folder type="mh" name="Mail" path="Mail">${items.join('')}</folder></folderlist>`
  await writeFile(join(settings, 'folderlist.xml'), `<?xml version="1.0" encoding="UTF-8"?>\n${list}\n`)
}

async function stop(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.pid === undefined) return
  const ended = once(child, 'exit')
  if (signal === 'SIGKILL') process.kill(-child.pid, signal)
  else child.kill(signal)
  await ended
}
