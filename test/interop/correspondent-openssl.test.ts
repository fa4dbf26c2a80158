/** A correspondent who reads and writes protected mail with `openssl cms`, against the running server. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { needs } from '../support/apt.ts'
import { type Correspondence, eachOf, startCorrespondence } from '../support/correspondence.ts'
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
import { openssl, runProgram } from '../support/correspondent.ts'
import { type Outcome, type PeerTool, openWith, record, shownOf } from '../support/peer-tool.ts'

const OPENSSL = needs('openssl', 'openssl')
const OUTBOUND: readonly Case[] = [...casesFor(['sign', 'encrypt-sign', 'sign-encrypt', 'triple']), ...OUTBOUND_EXTRAS]
const INBOUND: readonly Case[] = casesFor(['sign', 'encrypt', 'encrypt-sign', 'sign-encrypt', 'triple'])

describe('openssl cms', OPENSSL, () => {
  const stack = new AsyncDisposableStack()
  let correspondence: Correspondence
  let tool: PeerTool
  before(async () => {
    correspondence = stack.use(await startCorrespondence(domainsFor(OUTBOUND)))
    tool = await opensslTool(correspondence)
  })
  after(() => stack.disposeAsync())

  test('opens and verifies what our users send, in every layering', async (t) => {
    const mails = await sendAll(correspondence, OUTBOUND)
    const views = await eachOf([...mails.entries()], ([index, mail]) =>
      openWith(tool, mail, (OUTBOUND[index] as Case).to),
    )
    for (const [index, how] of OUTBOUND.entries())
      await t.test(nameOf(how), () => {
        const view = views[index]
        assert.equal(view?.problem, undefined)
        assert.deepEqual(view?.layers, LAYERS[how.layering])
        const shown = shownOf(view?.payload ?? '')
        assert.equal(shown, how.headerProtection === false ? 'body' : 'body, header above it')
        record(tool.name, 'Sealpost to peer', how, { opens: true, verifies: true, shown })
      })
    await t.test('and refuses what was changed on the way', async () => {
      const changed = await eachOf([...mails.entries()], ([index, mail]) =>
        openWith(tool, tampered(mail), (OUTBOUND[index] as Case).to),
      )
      for (const [index, how] of OUTBOUND.entries()) assert.notEqual(changed[index]?.problem, undefined, nameOf(how))
    })
  })

  test('makes mail that our users get opened and verified, in every layering', async (t) => {
    const delivered = await deliverAll(correspondence, tool, INBOUND)
    for (const each of delivered)
      await t.test(nameOf(each.how), () => {
        checkDelivered(each)
        const verifies = each.how.layering === 'encrypt' ? undefined : true
        record(tool.name, 'peer to Sealpost', each.how, { opens: true, verifies, shown: 'body' })
      })
  })
})

async function opensslTool({ peer, ourCaFile, users }: Correspondence): Promise<PeerTool> {
  const version = (await openssl(['version'])).toString().split(' ').slice(0, 2).join(' ')
  let last = 0
  const fileOf = async (entity: Buffer): Promise<string> => {
    const file = join(peer.folder, `openssl-${++last}.eml`)
    await writeFile(file, entity)
    return file
  }
  const outcome = async (args: readonly string[]): Promise<Outcome> => {
    const { status, stdout, stderr } = await runProgram('openssl', args)
    return status === 0 ? { entity: stdout } : { problem: stderr }
  }
  const keyArgs = (kind: 'rsa' | 'p256', option: string): string[] => {
    const { certificateFile, keyFile } = peer.keys[kind]
    return [option, certificateFile, '-inkey', keyFile]
  }
  return {
    name: `${version}, \`openssl cms\``,
    verify: async (entity) => outcome(['cms', '-verify', '-in', await fileOf(entity), '-CAfile', ourCaFile]),
    decrypt: async (entity, key) =>
      outcome(['cms', '-decrypt', '-in', await fileOf(entity), ...keyArgs(key, '-recip')]),
    sign: (entity, key, form) =>
      openssl(['cms', '-sign', ...(form === 'opaque' ? ['-nodetach'] : []), ...keyArgs(key, '-signer')], entity),
    encrypt: (entity, to, cipher) => openssl(['cms', '-encrypt', `-${cipher}`, users[to].certificateFile], entity),
  }
}
