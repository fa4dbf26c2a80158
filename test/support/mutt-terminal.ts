/** mutt, or neomutt, on a terminal of its own, whatever it is told of keys. */
import { spawn } from 'node:child_process'
import { mkdir, readFile, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

export type MuttProgram = 'mutt' | 'neomutt'

export interface Screen {
  /** The message as mutt hands it to a pager. */
  readonly message: string
  /** All that went over the terminal, escape sequences taken out. */
  readonly terminal: string
}

export interface MuttDraft {
  readonly from: string
  readonly to: string
  readonly subject: string
  /** With LF. */
  readonly body: string
  /** Lines of muttrc, such as what is signed, and with which key. */
  readonly settings: readonly string[]
}

export interface MuttTerminal {
  /** Opens the only mail of a mailbox; with mutt's own pager the message is on the terminal only. */
  show(mail: Buffer, pager?: 'own'): Promise<Screen>
  /** Writes a mail; as it leaves mutt. */
  compose(draft: MuttDraft): Promise<Buffer>
}

const TIMEOUT_MS = 60_000
/** Whether what was written has changed since, mutt tells by whole seconds, and asks when one begins just then. */
const LONG_AGO = new Date('2001-01-01T00:00:00Z')

/** `home` is a folder of its own, with a folder `tmp` in it; `settings` are lines of muttrc. */
export function muttOnTerminal(
  program: MuttProgram,
  home: string,
  gnupgHome: string,
  settings: readonly string[],
): MuttTerminal {
  const env = { HOME: home, GNUPGHOME: gnupgHome, TERM: 'xterm', LC_ALL: 'C.UTF-8', TZ: 'UTC' }
  let last = 0
  const newFolder = async (): Promise<string> => {
    const folder = join(home, `${++last}`)
    for (const sub of ['cur', 'new', 'tmp']) await mkdir(join(folder, 'mail', sub), { recursive: true })
    return folder
  }
  const run = async (folder: string, more: readonly string[], keys: string): Promise<string> => {
    const rc = join(folder, 'muttrc')
    const lines = [...basicSettings(home), ...settings, ...more, `push "${keys}"`]
    await writeFile(rc, lines.map((line) => `${line}\n`).join(''))
    return onTerminal(`stty rows 50 cols 160; exec ${program} -n -F ${rc} -f ${join(folder, 'mail')}`, env)
  }
  return {
    async show(mail, pager) {
      const folder = await newFolder()
      const shown = join(folder, 'shown')
      await writeFile(join(folder, 'mail', 'cur', '1:2,'), mail.toString('latin1').replaceAll('\r\n', '\n'), 'latin1')
      const copier = join(folder, 'pager')
      await writeFile(copier, `#!/bin/sh\nexec cp "$1" ${shown}\n`, { mode: 0o755 })
      const how = pager === 'own' ? [] : [`set pager="${copier}" prompt_after=no`]
      const keys = pager === 'own' ? '<display-message>' : '<display-message><exit>'
      const terminal = await run(folder, how, keys)
      return { terminal, message: await readFile(shown, 'utf8').catch(() => '') }
    },
    async compose({ from, to, subject, body, settings: more }) {
      const folder = await newFolder()
      const [text, sent, mailer] = ['text', 'sent', 'mailer'].map((name) => join(folder, name)) as [
        string,
        string,
        string,
      ]
      await writeFile(text, body)
      await utimes(text, LONG_AGO, LONG_AGO)
      await writeFile(mailer, `#!/bin/sh\nexec cat > ${sent}\n`, { mode: 0o755 })
      const how = [
        `set from="${from}" realname="" use_from=yes use_envelope_from=no`,
        `set editor="cp --preserve=timestamps ${text}" sendmail="${mailer}" sendmail_wait=0 copy=no`,
        ...more,
      ]
      const terminal = await run(folder, how, `<mail>${to}<enter>${subject}<enter><send-message><exit>`)
      return readFile(sent).catch(() => {
        throw new Error(`mutt sent nothing: ${terminal}`)
      })
    },
  }
}

function basicSettings(home: string): string[] {
  return [
    `set folder="${home}" tmpdir="${join(home, 'tmp')}" mbox_type=Maildir header_cache="" record="" postponed=""`,
    'set move=no confirmcreate=no confirmappend=no quit=yes wait_key=no sleep_time=0 charset=utf-8 send_charset="utf-8"',
    'ignore *',
    'unignore from to subject',
    'set crypt_verify_sig=yes text_flowed=no',
  ]
}

/** What is typed when the screen says so: no key has a passphrase; and who has seen the verdict, leaves. */
const TYPED: readonly (readonly [seen: RegExp, keys: string])[] = [
  [/passphrase:/gi, '\r'],
  [/signature (?:successfully verified|could NOT be verified)/gi, 'qq'],
]

/** Runs a command on a terminal, and types what it waits for. */
async function onTerminal(command: string, env: Readonly<Record<string, string>>): Promise<string> {
  const child = spawn('script', ['-qec', command, '/dev/null'], {
    env: { PATH: process.env['PATH'] ?? '', ...env },
    timeout: TIMEOUT_MS,
    killSignal: 'SIGKILL',
  })
  let output = ''
  const answered = TYPED.map(() => 0)
  child.stdin.on('error', () => undefined)
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString('latin1')
    for (const [index, [seen, keys]] of TYPED.entries()) {
      const times = [...output.matchAll(seen)].length
      for (; (answered[index] ?? 0) < times; answered[index] = (answered[index] ?? 0) + 1) child.stdin.write(keys)
    }
  })
  await new Promise((resolve, reject) => child.on('error', reject).on('close', resolve))
  const text = Buffer.from(output, 'latin1').toString('utf8')
  // oxlint-disable-next-line no-control-regex -- taking them out is the purpose
  return text.replaceAll(/\x1b\[[0-9;?]*[a-zA-Z]|\x1b[()][A-Z0-9]|\x1b[=>]|[\r\x0f]/g, ' ')
}
