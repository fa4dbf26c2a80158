/** The kinds of key pairs that our users are given, as `keys.algorithm` of the configuration names them. */

/** What one key pair is. */
export type KeyKind =
  | 'rsa-2048'
  | 'rsa-3072'
  | 'rsa-4096'
  | 'ec-p256'
  | 'ec-p384'
  | 'ec-p521'
  | 'ed25519'
  | 'x25519'
  | 'ed448'
  | 'x448'
  | 'ml-dsa-65'
  | 'ml-kem-768'
  | 'ml-dsa-87'
  | 'ml-kem-1024'

/** Names of what signs and decrypts: one key pair for both, or two, each with a certificate of its own. */
export type MailKeys = keyof typeof MAIL_KEYS

/** RSA and EC keys do both; Edwards and Montgomery curves, ML-DSA and ML-KEM do one of the two. */
export const MAIL_KEYS = {
  'rsa-2048': ['rsa-2048'],
  'rsa-3072': ['rsa-3072'],
  'rsa-4096': ['rsa-4096'],
  'ec-p256': ['ec-p256'],
  'ec-p384': ['ec-p384'],
  'ec-p521': ['ec-p521'],
  'ed25519+x25519': ['ed25519', 'x25519'],
  'ed448+x448': ['ed448', 'x448'],
  'ml-dsa-65+ml-kem-768': ['ml-dsa-65', 'ml-kem-768'],
  'ml-dsa-87+ml-kem-1024': ['ml-dsa-87', 'ml-kem-1024'],
} as const satisfies Readonly<Record<string, readonly KeyKind[]>>
