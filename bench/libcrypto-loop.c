/*
 * What a loop in C over libcrypto's own CMS does in a second: `libcrypto-loop seal|open CERT KEY CONTENT MS` signs
 * (detached) and encrypts the content to the signer, or decrypts and verifies it, until MS milliseconds of CPU are used,
 * and prints how often it did in a second of CPU. CERT and KEY are DER. Built by libcrypto.bench.ts: cc -O2 … -lcrypto
 */
#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void need(int fine, const char *what) {
  if (fine) return;
  fprintf(stderr, "libcrypto-loop: %s\n", what);
  ERR_print_errors_fp(stderr);
  exit(1);
}

static unsigned char *content;
static long content_length;
static X509 *certificate;
static EVP_PKEY *key;
static STACK_OF(X509) *recipients;

static int encode(CMS_ContentInfo *cms, unsigned char **out) {
  *out = NULL;
  int length = i2d_CMS_ContentInfo(cms, out);
  need(length > 0, "cannot encode");
  CMS_ContentInfo_free(cms);
  return length;
}

/* The content, then the signature over it, in one envelope. */
static int seal(unsigned char **out, int *signature_length) {
  unsigned char *signature;
  BIO *in = BIO_new_mem_buf(content, content_length);
  CMS_ContentInfo *cms = CMS_sign(certificate, key, NULL, in, CMS_BINARY | CMS_DETACHED);
  need(cms != NULL, "cannot sign");
  BIO_free(in);
  *signature_length = encode(cms, &signature);
  unsigned char *both = malloc(content_length + *signature_length);
  memcpy(both, content, content_length);
  memcpy(both + content_length, signature, *signature_length);
  in = BIO_new_mem_buf(both, content_length + *signature_length);
  cms = CMS_encrypt(recipients, in, EVP_aes_256_cbc(), CMS_BINARY);
  need(cms != NULL, "cannot encrypt");
  BIO_free(in);
  free(both);
  OPENSSL_free(signature);
  return encode(cms, out);
}

static void open_again(const unsigned char *sealed, int length, int signature_length) {
  CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &sealed, length);
  need(cms != NULL, "cannot decode");
  BIO *out = BIO_new(BIO_s_mem());
  need(CMS_decrypt(cms, key, certificate, NULL, out, CMS_BINARY) == 1, "cannot decrypt");
  CMS_ContentInfo_free(cms);
  char *plain;
  long plain_length = BIO_get_mem_data(out, &plain);
  const unsigned char *signature = (unsigned char *)plain + plain_length - signature_length;
  cms = d2i_CMS_ContentInfo(NULL, &signature, signature_length);
  need(cms != NULL, "cannot decode the signature");
  BIO *in = BIO_new_mem_buf(plain, plain_length - signature_length);
  need(CMS_verify(cms, NULL, NULL, in, NULL, CMS_BINARY | CMS_NO_SIGNER_CERT_VERIFY) == 1, "cannot verify");
  CMS_ContentInfo_free(cms);
  BIO_free(in);
  BIO_free(out);
}

int main(int count, char **words) {
  need(count == 6, "usage: libcrypto-loop seal|open CERT KEY CONTENT MS");
  BIO *file = BIO_new_file(words[2], "rb");
  certificate = d2i_X509_bio(file, NULL);
  need(certificate != NULL, "cannot read the certificate");
  BIO_free(file);
  file = BIO_new_file(words[3], "rb");
  key = d2i_PrivateKey_bio(file, NULL);
  need(key != NULL, "cannot read the key");
  BIO_free(file);
  recipients = sk_X509_new_null();
  sk_X509_push(recipients, certificate);
  FILE *bytes = fopen(words[4], "rb");
  need(bytes != NULL, "cannot read the content");
  fseek(bytes, 0, SEEK_END);
  content_length = ftell(bytes);
  rewind(bytes);
  content = malloc(content_length);
  need(fread(content, 1, content_length, bytes) == (size_t)content_length, "cannot read the content");
  fclose(bytes);

  unsigned char *sealed;
  int signature_length;
  int length = seal(&sealed, &signature_length);
  int opening = strcmp(words[1], "open") == 0;
  long done = 0;
  clock_t limit = (clock_t)atol(words[5]) * (CLOCKS_PER_SEC / 1000);
  clock_t start = clock();
  while (clock() - start < limit) {
    if (opening)
      open_again(sealed, length, signature_length);
    else {
      unsigned char *other;
      int ignored;
      seal(&other, &ignored);
      OPENSSL_free(other);
    }
    done++;
  }
  printf("%f\n", done / ((double)(clock() - start) / CLOCKS_PER_SEC));
  return 0;
}
