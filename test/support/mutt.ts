/**
 * mutt, or neomutt, as a correspondent's reader of S/MIME mail: with GPGME, which has gpgsm do the work, or with its older
 * way, which runs openssl as Debian's smime.rc says.
 */
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Draft } from './correspondent-mail.ts'
import { type Correspondence, ourAddress } from './correspondence.ts'
import { type KeyKind, runProgram } from './correspondent.ts'
import type { GpgsmHome } from './gpgsm.ts'
import { type MuttProgram, type MuttTerminal, muttOnTerminal } from './mutt-terminal.ts'

export type MuttBackend = 'gpgme' | 'openssl'

export interface Mutt extends Pick<MuttTerminal, 'show'> {
  readonly name: string
  /** Writes a mail and protects it; as it leaves mutt. */
  compose(draft: Draft): Promise<Buffer>
}

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
  const way = backend === 'gpgme' ? ['set crypt_use_gpgme=yes'] : await opensslSettings(SMIME_RC[program], home, reads)
  const terminal = muttOnTerminal(program, home, gpgsm.dir, [
    ...way,
    'set crypt_autosmime=yes smime_is_default=yes crypt_autopgp=no',
  ])
  return {
    name: `${program} ${await muttVersion(program)}, ${backend === 'gpgme' ? `GPGME with gpgsm ${gpgsm.version}` : 'openssl by smime.rc'}`,
    show: (mail, pager) => terminal.show(mail, pager),
    compose({ from, to, subject, body, sign, encrypt }) {
      const signAs = backend === 'gpgme' ? correspondence.addressOf(from) : KEY_FILES[from]
      const settings = [
        `set crypt_autosign=${yesNo(sign)} crypt_autoencrypt=${yesNo(encrypt)} smime_sign_as="${signAs}"`,
        `set smime_default_key="${signAs}"`,
      ]
      return terminal.compose({ from: correspondence.addressOf(from), to: ourAddress(to), subject, body, settings })
    },
  }
}

export const muttVersion = async (program: MuttProgram): Promise<string> =>
  /Mutt ([\d.]+)/.exec((await runProgram(program, ['-v'])).stdout.toString())?.[1] ?? ''

const yesNo = (value: boolean): string => (value ? 'yes' : 'no')

async function opensslSettings(smimeRc: string, home: string, reads: KeyKind): Promise<string[]> {
  const commands = (await readFile(smimeRc, 'utf8')).replaceAll('~/.smime', join(home, '.smime'))
  const rc = join(home, 'smime.rc')
  await writeFile(rc, commands)
  const key = KEY_FILES[reads]
  return [
    `source ${rc}`,
    `set crypt_use_gpgme=no smime_ca_location="${join(home, '.smime', 'ca.pem')}"`,
    `set smime_decrypt_use_default_key=yes smime_default_key="${key}" smime_sign_as="${key}" smime_timeout=3600`,
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
