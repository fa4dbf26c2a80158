/** A user of a running server, to whom an attacker sends what a fooled mail program would open. */
import assert from 'node:assert/strict'
import { type SmimeCertificate, parseCertificate } from '../../src/protection/smime/x509/certificate.ts'
import { fetchAll } from './pop3-client.ts'
import { makeProvider } from './provider.ts'
import { sendUnauthenticated } from './smtp-client.ts'
import { MALLORY } from './tampering.ts'

export interface AttackedReader extends AsyncDisposable {
  readonly certificate: SmimeCertificate
  /** From the attacker; the server's reply. */
  send(message: Buffer): Promise<string>
  /** What has come, and is removed by that. */
  fetched(): Promise<Buffer[]>
}

const READER = 'u-suzuki@abc.com'

export async function startAttackedReader(): Promise<AttackedReader> {
  await using stack = new AsyncDisposableStack()
  const provider = stack.use(await makeProvider({ domains: ['abc.com'] }))
  const [user] = await provider.cli(['user', 'add', READER])
  const [key] = await provider.cli(['key', 'export', READER])
  const parsed = parseCertificate(Buffer.from(String(key?.['pem']).replaceAll(/-----.*-----|\s/g, ''), 'base64'))
  assert(parsed.ok)
  await provider.start()
  const disposing = stack.move()
  return {
    certificate: parsed.value,
    send: (message) => sendUnauthenticated(provider.ports.mx, MALLORY, { to: [READER], message }),
    fetched: () => fetchAll(provider.ports.pop3s, READER, String(user?.['password']), { remove: true }),
    [Symbol.asyncDispose]: () => disposing.disposeAsync(),
  }
}
