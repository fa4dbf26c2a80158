/** From the settings under `policy` to what src/policy decides by. */
import type { Domain } from '../message/address.ts'
import type { InboundPolicy, OutboundPolicy } from '../policy/settings.ts'
import type { EncryptionChoice } from '../protection/standard.ts'
import type { Settings } from './schema.ts'

type PolicyFacts = Pick<Settings, 'domains' | 'peers' | 'policy'>

/** For mail to recipients in `domain`. */
export function outboundPolicyFor(settings: PolicyFacts, domain: Domain): OutboundPolicy {
  const { policy } = settings
  const own = policy.perDomain[domain] ?? {}
  const surrogate = settings.domains.includes(domain) || settings.peers.includes(domain)
  return {
    noKey: own.noKey ?? policy.noKey,
    layering: own.layering ?? policy.layering,
    surrogate,
    headerProtection: own.headerProtection ?? policy.headerProtection,
    subject: own.subject ?? policy.subject,
    encryption: encryptionFor(own.cipher ?? policy.cipher, own.keyTransport ?? policy.keyTransport, surrogate),
    signing: {
      form: own.signatureForm ?? policy.signatureForm,
      signature: own.signature ?? policy.signature,
      digest: own.digest ?? policy.digest,
    },
  }
}

/** What every surrogate reads is better than what every mail program reads: a tag proves that nothing was changed. */
function encryptionFor(
  cipher: Settings['policy']['cipher'],
  keyTransport: Settings['policy']['keyTransport'],
  surrogate: boolean,
): EncryptionChoice {
  const known: EncryptionChoice = surrogate ? { cipher: 'aes-256-gcm', keyTransport: 'rsa-oaep' } : {}
  return {
    ...known,
    ...(cipher === 'auto' ? {} : { cipher }),
    ...(keyTransport === 'auto' ? {} : { keyTransport }),
  }
}

/** For mail to our own `domain`. */
export function inboundPolicyFor({ policy }: PolicyFacts, domain: Domain): InboundPolicy {
  const own = policy.perDomain[domain] ?? {}
  return {
    onTampered: own.onTampered ?? policy.onTampered,
    onMismatch: own.onMismatch ?? policy.onMismatch,
    onUnknownKey: own.onUnknownKey ?? policy.onUnknownKey,
    onUnsigned: own.onUnsigned ?? policy.onUnsigned,
    onUnprotected: own.onUnprotected ?? policy.onUnprotected,
    onNoPrivateKey: own.onNoPrivateKey ?? policy.onNoPrivateKey,
  }
}
