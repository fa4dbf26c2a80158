/** Where the server listens, and whom it believes there. */
import { z } from 'zod'
import { networkField, portField } from './fields.ts'

const address = (port: number, host = '::') =>
  z.strictObject({
    host: z.string().min(1).default(host).describe('Address to listen on; `::` is every address, IPv4 included.'),
    port: portField.default(port).describe('0 picks a free one, which the `ready` line of the log names.'),
  })

const networks = (what: string) => z.array(networkField).prefault([]).describe(what)

const mailListener = (port: number) =>
  address(port).extend({
    proxyProtocol: networks(
      'Networks of load balancers of ours, which say by a PROXY header (version 1 or 2) who the client is: see [load-balancer.md](load-balancer.md). From there a connection without one is closed; from elsewhere none is read.',
    ),
  })

const smtpListener = (port: number, what: string) =>
  mailListener(port)
    .extend({
      trustedProxies: networks(
        'Mail servers of ours in front, which may say for whom they come (XCLIENT, XFORWARD; on submission also who has signed in): see [beside-postfix.md](beside-postfix.md). Nobody else is offered that, nor heard.',
      ),
    })
    .nullable()
    .prefault({})
    .describe(`${what} Write \`null\` to turn it off.`)

const listener = (port: number, what: string) =>
  mailListener(port).nullable().prefault({}).describe(`${what} Write \`null\` to turn it off.`)

export const listenersField = z.strictObject({
  mx: smtpListener(25, 'Mail from the Internet for our own domains (SMTP, STARTTLS).'),
  submission: smtpListener(587, "Mail from our users' programs (SMTP, STARTTLS)."),
  submissions: smtpListener(465, "Mail from our users' programs (SMTP in TLS)."),
  pop3: listener(110, 'Users fetch their mail (POP3, STLS).'),
  pop3s: listener(995, 'Users fetch their mail (POP3 in TLS).'),
  https: address(443)
    .nullable()
    .prefault(null)
    .describe(
      "Our users' OpenPGP keys for everybody (Web Key Directory): see [publishing-keys.md](publishing-keys.md). Off as long as it is `null`; write `{}` to turn it on.",
    ),
  http: address(8080, '127.0.0.1')
    .nullable()
    .prefault({})
    .describe(
      'Health, readiness and metrics for those who watch the server, without TLS and without asking who it is: see [monitoring.md](monitoring.md). When the port is taken, mail goes on without it. Write `null` to turn it off.',
    ),
})
