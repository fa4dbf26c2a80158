# Sets $SealpostVerified and $SealpostEncrypted by the field that Sealpost writes. Nobody else's word gets here: Sealpost
# takes out every X-Sealpost-* field that a mail brings along. Each pattern begins where the field begins, for further
# behind stand words that the mail's author may have chosen.
require ["imap4flags"];

if header :matches "X-Sealpost-Status" ["Encrypted on the way. Signature valid:*", "Not encrypted on the way. Signature valid:*"] {
  addflag "$SealpostVerified";
}
if header :matches "X-Sealpost-Status" "Encrypted on the way*" {
  addflag "$SealpostEncrypted";
}
