/** Where a certificate says that its status, and its issuer's certificate, can be fetched (RFC 5280 §4.2.1.13, §4.2.2.1). */
import { TAG, contextConstructed } from '../asn1/tlv.ts'
import { type SmimeCertificate, findExtension } from './certificate.ts'
import { EXTENSION } from './extensions.ts'
import { type GeneralName, readGeneralName, readGeneralNames } from './general-name.ts'
import { attempt } from '../../malformed.ts'
import { derNode, expectTag, oidOf } from '../asn1/der-fields.ts'

/** Of each kind, in the order of the certificate; more are ignored. */
const SOURCES_MAX = 4
const URL_MAX_CHARACTERS = 1024

const OCSP = '1.3.6.1.5.5.7.48.1'
const CA_ISSUERS = '1.3.6.1.5.5.7.48.2'

export interface StatusSources {
  readonly ocsp: readonly string[]
  /** Complete lists and what is newer than them (freshestCRL). */
  readonly crls: readonly string[]
}

/**
 * Only http and https: a directory (ldap) would need a client of its own, and every authority that has one offers its
 * lists over HTTP too. What cannot be read names nothing.
 */
export function statusSources(certificate: SmimeCertificate): StatusSources {
  return {
    ocsp: accessUrls(certificate, OCSP),
    crls: [
      ...pointUrls(certificate, EXTENSION.crlDistributionPoints),
      ...pointUrls(certificate, EXTENSION.freshestCrl),
    ],
  }
}

/** Where the certificate of its issuer can be had. */
export const issuerUrls = (certificate: SmimeCertificate): readonly string[] => accessUrls(certificate, CA_ISSUERS)

function accessUrls(certificate: SmimeCertificate, method: string): readonly string[] {
  return urlsOf(certificate, EXTENSION.authorityInfoAccess, (value) =>
    derNode(value, TAG.SEQUENCE, 'authorityInfoAccess').children.flatMap((access) => {
      const [id, location] = expectTag(access, TAG.SEQUENCE, 'authorityInfoAccess').children
      return location === undefined || oidOf(id, 'accessMethod') !== method ? [] : [readGeneralName(location)]
    }),
  )
}

function pointUrls(certificate: SmimeCertificate, oid: string): readonly string[] {
  return urlsOf(certificate, oid, (value) =>
    derNode(value, TAG.SEQUENCE, 'cRLDistributionPoints').children.flatMap((point) => {
      const choice = point.children.find(({ tag }) => tag === contextConstructed(0))?.children[0]
      return choice?.tag === contextConstructed(0) ? readGeneralNames(choice, contextConstructed(0)) : []
    }),
  )
}

function urlsOf(
  certificate: SmimeCertificate,
  oid: string,
  read: (value: Uint8Array) => readonly GeneralName[],
): readonly string[] {
  const extension = findExtension(certificate, oid)
  if (extension === undefined) return []
  const names = attempt(() => read(extension.value))
  if (!names.ok) return []
  const urls = names.value.flatMap((name) => (name.kind === 'uri' && isWeb(name.text) ? [name.text] : []))
  return [...new Set(urls)].slice(0, SOURCES_MAX)
}

const isWeb = (text: string): boolean => text.length <= URL_MAX_CHARACTERS && /^https?:\/\/[\x21-\x7e]+$/i.test(text)
