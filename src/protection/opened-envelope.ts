/** What became of a ciphertext, before it is known what is inside. */
export type OpenedEnvelope<Content = Uint8Array> =
  | {
      readonly kind: 'decrypted'
      readonly content: Content
      /** Such as `aes-256-cbc`. */
      readonly algorithm: string
      /** It was proven that nothing was changed. CBC proves nothing: whoever shows this content must know that (EFAIL). */
      readonly authenticated: boolean
      /** What sealed it protects nobody any more. */
      readonly weak?: boolean
      /** Fingerprint of the certificate whose key opened it; missing when it was no certified key. */
      readonly openedBy?: string
    }
  | { readonly kind: 'no-key'; readonly recipients: readonly string[] }
  | { readonly kind: 'broken'; readonly why: string }
