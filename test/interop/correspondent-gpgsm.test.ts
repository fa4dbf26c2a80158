/** A correspondent who reads and writes protected mail with gpgsm (as KMail, Claws and mutt do), against the running server. */
import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { needsAll } from '../support/apt.ts'
import { type Correspondence, eachOf, ourAddress, startCorrespondence } from '../support/correspondence.ts'
import {
  type Case,
  LAYERS,
  OUTBOUND_EXTRAS,
  casesFor,
  domainsFor,
  nameOf,
  sendAll,
  tampered,
} from '../support/correspondent-cases.ts'
import { checkDelivered, deliverAll } from '../support/correspondent-mail.ts'
import { type GpgsmHome, makeGpgsmHome } from '../support/gpgsm.ts'
import { type Outcome, type PeerTool, contentTypeOf, openWith, record, shownOf } from '../support/peer-tool.ts'

const PROGRAMS = needsAll({ gpgsm: 'gpgsm', 'gpg-agent': 'gpg-agent', openssl: 'openssl' })
const OUTBOUND: readonly Case[] = [...casesFor(['sign', 'encrypt-sign', 'sign-encrypt', 'triple']), ...OUTBOUND_EXTRAS]

/** gpgsm 2.2 has no GCM and no OAEP, and neither encrypts nor decrypts with EC keys. */
const isBeyond22 = ({ layering, cipher, to, keyTransport }: Case): boolean =>
  layering !== 'sign' && (cipher === 'aes-256-gcm' || to === 'p256' || keyTransport === 'rsa-oaep')

const INBOUND = casesFor(['sign', 'encrypt', 'encrypt-sign', 'sign-encrypt', 'triple']).filter(
  (each) => !isBeyond22(each),
)

describe('gpgsm', PROGRAMS, () => {
  const stack = new AsyncDisposableStack()
  let correspondence: Correspondence
  let home: GpgsmHome
  let tool: PeerTool
  before(async () => {
    correspondence = stack.use(await startCorrespondence(domainsFor(OUTBOUND)))
    home = stack.use(await makeGpgsmHome(correspondence))
    tool = gpgsmTool(home, correspondence)
  })
  after(() => stack.disposeAsync())

  test('opens and verifies what our users send, in every layering that it can', async (t) => {
    const mails = await sendAll(correspondence, OUTBOUND)
    const views = await eachOf([...mails.entries()], ([index, mail]) =>
      openWith(tool, mail, (OUTBOUND[index] as Case).to),
    )
    for (const [index, how] of OUTBOUND.entries())
      await t.test(nameOf(how), () => {
        const view = views[index]
        const seen = { verifies: view?.layers.includes('signed') === true }
        if (isBeyond22(how) && view?.problem !== undefined) {
          record(tool.name, 'Sealpost to peer', how, { opens: false, ...seen, shown: '–' })
          return
        }
        assert.equal(view?.problem, undefined)
        assert.deepEqual(view?.layers, LAYERS[how.layering])
        const shown = shownOf(view?.payload ?? '')
        record(tool.name, 'Sealpost to peer', how, { opens: true, ...seen, shown })
      })
    await t.test('and refuses what was changed on the way', async () => {
      const within = [...OUTBOUND.entries()].filter(([, how]) => !isBeyond22(how))
      const changed = await eachOf(within, ([index, how]) => openWith(tool, tampered(mails[index] as Buffer), how.to))
      for (const [at, [, how]] of within.entries()) assert.notEqual(changed[at]?.problem, undefined, nameOf(how))
    })
  })

  test('makes mail that our users get opened and verified, in every layering that it can', async (t) => {
    const delivered = await deliverAll(correspondence, tool, INBOUND)
    for (const each of delivered)
      await t.test(nameOf(each.how), () => {
        checkDelivered(each)
        const verifies = each.how.layering === 'encrypt' ? undefined : true
        record(tool.name, 'peer to Sealpost', each.how, { opens: true, verifies, shown: 'body' })
      })
  })
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
      const content = Buffer.from(entity.toString('latin1').replaceAll(/\r?\n/g, '\r\n'), 'latin1')
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

function cmsOf(entity: Buffer): Buffer {
  const text = entity.toString('latin1')
  return Buffer.from(text.slice(text.search(/\r?\n\r?\n/)), 'base64')
}

/** The bytes between the delimiter lines (RFC 2046 §5.1.1): what was signed, and the signature. */
function partsOf(entity: Buffer): [content: Buffer, signature: Buffer] {
  const boundary = /boundary="([^"]+)"/.exec(contentTypeOf(entity))?.[1] ?? ''
  const [, content = '', signature = ''] = entity.toString('latin1').split(`--${boundary}`)
  return [Buffer.from(content.slice(2, -2), 'latin1'), Buffer.from(signature.slice(2, -2), 'latin1')]
}

function pkcs7Mime(smimeType: string, cms: Buffer): Buffer {
  const type = `Content-Type: application/pkcs7-mime; smime-type=${smimeType}; name=smime.p7m`
  return Buffer.from(`${type}\r\nContent-Transfer-Encoding: base64\r\n\r\n${lines(cms)}\r\n`)
}

function multipartSigned(content: Buffer, cms: Buffer): Buffer {
  const type = 'multipart/signed; protocol="application/pkcs7-signature"; micalg=sha-256; boundary="nextPart"'
  const signature = 'Content-Type: application/pkcs7-signature; name=smime.p7s\r\nContent-Transfer-Encoding: base64'
  const head = `Content-Type: ${type}\r\n\r\nThis is a multi-part message in MIME format.\r\n--nextPart\r\n`
  const tail = `\r\n--nextPart\r\n${signature}\r\n\r\n${lines(cms)}\r\n--nextPart--\r\n`
  return Buffer.concat([Buffer.from(head), content, Buffer.from(tail)])
}

const lines = (cms: Buffer): string => cms.toString('base64').replaceAll(/.{76}/g, '$&\r\n').trimEnd()
