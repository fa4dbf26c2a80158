/** The tests that every program of a `PeerTool` goes through, against the running server. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type Case, LAYERS, domainsFor, nameOf, sendAll, tampered } from './correspondent-cases.ts'
import { checkDelivered, deliverAll } from './correspondent-mail.ts'
import { type Correspondence, eachOf, startCorrespondence } from './correspondence.ts'
import { type PeerTool, openWith, record, shownOf } from './peer-tool.ts'

export interface PeerToolSuite {
  readonly title: string
  /** Of `needs`. */
  readonly programs: { readonly skip: string | false }
  makeTool(correspondence: Correspondence): Promise<PeerTool & Partial<AsyncDisposable>>
  /** What our users send. */
  readonly outbound: readonly Case[]
  /** What the program makes. */
  readonly inbound: readonly Case[]
  /** Where the program may fail; everywhere else it has to open and verify. */
  isBeyond(how: Case): boolean
}

export function describePeerTool({ title, programs, makeTool, outbound, inbound, isBeyond }: PeerToolSuite): void {
  describe(title, programs, () => {
    const stack = new AsyncDisposableStack()
    let correspondence: Correspondence
    let tool: PeerTool
    before(async () => {
      correspondence = stack.use(await startCorrespondence(domainsFor(outbound)))
      const made = await makeTool(correspondence)
      stack.defer(() => made[Symbol.asyncDispose]?.())
      tool = made
    })
    after(() => stack.disposeAsync())

    test('opens and verifies what our users send, in every layering that it can', async (t) => {
      const mails = await sendAll(correspondence, outbound)
      const views = await eachOf([...mails.entries()], ([index, mail]) =>
        openWith(tool, mail, (outbound[index] as Case).to),
      )
      for (const [index, how] of outbound.entries())
        await t.test(nameOf(how), () => {
          const view = views[index]
          const seen = { verifies: view?.layers.includes('signed') === true }
          if (isBeyond(how) && view?.problem !== undefined) {
            record(tool.name, 'Sealpost to peer', how, { opens: false, ...seen, shown: '–' })
            return
          }
          assert.equal(view?.problem, undefined)
          assert.deepEqual(view?.layers, LAYERS[how.layering])
          const shown = shownOf(view?.payload ?? '')
          assert.equal(shown.includes('header above it'), how.headerProtection !== false)
          record(tool.name, 'Sealpost to peer', how, { opens: true, ...seen, shown })
        })
      await t.test('and refuses what was changed on the way', async () => {
        const within = [...outbound.entries()].filter(([, how]) => !isBeyond(how))
        const changed = await eachOf(within, ([index, how]) => openWith(tool, tampered(mails[index] as Buffer), how.to))
        for (const [at, [, how]] of within.entries()) assert.notEqual(changed[at]?.problem, undefined, nameOf(how))
      })
    })

    test('makes mail that our users get opened and verified, in every layering that it can', async (t) => {
      const delivered = await deliverAll(correspondence, tool, inbound)
      for (const each of delivered)
        await t.test(nameOf(each.how), () => {
          checkDelivered(each)
          const verifies = each.how.layering === 'encrypt' ? undefined : true
          record(tool.name, 'peer to Sealpost', each.how, { opens: true, verifies, shown: 'body' })
        })
    })
  })
}
