/**
 * Tags of ASN.1 (X.690 §8.1.2). A tag is one number: class in the two high bits, constructed in the third, the number
 * in the low five. Tag numbers above 30 do not occur in CMS or X.509 and are refused.
 */
export const TAG = {
  BOOLEAN: 0x01,
  INTEGER: 0x02,
  BIT_STRING: 0x03,
  OCTET_STRING: 0x04,
  NULL: 0x05,
  OID: 0x06,
  ENUMERATED: 0x0a,
  UTF8_STRING: 0x0c,
  PRINTABLE_STRING: 0x13,
  T61_STRING: 0x14,
  IA5_STRING: 0x16,
  UTC_TIME: 0x17,
  GENERALIZED_TIME: 0x18,
  BMP_STRING: 0x1e,
  SEQUENCE: 0x30,
  SET: 0x31,
} as const

export const CONSTRUCTED = 0x20
export const context = (number: number): number => 0x80 | number
export const contextConstructed = (number: number): number => 0xa0 | number

export const ASN1_DEPTH_MAX = 32
export const ASN1_NODES_MAX = 20_000
