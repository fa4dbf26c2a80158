/** Postfix as a provider could run it in our place: relaying the mail as it is, or through openssl as a content filter. */
import { generateKeyPairSync } from 'node:crypto'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { writeCertificatePem, writePrivateKeyPem } from '../src/protection/smime/key-files/pem.ts'
import { freePort } from '../test/support/free-port.ts'
import { type Postfix, startPostfix } from '../test/support/postfix.ts'
import { DAY_MS, makeCertificate } from '../test/support/x509-maker.ts'

/** Nobody has TLS here. */
const COMMON = { users: [], messageSizeMaxBytes: 200_000_000, tls: { certificatePem: '', keyPem: '' } } as const

/** To the next hop, unprotected. What limits it of its own accord is set as high as for ours. */
export const startPlainPostfix = (nextHop: number, domain: string): Promise<Postfix> =>
  startPostfix({ ...COMMON, settings: relaying(nextHop, domain) })

const relaying = (nextHop: number, domain: string): Readonly<Record<string, string>> => ({
  mynetworks: '127.0.0.0/8',
  smtpd_relay_restrictions: 'permit_mynetworks, reject',
  relay_domains: domain,
  transport_maps: `inline:{ ${domain}=smtp:[127.0.0.1]:${nextHop} }`,
  disable_dns_lookups: 'yes',
  smtpd_client_connection_count_limit: '0',
  smtpd_tls_security_level: 'none',
  smtpd_tls_cert_file: '',
  smtpd_tls_key_file: '',
})

/** Signs and encrypts each mail with two openssl processes, RSA-2048, and hands it back. */
export async function startPipedPostfix(nextHop: number, domain: string): Promise<Postfix> {
  const folder = await mkdtemp(join(tmpdir(), 'sealpost-filter-'))
  await chmod(folder, 0o755)
  const back = await freePort()
  for (const name of ['sender', 'reader']) {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const times = { notBeforeMs: Date.now() - DAY_MS, notAfterMs: Date.now() + DAY_MS }
    const { certificate } = makeCertificate({ name, key: privateKey, ...times })
    await writeFile(join(folder, `${name}.pem`), writeCertificatePem(certificate.encoded))
    await writeFile(join(folder, `${name}.key`), writePrivateKeyPem(privateKey))
  }
  const script = join(folder, 'filter')
  await writeFile(script, filterScript(folder, back), { mode: 0o755 })
  const postfix = await startPostfix({
    ...COMMON,
    settings: { ...relaying(nextHop, domain), content_filter: 'openssl:dummy' },
    services: [
      [
        'openssl',
        'unix',
        '-',
        'n',
        'n',
        '-',
        '10',
        'pipe',
        'flags=q',
        'user=nobody',
        `argv=${script} \${sender} \${recipient}`,
      ],
      [`127.0.0.1:${back}`, 'inet', 'n', '-', 'n', '-', '-', 'smtpd', '-o', 'content_filter='],
    ],
  })
  return {
    ...postfix,
    async [Symbol.asyncDispose]() {
      await postfix[Symbol.asyncDispose]()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** bash speaks SMTP itself, which spares it a process. */
const filterScript = (folder: string, port: number): string => `#!/bin/bash
set -e -o pipefail
exec 3<>/dev/tcp/127.0.0.1/${port}
hear() { while read -r line <&3; do [[ $line == ???' '* ]] && break; done; [[ $line == [23]* ]] || exit 75; }
hear; printf 'EHLO filter\\r\\n' >&3; hear
printf 'MAIL FROM:<%s>\\r\\nRCPT TO:<%s>\\r\\nDATA\\r\\n' "$1" "$2" >&3; hear; hear; hear
cd ${folder}
openssl cms -sign -md sha256 -signer sender.pem -inkey sender.key |
  openssl cms -encrypt -aes-256-cbc -crlfeol -from "$1" -to "$2" -subject Protected reader.pem >&3
printf '.\\r\\n' >&3; hear
`
