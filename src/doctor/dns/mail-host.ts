/** The name server, and what the DNS says of this host. */
import { networkInterfaces } from 'node:os'
import { isPublicAddress } from '../../keys/public-address.ts'
import { reverseName } from '../../authentication/ip-address.ts'
import { type Finding, good, trouble, unanswered } from '../finding.ts'
import type { Patient } from '../patient.ts'

/** Signed, and asked for by every resolver anyway. */
const SIGNED_NAME = 'arpa'

export async function examineResolver({ ask, askBelieving, config }: Patient): Promise<Finding> {
  const check = 'name server'
  const domain = config.domains[0] ?? SIGNED_NAME
  const answer = await ask(domain, 'MX')
  if (answer.kind === 'trouble')
    return trouble(check, 'broken', `does not answer for ${domain}: ${answer.why}`, {
      why: 'Without names no mail leaves, and none that comes in can be judged.',
      remedy: 'Set "dns.resolver" to a name server that answers; one on this machine is best: apt-get install unbound',
    })
  const [believed, said] = await Promise.all([ask(SIGNED_NAME, 'TXT'), askBelieving(SIGNED_NAME, 'TXT')])
  if (believed.kind !== 'trouble' && believed.secure) return good(check, 'answers, and validates (DNSSEC)')
  if (said.kind !== 'trouble' && said.secure)
    return trouble(check, 'warning', 'validates, but is not on this machine, so that it is not believed', {
      why: 'Whoever can write to the line in between could say that anything is validated. DANE and keys in the DNS do not count.',
      remedy:
        'Run unbound on this machine (dns.resolver: 127.0.0.1), or say "dns.trustValidation: always" where the line is your own.',
    })
  return trouble(check, 'warning', 'answers, but does not validate (DNSSEC)', {
    why: 'Mail hosts that say how TLS with them has to be (DANE) are not listened to, and keys in the DNS do not count.',
    remedy: 'apt-get install unbound, and "dns.resolver: 127.0.0.1"',
  })
}

/** IPv4 and IPv6, as the DNS has them for our host name. */
export async function addressesOf({ ask, config: { hostname } }: Patient): Promise<readonly string[]> {
  const answers = await Promise.all([ask(hostname, 'A'), ask(hostname, 'AAAA')])
  return answers.flatMap((answer) => (answer.kind === 'records' ? answer.records : []))
}

export async function examineHostName(patient: Patient, addresses: readonly string[]): Promise<Finding> {
  const { hostname } = patient.config
  const check = `address of ${hostname}`
  if (addresses.length === 0) {
    const answer = await patient.ask(hostname, 'A')
    if (answer.kind === 'trouble') return unanswered(check, answer.why)
    return trouble(check, 'broken', 'there is none in the DNS', {
      why: 'Other servers cannot find this one, and many take no mail from a host whose name leads nowhere.',
      remedy: `Publish: ${hostname}. A ${ownAddresses().find(isPublicAddress) ?? 'ADDRESS-OF-THIS-SERVER'}; or set "hostname" to the name that this server has.`,
    })
  }
  const own = new Set(ownAddresses())
  const foreign = addresses.filter((address) => !own.has(address))
  if (foreign.length === 0) return good(check, addresses.join(', '))
  return trouble(check, 'hint', `${foreign.join(', ')} is no address of this machine`, {
    why: 'That is as it should be behind a load balancer or a translated address, and else a mistake.',
    remedy: `If no other machine has that address for us: correct the A and AAAA records of ${hostname}.`,
  })
}

const ownAddresses = (): readonly string[] =>
  Object.values(networkInterfaces()).flatMap((each) => (each ?? []).map(({ address }) => address))

/** The name of each address, and whether that leads back. */
export async function examineReverse(patient: Patient, addresses: readonly string[]): Promise<readonly Finding[]> {
  const { hostname } = patient.config
  return await Promise.all(
    addresses.filter(isPublicAddress).map(async (address) => {
      const check = `PTR of ${address}`
      const answer = await patient.ask(reverseName(address), 'PTR')
      if (answer.kind === 'trouble') return unanswered(check, answer.why)
      const names = answer.kind === 'records' ? answer.records : []
      if (names.includes(hostname)) return good(check, hostname)
      const finding = names.length === 0 ? 'the address has no name' : `says ${names.join(', ')}, not ${hostname}`
      return trouble(check, 'warning', finding, {
        why: 'Large providers refuse mail from an address whose name is not that of its host.',
        remedy: `Ask who gave you the address for: ${reverseName(address)}. PTR ${hostname}.`,
      })
    }),
  )
}
