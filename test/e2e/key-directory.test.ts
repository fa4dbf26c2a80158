/**
 * Two providers that have never heard of each other, with nothing configured but that each publishes its users' OpenPGP
 * keys: the first mail is encrypted already, and its signature is believed.
 */
import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { request } from 'node:https'
import { dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { createTlsCertificate } from '../../src/keys/certificate-authority.ts'
import { readOpenpgpCertificate } from '../../src/protection/openpgp/certificate/read.ts'
import { stateAt } from '../../src/protection/openpgp/certificate/state.ts'
import { wkdHash } from '../../src/protocol/wkd.ts'
import { freePort } from '../support/free-port.ts'
import { fetchWhenThere } from '../support/pop3-client.ts'
import { type Provider, makeProvider, runSealpost } from '../support/provider.ts'
import { startScriptedDns } from '../support/scripted-dns.ts'
import { submit } from '../support/smtp-client.ts'

const PRELOAD = fileURLToPath(new URL('../support/https-port-preload.ts', import.meta.url))
const [ANNA, BOB] = ['anna@alpha.example', 'bob@beta.example'] as const
const [ALPHA_HOST, BETA_HOST] = ['127.0.0.77', '127.0.0.78'] as const

interface Answer {
  readonly status: number
  readonly type: string
  readonly body: Buffer
}

function get(host: string, port: number, name: string, path: string, ca: string, accept = '*/*'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = { host, port, servername: name, ca, headers: { host: name, accept }, path, agent: false }
    const asked = request(options, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          type: response.headers['content-type'] ?? '',
          body: Buffer.concat(chunks),
        }),
      )
    })
    asked.on('error', reject)
    asked.end()
  })
}

const tlsFile = (provider: Provider): string => join(dirname(provider.configFile), 'tls-certificate.pem')

async function twoProviders() {
  const port = await freePort(ALPHA_HOST)
  const dns = await startScriptedDns({
    a: { 'openpgpkey.alpha.example': [ALPHA_HOST], 'openpgpkey.beta.example': [BETA_HOST] },
  })
  const env = { NODE_OPTIONS: `--import=${PRELOAD}`, TEST_HTTPS_PORT: String(port) }
  const make = (domain: string, host: string): Promise<Provider> =>
    makeProvider({
      domains: [domain],
      config: {
        listeners: { https: { host, port } },
        lookup: { wkd: true },
        fetch: { allowNetworks: ['127.0.0.77/32', '127.0.0.78/32'] },
        dns: { resolver: dns.resolver },
      },
      env,
    })
  const [alpha, beta] = [await make('alpha.example', ALPHA_HOST), await make('beta.example', BETA_HOST)]
  const passwordOf = async (provider: Provider, user: string): Promise<string> =>
    String((await provider.cli(['user', 'add', user]))[0]?.['password'])
  const passwords = { anna: await passwordOf(alpha, ANNA), bob: await passwordOf(beta, BOB) }
  await alpha.configure({ relay: { routes: { '*': `127.0.0.1:${beta.ports.mx}` } } })
  await beta.configure({ relay: { routes: { '*': `127.0.0.1:${alpha.ports.mx}` } } })
  await alpha.start({ NODE_EXTRA_CA_CERTS: tlsFile(beta) })
  await beta.start({ NODE_EXTRA_CA_CERTS: tlsFile(alpha) })
  const stop = async (): Promise<void> => {
    await Promise.all([alpha[Symbol.asyncDispose](), beta[Symbol.asyncDispose](), dns[Symbol.asyncDispose]()])
  }
  return { alpha, beta, port, env, passwords, stop }
}

describe('two providers with directories', () => {
  let providers: Awaited<ReturnType<typeof twoProviders>>
  before(async () => {
    providers = await twoProviders()
  })
  after(() => providers.stop())

  test('the first mail to a stranger is encrypted to the key in their domain’s directory, and theirs is verified by ours', async () => {
    const { alpha, beta, passwords } = providers
    const message = `From: ${ANNA}\r\nTo: ${BOB}\r\nSubject: First contact\r\n\r\nHello Bob\r\n`
    const mail = { port: alpha.ports.submission, user: ANNA, password: passwords.anna, to: [BOB], message }
    assert.match((await submit(mail)).reply, /^250 .*encrypted and signed for 1/)
    const found = await alpha.event('key-looked-up')
    assert.deepEqual([found['address'], found['source'], found['outcome']], [BOB, 'wkd', 'found'])
    assert.deepEqual(
      (await alpha.cli(['key', 'list', BOB])).map((key) => [key['standard'], key['trust'], key['source']]),
      [['openpgp', 'found', 'wkd']],
    )

    const verdict = await beta.event('verdict')
    assert.deepEqual([verdict['signature'], verdict['encrypted'], verdict['outcome']], ['valid', true, 'accept'])
    const learned = await beta.event('key-looked-up')
    assert.deepEqual([learned['address'], learned['source'], learned['outcome']], [ANNA, 'wkd', 'found'])
    const [read] = await fetchWhenThere(beta.ports.pop3s, BOB, passwords.bob)
    const text = read?.toString('latin1') ?? ''
    assert.match(text, /\r\nHello Bob\r\n/)
    assert.match(text, /^Authentication-Results: .*openpgp=pass/m)
  })

  test('sealpost key find asks at once, and says what each source had', async () => {
    const { alpha, beta, env } = providers
    const find = async (who: string): Promise<Record<string, unknown>> => {
      const args = ['key', 'find', who, '--json', '--config', beta.configFile]
      const said = await runSealpost(args, undefined, { ...env, NODE_EXTRA_CA_CERTS: tlsFile(alpha) })
      return JSON.parse(said) as Record<string, unknown>
    }
    const [own] = (await alpha.cli(['key', 'list', ANNA])).filter((key) => key['standard'] === 'openpgp')
    assert.deepEqual(await find(ANNA), { source: 'wkd', outcome: 'found', fingerprints: [own?.['fingerprint']] })
    assert.deepEqual(await find('nobody@alpha.example'), { source: 'wkd', outcome: 'absent', fingerprints: [] })
    await assert.rejects(find(BOB), /one of ours/)
  })

  test('what the directory hands out, and to whom', async () => {
    const { alpha, port } = providers
    const ca = await readFile(tlsFile(alpha), 'utf8')
    const ask = (path: string, accept?: string): Promise<Answer> =>
      get(ALPHA_HOST, port, 'openpgpkey.alpha.example', `/.well-known/openpgpkey/alpha.example/${path}`, ca, accept)
    const key = `hu/${wkdHash('anna')}?l=anna`
    assert.equal((await ask('policy')).status, 200)
    const binary = await ask(key)
    assert.deepEqual([binary.status, binary.type], [200, 'application/octet-stream'])
    assert.equal((binary.body[0] ?? 0) & 0x80, 0x80)
    const armored = await ask(key, 'application/pgp-keys')
    assert.deepEqual([armored.status, armored.type], [200, 'application/pgp-keys'])
    assert.match(armored.body.toString('latin1'), /^-----BEGIN PGP PUBLIC KEY BLOCK-----\r?\n/)
    assert.deepEqual((await ask(`hu/${wkdHash('anna')}`)).body, (await ask(key)).body, 'by the hash alone')
    assert.equal((await ask(`hu/${wkdHash('nobody')}?l=nobody`)).status, 404)
    assert.equal((await ask(key.replace('?l=anna', '?l=bob'))).status, 404)

    const own = (await alpha.cli(['key', 'list', ANNA])).find((row) => row['standard'] === 'openpgp')
    await alpha.cli(['key', 'revoke', String(own?.['fingerprint'])])
    const revoked = readOpenpgpCertificate((await ask(key)).body)
    assert.ok(revoked.ok)
    const state = stateAt(revoked.value, Date.now())
    assert.equal(revoked.value.fingerprint, own?.['fingerprint'])
    assert.equal(state.valid ? 'valid' : state.verdict, 'revoked', 'for all to learn')

    await alpha.cli(['user', 'suspend', ANNA])
    assert.equal((await ask(key)).status, 404, 'a user who is suspended is not there')

    const fresh = await createTlsCertificate({ hosts: ['openpgpkey.alpha.example'], nowMs: Date.now() })
    await writeFile(tlsFile(alpha), fresh.certificatePem)
    await writeFile(join(dirname(alpha.configFile), 'tls-key.pem'), fresh.keyPem)
    alpha.process?.kill('SIGHUP')
    await alpha.event('reloaded')
    assert.equal((await get(ALPHA_HOST, port, 'openpgpkey.alpha.example', '/', fresh.certificatePem)).status, 404)
  })
})
