/** A correspondent who reads and writes protected mail with gpgsm (as KMail, Claws and mutt do), against the running server. */
import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { needsAll } from '../support/apt.ts'
import { cmsOf, multipartSigned, partsOf, pkcs7Mime } from '../support/cms-entity.ts'
import { type Correspondence, ourAddress } from '../support/correspondence.ts'
import { type Case, OUTBOUND_EXTRAS, casesFor } from '../support/correspondent-cases.ts'
import { type GpgsmHome, makeGpgsmHome } from '../support/gpgsm.ts'
import { describePeerTool } from '../support/peer-tool-suite.ts'
import { type Outcome, type PeerTool, canonical, contentTypeOf } from '../support/peer-tool.ts'

/** gpgsm 2.2 has no GCM and no OAEP, and neither encrypts nor decrypts with EC keys. */
const isBeyond22 = ({ layering, cipher, to, keyTransport }: Case): boolean =>
  layering !== 'sign' && (cipher === 'aes-256-gcm' || to === 'p256' || keyTransport === 'rsa-oaep')

describePeerTool({
  title: 'gpgsm',
  programs: needsAll({ gpgsm: 'gpgsm', 'gpg-agent': 'gpg-agent', openssl: 'openssl' }),
  async makeTool(correspondence) {
    const home = await makeGpgsmHome(correspondence)
    return { ...gpgsmTool(home, correspondence), [Symbol.asyncDispose]: () => home[Symbol.asyncDispose]() }
  },
  outbound: [...casesFor(['sign', 'encrypt-sign', 'sign-encrypt', 'triple']), ...OUTBOUND_EXTRAS],
  inbound: casesFor(['sign', 'encrypt', 'encrypt-sign', 'sign-encrypt', 'triple']).filter((each) => !isBeyond22(each)),
  isBeyond: isBeyond22,
})

/** What a mail program does around gpgsm: MIME. Its words on the status channel say what it found. */
function gpgsmTool(home: GpgsmHome, correspondence: Correspondence): PeerTool {
  let last = 0
  const fileOf = async (content: Uint8Array): Promise<string> => {
    const file = join(correspondence.peer.folder, `gpgsm-${++last}`)
    await writeFile(file, content)
    return file
  }
  const run = async (args: readonly string[], wanted: RegExp): Promise<Outcome> => {
    const out = `${await fileOf(Buffer.alloc(0))}.out`
    const { status, stdout, stderr } = await home.run(['--status-fd', '1', '--output', out, ...args])
    const said = stdout.toString()
    return status === 0 && wanted.test(said) ? { entity: await readOrEmpty(out) } : { problem: said + stderr }
  }
  const GOOD = /^\[GNUPG:\] GOODSIG [^]*^\[GNUPG:\] TRUST_FULLY/m
  return {
    name: `gpgsm ${home.version}`,
    async verify(entity) {
      if (!contentTypeOf(entity).startsWith('multipart/')) return run(['--verify', await fileOf(cmsOf(entity))], GOOD)
      const [content, signature] = partsOf(entity)
      const found = await run(['--verify', await fileOf(cmsOf(signature)), await fileOf(content)], GOOD)
      return 'problem' in found ? found : { entity: content }
    },
    decrypt: async (entity) => run(['--decrypt', await fileOf(cmsOf(entity))], /^\[GNUPG:\] DECRYPTION_OKAY/m),
    async sign(entity, key, form) {
      const content = canonical(entity)
      const options = ['--local-user', correspondence.addressOf(key), '--include-certs', '1']
      const detached = form === 'detached' ? ['--detach-sign'] : []
      const { status, stdout, stderr } = await home.run([...options, '--sign', ...detached, await fileOf(content)])
      assert.equal(status, 0, stderr)
      return form === 'detached' ? multipartSigned(content, stdout) : pkcs7Mime('signed-data', stdout)
    },
    async encrypt(entity, to, cipher) {
      const algorithm = cipher === 'aes-128-cbc' ? 'AES' : 'AES256'
      const options = ['--recipient', ourAddress(to), '--cipher-algo', algorithm, '--encrypt']
      const { status, stdout, stderr } = await home.run([...options, await fileOf(entity)])
      assert.equal(status, 0, stderr)
      return pkcs7Mime('enveloped-data', stdout)
    },
  }
}

const readOrEmpty = (file: string): Promise<Buffer> => readFile(file).catch(() => Buffer.alloc(0))
