/** A real Postfix that has the ports to the world, and Sealpost behind it: docs/operating/beside-postfix.md. */
import { parse } from 'yaml'
import { freePorts } from './free-port.ts'
import { testTls } from './pop3-server.ts'
import { type Postfix, startPostfix } from './postfix.ts'
import type { Provider } from './provider.ts'
import { setUpFile } from './set-up.ts'

/** Who comes from here has signed in at Postfix: how, is Postfix's affair. */
export const SIGNED_IN = '127.0.0.2'
export const STRANGER = '127.0.0.3'

/** `relay_domains` and what else main.cf needs: the rest of each page's step. */
const MAIN_CF = {
  'postfix-before-queue.cf': {},
  'postfix-after-queue.cf': { relay_transport: 'sealpost:[127.0.0.1]:10025' },
} as const

export type BesidePostfix = keyof typeof MAIN_CF
export const BESIDE_POSTFIX = Object.keys(MAIN_CF) as readonly BesidePostfix[]

export interface PostfixBeside extends Postfix {
  /** `protected`: where what Sealpost has protected comes back. */
  readonly ports: Readonly<Record<'mx' | 'submission' | 'protected', number>>
}

/** Configures `here`, which serves here.example and is to be started then, and starts a Postfix whose `users` are the world. */
export async function startPostfixBeside(
  setUp: BesidePostfix,
  here: Provider,
  users: readonly string[],
): Promise<PostfixBeside> {
  const ports = await freePorts(['mx', 'submission', 'protected'])
  const yaml = setUpFile('beside-postfix.yaml', {
    'example.org': 'here.example',
    '10025': String(here.ports.mx),
    '10587': String(here.ports.submission),
    '10026': String(ports.protected),
  })
  await here.configure(parse(yaml) as Record<string, unknown>)
  const service = setUpFile(setUp, {
    'smtp      inet': `127.0.0.1:${ports.mx} inet`,
    'submission inet': `127.0.0.1:${ports.submission} inet`,
    '127.0.0.1:10026': `127.0.0.1:${ports.protected}`,
    '10587': String(here.ports.submission),
    'smtpd_tls_security_level=encrypt': 'smtpd_tls_security_level=may',
    '  -o smtpd_sasl_auth_enable=yes\n': '',
    '  -o smtpd_sender_restrictions=reject_sender_login_mismatch\n': '',
    permit_sasl_authenticated: `check_client_access,inline:{${SIGNED_IN}=permit}`,
    ...(setUp === 'postfix-before-queue.cf' && { '10025': String(here.ports.mx) }),
  })
  const mainCf = Object.entries<string>(MAIN_CF[setUp]).map(([name, value]) => [
    name,
    value.replace('10025', String(here.ports.mx)),
  ])
  const postfix = await startPostfix({
    users,
    messageSizeMaxBytes: 50 * 2 ** 20,
    tls: testTls('postfix'),
    settings: { relay_domains: 'here.example', ...(Object.fromEntries(mainCf) as Record<string, string>) },
    services: [[service]],
  })
  return { ...postfix, ports }
}
