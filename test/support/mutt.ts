/**
 * mutt, or neomutt, on a terminal of its own, as a correspondent's mail reader: with GPGME, which has gpgsm do the work, or with its
 * older way, which runs openssl as Debian's smime.rc says.
 */
import { spawn } from 'node:child_process'
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Draft } from './correspondent-mail.ts'
import { type Correspondence, ourAddress } from './correspondence.ts'
import { type KeyKind, runProgram } from './correspondent.ts'
import type { GpgsmHome } from './gpgsm.ts'

export type MuttProgram = 'mutt' | 'neomutt'
export type MuttBackend = 'gpgme' | 'openssl'

export interface Screen {
  /** The message as mutt hands it to a pager. */
  readonly message: string
  /** All that went over the terminal, escape sequences taken out. */
  readonly terminal: string
}

export interface Mutt {
  readonly name: string
  /** Opens the only mail of a mailbox; with mutt's own pager the message is on the terminal only. */
  show(mail: Buffer, pager?: 'own'): Promise<Screen>
  /** Writes a mail and protects it; as it leaves mutt. */
  compose(draft: Draft): Promise<Buffer>
}

const TIMEOUT_MS = 60_000
const SMIME_RC: Readonly<Record<MuttProgram, string>> = {
  mutt: '/etc/Muttrc.d/smime.rc',
  neomutt: '/etc/neomuttrc.d/smime.rc',
}
/** How mutt's older way names keys: file names in two folders. */
const KEY_FILES: Readonly<Record<KeyKind, string>> = { rsa: '00000001.0', p256: '00000002.0' }
const OUR_FILES: Readonly<Record<KeyKind, string>> = { rsa: '00000003.0', p256: '00000004.0' }

export async function makeMutt(
  program: MuttProgram,
  backend: MuttBackend,
  correspondence: Correspondence,
  gpgsm: GpgsmHome,
  reads: KeyKind,
): Promise<Mutt> {
  const home = join(correspondence.peer.folder, `${program}-${backend}-${reads}`)
  await mkdir(join(home, 'tmp'), { recursive: true })
  if (backend === 'openssl') await writeSmimeFolders(home, correspondence)
  const common = backend === 'gpgme' ? gpgmeSettings(home) : await opensslSettings(SMIME_RC[program], home, reads)
  const env = { HOME: home, GNUPGHOME: gpgsm.dir, TERM: 'xterm', LC_ALL: 'C.UTF-8', TZ: 'UTC' }
  const version = /Mutt ([\d.]+)/.exec((await runProgram(program, ['-v'])).stdout.toString())?.[1] ?? ''
  let last = 0
  const newFolder = async (): Promise<string> => {
    const folder = join(home, `${++last}`)
    for (const sub of ['cur', 'new', 'tmp']) await mkdir(join(folder, 'mail', sub), { recursive: true })
    return folder
  }
  const run = async (folder: string, settings: readonly string[], keys: string): Promise<string> => {
    const rc = join(folder, 'muttrc')
    await writeFile(rc, [...common, ...settings, `push "${keys}"`].map((line) => `${line}\n`).join(''))
    return onTerminal(`stty rows 50 cols 160; exec ${program} -n -F ${rc} -f ${join(folder, 'mail')}`, env)
  }
  return {
    name: `${program} ${version}, ${backend === 'gpgme' ? `GPGME with gpgsm ${gpgsm.version}` : 'openssl by smime.rc'}`,
    async show(mail, pager) {
      const folder = await newFolder()
      const shown = join(folder, 'shown')
      await writeFile(join(folder, 'mail', 'cur', '1:2,'), mail.toString('latin1').replaceAll('\r\n', '\n'), 'latin1')
      const copier = join(folder, 'pager')
      await writeFile(copier, `#!/bin/sh\nexec cp "$1" ${shown}\n`, { mode: 0o755 })
      const settings = pager === 'own' ? [] : [`set pager="${copier}" prompt_after=no`]
      const keys = pager === 'own' ? '<display-message>' : '<display-message><exit>'
      const terminal = await run(folder, settings, keys)
      return { terminal, message: await readFile(shown, 'utf8').catch(() => '') }
    },
    async compose({ from, to, subject, body, sign, encrypt }) {
      const folder = await newFolder()
      const [text, sent, mailer] = ['text', 'sent', 'mailer'].map((name) => join(folder, name)) as [
        string,
        string,
        string,
      ]
      await writeFile(text, body)
      await writeFile(mailer, `#!/bin/sh\nexec cat > ${sent}\n`, { mode: 0o755 })
      const signAs = backend === 'gpgme' ? correspondence.addressOf(from) : KEY_FILES[from]
      const settings = [
        `set from="${correspondence.addressOf(from)}" realname="" use_from=yes use_envelope_from=no`,
        `set editor="cp ${text}" sendmail="${mailer}" sendmail_wait=0 copy=no`,
        `set crypt_autosign=${yesNo(sign)} crypt_autoencrypt=${yesNo(encrypt)} smime_sign_as="${signAs}"`,
        `set smime_default_key="${signAs}"`,
      ]
      const terminal = await run(
        folder,
        settings,
        `<mail>${ourAddress(to)}<enter>${subject}<enter><send-message><exit>`,
      )
      return readFile(sent).catch(() => {
        throw new Error(`mutt sent nothing: ${terminal}`)
      })
    },
  }
}

const yesNo = (value: boolean): string => (value ? 'yes' : 'no')

function gpgmeSettings(home: string): string[] {
  return [...basicSettings(home), 'set crypt_use_gpgme=yes']
}

async function opensslSettings(smimeRc: string, home: string, reads: KeyKind): Promise<string[]> {
  const commands = (await readFile(smimeRc, 'utf8')).replaceAll('~/.smime', join(home, '.smime'))
  const rc = join(home, 'smime.rc')
  await writeFile(rc, commands)
  const key = KEY_FILES[reads]
  return [
    `source ${rc}`,
    ...basicSettings(home),
    `set crypt_use_gpgme=no smime_ca_location="${join(home, '.smime', 'ca.pem')}"`,
    `set smime_decrypt_use_default_key=yes smime_default_key="${key}" smime_sign_as="${key}" smime_timeout=3600`,
  ]
}

function basicSettings(home: string): string[] {
  return [
    `set folder="${home}" tmpdir="${join(home, 'tmp')}" mbox_type=Maildir header_cache="" record="" postponed=""`,
    'set move=no confirmcreate=no confirmappend=no quit=yes wait_key=no sleep_time=0 charset=utf-8 send_charset="utf-8"',
    'ignore *',
    'unignore from to subject',
    'set crypt_verify_sig=yes crypt_autosmime=yes smime_is_default=yes crypt_autopgp=no text_flowed=no',
  ]
}

/** What `smime_keys add_cert` and `add_pem` would make, without their questions. */
async function writeSmimeFolders(home: string, { peer, ourCaFile, users }: Correspondence): Promise<void> {
  const [certificates, keys] = [join(home, '.smime', 'certificates'), join(home, '.smime', 'keys')]
  for (const folder of [certificates, keys]) await mkdir(folder, { recursive: true })
  const authorities = await Promise.all([peer.caFile, ourCaFile].map((file) => readFile(file, 'utf8')))
  await writeFile(join(home, '.smime', 'ca.pem'), authorities.join(''))
  const index: string[] = []
  for (const kind of ['rsa', 'p256'] as const) {
    await copyFile(peer.keys[kind].certificateFile, join(certificates, KEY_FILES[kind]))
    await copyFile(peer.keys[kind].keyFile, join(keys, KEY_FILES[kind]))
    await copyFile(users[kind].certificateFile, join(certificates, OUR_FILES[kind]))
    index.push(`${kind}@correspondent.example ${KEY_FILES[kind]} own ? t\n`)
    index.push(`${ourAddress(kind)} ${OUR_FILES[kind]} sealpost ? t\n`)
  }
  for (const folder of [certificates, keys]) await writeFile(join(folder, '.index'), index.join(''))
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
