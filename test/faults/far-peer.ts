/**
 * A next hop in a network namespace of its own, run there by blackhole.test.ts: at the stage that it is told, the network swallows
 * everything that it sends from then on, without a word to either side.
 */
import { execFileSync } from 'node:child_process'
import { startScriptedSmtp } from '../support/scripted-smtp.ts'

export type Stage = 'never' | 'now' | 'MAIL' | 'RCPT' | 'end'
export type Order = { readonly vanishAt: Stage } | 'taken'

const [, , ownAddress, otherAddress] = process.argv as [string, string, string, string]
let vanishAt: Stage = 'never'
let gone = false

function route(verb: 'add' | 'del'): void {
  execFileSync('ip', ['route', verb, 'blackhole', otherAddress])
  gone = verb === 'add'
}

function at(stage: Stage, answer: string): string {
  if (vanishAt === stage && !gone) route('add')
  return answer
}

const script = {
  ehlo: ['8BITMIME'],
  mail: () => at('MAIL', '250 2.1.0 Ok'),
  rcpt: () => at('RCPT', '250 2.1.5 Ok'),
  end: () => at('end', '250 2.0.0 Ok'),
}
const peer = await startScriptedSmtp(script, { host: ownAddress })

process.on('message', (order: Order) => {
  if (order === 'taken') return process.send?.(peer.taken.map(String))
  if (gone) route('del')
  vanishAt = order.vanishAt
  if (vanishAt === 'now') route('add')
  return process.send?.('done')
})
process.on('disconnect', () => process.exit())
process.send?.({ port: peer.port })
