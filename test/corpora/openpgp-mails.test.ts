/**
 * OpenPGP mails of other programs, opened with their recipients' keys: PGP/MIME, inline, mangled on the way, forwarded, in parts.
 */
import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { canonicalMail } from '../../src/cli/mail-file.ts'
import { type PeelReport, runPeel } from '../../src/protection/jobs.ts'
import { CORPORA } from '../support/corpora.ts'
import { assertSameWhenLarge } from '../support/large.ts'
import { everybodyOfOpenpgp } from '../support/openpgp-corpora.ts'

const AT_MS = Date.UTC(2026, 10, 22)
const OUTCOME_CHARS = 110

const KDE = 'kde-messagelib/'
const KDE_TOO = 'kde-mimetreeparser/autotests/testdata/'
const NOTMUCH = 'notmuch/test/corpora/'
const DRAFT = 'protected-headers-draft/'
const CHATMAIL = 'chatmail-core/test-data/message/'
const FOLDERS = [`${KDE}**/*.mbox`, `${KDE_TOO}*`, `${NOTMUCH}**/*`, `${DRAFT}*`, `${CHATMAIL}*`, 'autocrypt/**/*.eml']

const LAYERED: Readonly<Record<string, readonly string[]>> = {
  'inline decrypted > inline mismatch; mismatch: signed by test@kolab.org, not by t.glaser@tarent.de': [
    `${KDE}mimetreeparser/autotests/data/openpgp-inline-wrong-charset-encrypted.mbox`,
    `${KDE_TOO}openpgp-inline-wrong-charset-encrypted.mbox`,
  ],
  'inline decrypted > inline mismatch; mismatch: signed by test@kolab.org, not by test@example.com': [
    `${KDE}mimetreeparser/autotests/data/openpgp-inline-charset-encrypted.mbox`,
    `${KDE_TOO}openpgp-inline-charset-encrypted.mbox`,
  ],
  'inline decrypted, partial; none: only a part of it was protected': [
    `${KDE}mimetreeparser/autotests/data/inlinepgpencrypted-appendix.mbox`,
    `${KDE}mimetreeparser/autotests/data/openpgp-inline-multiple.mbox`,
    `${KDE}templateparser/autotests/data/404698-gpg-inline.mbox`,
    `${KDE}templateparser/autotests/data/openpgp-inline-space.mbox`,
    `${KDE_TOO}inlinepgpencrypted-appendix.mbox`,
    `${KDE_TOO}openpgp-inline-encrypted+nonenc.mbox`,
  ],
  'inline decrypted; none': [
    `${KDE}mimetreeparser/autotests/data/inlinepgpencrypted.mbox`,
    `${KDE_TOO}crlf-encrypted-with-signature.mbox`,
    `${KDE_TOO}inlinepgpencrypted.mbox`,
  ],
  'inline invalid; invalid: the signature does not match': [
    `${KDE}mimetreeparser/autotests/data/openpgp-inline-signed-broken.mbox`,
    `${KDE_TOO}openpgp-inline-signed-broken.mbox`,
    `${KDE_TOO}openpgp-inline-signed-broken2.mbox`,
  ],
  'inline no-key; none': [
    `${KDE}mimetreeparser/autotests/data/inlinepgpencrypted-error.mbox`,
    `${KDE_TOO}inlinepgpencrypted-error.mbox`,
    `${KDE_TOO}inlinepgpgencrypted-error.mbox`,
  ],
  "inline unknown-key; unknown-key: the signer's certificate is neither known nor sent": [
    `${KDE}mimetreeparser/autotests/data/openpgp-encoded.mbox`,
    `${KDE_TOO}openpgp-encoded.mbox`,
  ],
  'inline valid, partial; none: only a part of it was protected': [`${KDE_TOO}openpgp-inline-signed.mbox`],
  'inline valid; valid': [`${KDE}mimetreeparser/autotests/data/openpgp-inline-signed.mbox`],
  'inline-parts decrypted; none': [`${KDE}mimetreeparser/autotests/data/openpgp-inline-encrypted-with-attachment.mbox`],
  'pgp-mime broken; invalid: multipart/encrypted has other parts than it must have': [
    `${KDE}mimetreeparser/autotests/data/openpgp-encrypted-noData.mbox`,
    `${KDE_TOO}openpgp-encrypted-noData.mbox`,
  ],
  'pgp-mime decrypted > pgp-mime mismatch; mismatch: signed by alice@openpgp.example, not by alice@autocrypt.exam': [
    'autocrypt/doc/appendix/example-gossip.eml',
  ],
  'pgp-mime decrypted > pgp-mime mismatch; mismatch: signed by test@kolab.org, not by firstname.lastname@example.': [
    `${KDE}mimetreeparser/autotests/data/openpgp-signed-encrypted-two-attachments.mbox`,
    `${KDE_TOO}openpgp-signed-encrypted-two-attachments.mbox`,
  ],
  'pgp-mime decrypted > pgp-mime mismatch; mismatch: the mail has no From': [
    `${KDE}mimetreeparser/autotests/data/openpgp-encrypted-signed-combind.mbox`,
  ],
  'pgp-mime decrypted > pgp-mime no-key; none': [
    `${NOTMUCH}protected-headers/double-wrapped-with-phony-protected-header.eml`,
  ],
  "pgp-mime decrypted > pgp-mime unknown-key; unknown-key: the signer's certificate is neither known nor sent": [
    `${CHATMAIL}thunderbird_encrypted_signed.eml`,
    `${CHATMAIL}thunderbird_encrypted_signed_with_pubkey.eml`,
  ],
  'pgp-mime decrypted > pgp-mime untrusted; untrusted: nobody that we believe says whose key it is': [
    `${KDE_TOO}openpgp-multipart-embedded-signed.mbox`,
  ],
  'pgp-mime decrypted > pgp-mime valid; valid': [
    `${CHATMAIL}alice_to_bob_no_intended_recipient_fingerprint.eml`,
    `${CHATMAIL}encrypted-group-without-id.eml`,
    `${CHATMAIL}encrypted-signed.eml`,
    `${CHATMAIL}encrypted_with_received_headers.eml`,
    `${CHATMAIL}group-introduction-no-gossip.eml`,
    `${CHATMAIL}hp_legacy_display.eml`,
    `${CHATMAIL}messed_up_message_id.eml`,
    `${CHATMAIL}rfc1847_encapsulation.eml`,
    `${CHATMAIL}text_from_alice_encrypted.eml`,
    `${CHATMAIL}thunderbird_with_autocrypt.eml`,
    `${CHATMAIL}thunderbird_with_multiple_autocrypts.eml`,
    `${CHATMAIL}verification-gossip-also-sent-to-from.eml`,
    `${KDE}mimetreeparser/autotests/data/openpgp-encrypted+signed-protected-headers.mbox`,
    `${KDE}mimetreeparser/autotests/data/openpgp-encrypted+signed.mbox`,
    `${KDE}mimetreeparser/autotests/data/openpgp-encrypted-attachment.mbox`,
    `${KDE}mimetreeparser/autotests/data/openpgp-signed-encrypted.mbox`,
    `${KDE_TOO}openpgp-encrypted+signed.mbox`,
    `${KDE_TOO}openpgp-encrypted-attachment.mbox`,
    `${KDE_TOO}openpgp-encrypted-signed-thunderbird.mbox`,
    `${KDE_TOO}openpgp-signed-encrypted.mbox`,
    `${NOTMUCH}crypto/encrypted-signed.eml`,
    `${NOTMUCH}protected-headers/encrypted-signed-not-masked.eml`,
    `${NOTMUCH}protected-headers/encrypted-signed.eml`,
    `${NOTMUCH}protected-headers/protected-with-legacy-display.eml`,
    `${DRAFT}pgpmime-layered+legacy-disp.eml`,
    `${DRAFT}pgpmime-layered.eml`,
    `${DRAFT}pgpmime-sign+enc+legacy-disp.eml`,
    `${DRAFT}pgpmime-sign+enc.eml`,
    `${DRAFT}unfortunately-complex.eml`,
  ],
  'pgp-mime decrypted; mismatch: the protected From is jane@doe.com, the one outside is not': [
    `${KDE_TOO}openpgp-encrypted-memoryhole2.mbox`,
  ],
  'pgp-mime decrypted; none': [
    'autocrypt/doc/appendix/example-draft.eml',
    `${CHATMAIL}thunderbird_encrypted_unsigned.eml`,
    `${CHATMAIL}thunderbird_encrypted_unsigned_with_unencrypted_subject.eml`,
    `${KDE}mimetreeparser/autotests/data/autocrypt/alice_gossip.mbox`,
    `${KDE}mimetreeparser/autotests/data/autocrypt/draft.mbox`,
    `${KDE}mimetreeparser/autotests/data/autocrypt/gossipheader.mbox`,
    `${KDE}mimetreeparser/autotests/data/openpgp-encrypted-enigmail1.6.mbox`,
    `${KDE}mimetreeparser/autotests/data/openpgp-encrypted-protected-headers.mbox`,
    `${KDE}mimetreeparser/autotests/data/openpgp-encrypted-two-attachments.mbox`,
    `${KDE}mimetreeparser/autotests/data/openpgp-encrypted.mbox`,
    `${KDE}templateparser/autotests/data/openpgp-encrypted.mbox`,
    `${KDE_TOO}crlf-encrypted-with-signature-multipart.mbox`,
    `${KDE_TOO}openpgp-encrypted-enigmail1.6.mbox`,
    `${KDE_TOO}openpgp-encrypted-memoryhole.mbox`,
    `${KDE_TOO}openpgp-encrypted-two-attachments.mbox`,
    `${KDE_TOO}openpgp-encrypted.mbox`,
    `${KDE_TOO}openpgp-multipart-embedded.mbox`,
    `${NOTMUCH}crypto/basic-encrypted.eml`,
    `${NOTMUCH}crypto/encrypted-rfc822-attachment`,
    `${NOTMUCH}protected-headers/encrypted-message-with-forwarded-attachment.eml`,
    `${NOTMUCH}protected-headers/misplaced-protected-header.eml`,
    `${NOTMUCH}protected-headers/nested-rfc822-message.eml`,
    `${NOTMUCH}protected-headers/no-protected-header-attribute.eml`,
    `${NOTMUCH}protected-headers/protected-header.eml`,
    `${NOTMUCH}protected-headers/subjectless-protected-header.eml`,
    `${DRAFT}pgpmime-enc+legacy-disp.eml`,
  ],
  'pgp-mime invalid; invalid: no packet begins here': [
    `${CHATMAIL}schleuder.eml`,
    `${NOTMUCH}protected-headers/phony-protected-header-bad-encryption.eml`,
  ],
  'pgp-mime invalid; invalid: the signature does not match': [
    `${CHATMAIL}unencrypted_signed_simple.eml`,
    `${KDE}mimetreeparser/autotests/data/openpgp-signed-apple.mbox`,
    `${KDE_TOO}openpgp-signed-apple.mbox`,
  ],
  'pgp-mime invalid; invalid: there is no armor': [`${CHATMAIL}protonmail-repaired.eml`],
  'pgp-mime mismatch; mismatch: signed by test@kolab.org, not by bcc@bcc.org': [
    `${KDE_TOO}openpgp-signed-sender-mismatch.mbox`,
  ],
  'pgp-mime mismatch; mismatch: signed by test@kolab.org, not by firstname.lastname@example.com': [
    `${KDE}mimetreeparser/autotests/data/openpgp-signed-two-attachments.mbox`,
    `${KDE_TOO}openpgp-signed-two-attachments.mbox`,
  ],
  'pgp-mime mismatch; mismatch: the mail has no From': [
    `${DRAFT}pgpmime-layered+legacy-disp.inner`,
    `${DRAFT}pgpmime-layered.inner`,
    `${DRAFT}unfortunately-complex.inner`,
  ],
  'pgp-mime no-key; none': [`${CHATMAIL}text_symmetrically_encrypted.eml`, `${NOTMUCH}crypto/simple-encrypted`],
  "pgp-mime unknown-key; unknown-key: the signer's certificate is neither known nor sent": [
    `${CHATMAIL}thunderbird_signed_unencrypted.eml`,
    `${KDE}messageviewer/src/dkim-verify/autotests/data/broken2.mbox`,
    `${KDE}mimetreeparser/autotests/data/openpgp-signed-no-protocol.mbox`,
    `${KDE_TOO}openpgp-signed-no-protocol.mbox`,
    `${NOTMUCH}duplicate/msg-3-3:2,`,
    `${NOTMUCH}indexing/PATCH-1-2-system_data_types.7-srcfix.txt:2,S`,
    `${NOTMUCH}lkml/cur/1354585346.000265:2,`,
    `${NOTMUCH}lkml/cur/1354585346.000323:2,`,
  ],
  'pgp-mime untrusted; untrusted: nobody that we believe says whose key it is': [
    `${CHATMAIL}thunderbird_with_autocrypt_unencrypted.eml`,
  ],
  'pgp-mime valid; valid': [
    `${KDE}mimetreeparser/autotests/data/openpgp-signed-protected-headers.mbox`,
    `${KDE}mimetreeparser/autotests/data/signed-forward-openpgp-signed-encrypted.mbox`,
    `${KDE_TOO}signed-forward-openpgp-signed-encrypted.mbox`,
    `${NOTMUCH}protected-headers/signed-protected-header.eml`,
    `${NOTMUCH}protected-headers/simple-signed-mail.eml`,
    `${DRAFT}pgpmime-signed.eml`,
  ],
  "pgp-mime-repaired decrypted > pgp-mime unknown-key; unknown-key: the signer's certificate is neither known nor": [
    `${CHATMAIL}mixed-up-long.eml`,
  ],
  'pgp-mime-repaired decrypted > pgp-mime valid; valid': [`${CHATMAIL}google-workspace-mixed-up.eml`],
  'pgp-mime-repaired decrypted, partial; none: only a part of it was protected': [
    `${KDE_TOO}openpgp-encrypted-ambiguous-mime.mbox`,
  ],
  'pgp-mime-repaired decrypted; none': [
    `${KDE}mimetreeparser/autotests/data/openpgp-encrypted-applemail.mbox`,
    `${KDE_TOO}openpgp-encrypted-applemail.mbox`,
    `${NOTMUCH}mangling/mixed-up.eml`,
  ],
  'pgp-mime-repaired invalid; invalid: there is no armor': [`${CHATMAIL}protonmail-mixed-up.eml`],
}

test('mails with OpenPGP in them', { skip: existsSync(CORPORA) ? false : 'no corpora' }, (t) => {
  const ring = everybodyOfOpenpgp()
  const layered: Record<string, string> = {}
  for (const file of FOLDERS.flatMap((pattern) => globSync(pattern, { cwd: CORPORA }))) {
    if (!statSync(join(CORPORA, file)).isFile()) continue
    const raw = canonicalMail(readFileSync(join(CORPORA, file)))
    const [report] = runPeel({ kind: 'peel', raw, atMs: AT_MS, rings: [ring] })
    assert.ok(report)
    if (!report.layers.some(({ standard }) => standard === 'openpgp')) continue
    assertSameWhenLarge(raw, ring, AT_MS, report, file)
    layered[file] = told(report)
  }
  const counts = Map.groupBy(Object.values(layered), (outcome) => outcome.split(/[;:]/)[1]?.trim() ?? '')
  t.diagnostic(
    `${Object.keys(layered).length} mails: ${[...counts].map(([what, each]) => `${each.length} ${what}`).join(', ')}`,
  )
  const expected = Object.entries(LAYERED).flatMap(([outcome, names]) => names.map((name) => [name, outcome]))
  assert.deepEqual(layered, Object.fromEntries(expected))
})

function told({ layers, summary }: PeelReport): string {
  const each = layers
    .map((layer) => `${layer.form} ${layer.verdict}${layer.partial === true ? ', partial' : ''}`)
    .join(' > ')
  const why = summary.reason === null ? '' : `: ${summary.reason}`
  return `${each}; ${summary.signature}${why}`.slice(0, OUTCOME_CHARS)
}
