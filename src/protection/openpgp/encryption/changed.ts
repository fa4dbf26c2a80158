/**
 * Whatever goes wrong after a key was found looks the same from outside: a sender who sees our answers must not learn which
 * step failed.
 */
export const CHANGED = 'the message cannot be decrypted: the key or the content was changed'
