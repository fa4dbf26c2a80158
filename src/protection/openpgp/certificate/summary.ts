/** What a certificate says of itself as a whole, after its owner's last words (`Certificate` of standard.ts). */
import { type Address, addressKey } from '../../../message/address.ts'
import type { Certificate } from '../../standard.ts'
import { type Component, type UserId, isTakenBack } from './certificate.ts'
import type { Binding } from './self-signatures.ts'
import { type Facts, endOf, mayEncrypt, maySign } from './state.ts'
import { primaryUserId } from './preferences.ts'

/** 9999-12-31T23:59:59Z, as X.509 says it (RFC 5280 §4.1.2.5). */
const NEVER_MS = Date.UTC(9999, 11, 31, 23, 59, 59)

type Summary = Pick<Certificate, 'addresses' | 'subject' | 'notAfterMs' | 'canSign' | 'canEncrypt'>

export function summarise(facts: Facts): Summary {
  const [primary, ...subkeys] = facts.components as [Component, ...Component[]]
  const stands = primary.revocations.length === 0 && primary.bindings.length > 0
  const usable = stands ? [primary, ...subkeys.filter(({ revocations }) => revocations.length === 0)] : []
  const encrypting = ends(
    usable.filter(({ weak }) => weak === undefined),
    mayEncrypt,
  )
  return {
    addresses: addressesOf(facts.userIds),
    subject: primaryUserId(facts)?.text ?? '',
    notAfterMs: Math.min(endOfFirst(primary), ...(encrypting.length === 0 ? [] : [Math.max(...encrypting)]), NEVER_MS),
    // Whether it could when it did is asked of the time of each signature (state.ts), of revoked keys too.
    canSign: ends(facts.components, maySign).length > 0,
    canEncrypt: encrypting.length > 0,
  }
}

/** When those come to an end that may do something. */
function ends(
  components: readonly Component[],
  may: (component: Component, binding: Binding) => boolean,
): readonly number[] {
  return components.flatMap((component) => {
    const [newest] = component.bindings
    return newest !== undefined && may(component, newest) ? [endOf(newest)] : []
  })
}

const endOfFirst = ({ bindings: [newest] }: Component): number => (newest === undefined ? 0 : endOf(newest))

/** Each once, in the order of the user ids, without those whose last word is a revocation. */
function addressesOf(userIds: readonly UserId[]): readonly Address[] {
  const byKey = new Map<string, Address>()
  for (const { address } of userIds.filter((userId) => !isTakenBack(userId)))
    if (address !== undefined && !byKey.has(addressKey(address))) byKey.set(addressKey(address), address)
  return [...byKey.values()]
}
