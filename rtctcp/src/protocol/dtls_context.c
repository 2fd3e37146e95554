/* The certificate and the OpenSSL settings that all DTLS sessions share. */
#include "protocol/dtls_flight.h"
#include "protocol/dtls_internal.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <stdlib.h>

/* Peers judge by the fingerprint, never by the dates: they must only be right for as long as a
 * server may run, and under a clock that is a little wrong. */
#define NOT_BEFORE_S (-24L * 60 * 60)
#define NOT_AFTER_S  (10L * 365 * 24 * 60 * 60)
#define SERIAL_LEN   16 /* RFC 5280 section 4.1.2.2: at most 20 octets */

/* What a handshake message may announce, so that a peer can't make OpenSSL hold more [octets]. */
#define CERTIFICATES_MAX 16384

/* Our order, as a server against the client's: AES-GCM costs libsrtp a fourth of AES-CM and SHA-1,
 * and 128-bit keys less than 256-bit ones. */
#define SRTP_PROFILES "SRTP_AEAD_AES_128_GCM:SRTP_AEAD_AES_256_GCM:SRTP_AES128_CM_SHA1_80"
#define GROUPS        "X25519:P-256:P-384"
#define CIPHERS                                                                                    \
  "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"                                     \
  "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"                                     \
  "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384"

static bool set_serial(X509 *certificate) {
  uint8_t octets[SERIAL_LEN];
  if (RAND_bytes(octets, sizeof octets) != 1)
    return false;
  octets[0] = (octets[0] & 0x3F) | 0x40; /* positive, and never shorter */
  BIGNUM *number = BN_bin2bn(octets, sizeof octets, NULL);
  bool ok = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
  BN_free(number);
  return ok;
}

static bool set_names(X509 *certificate) {
  static const unsigned char common_name[] = "rtctcp";
  X509_NAME *name = X509_get_subject_name(certificate);
  return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, common_name, -1, -1, 0) &&
         X509_set_issuer_name(certificate, name);
}

/* NULL: the error queue says why. X509_sign of OpenSSL 3.0 returns -1, for a signature of as many
 * octets, when it has no memory to encode what ECDSA has computed. */
static X509 *self_signed(OSSL_LIB_CTX *libctx, EVP_PKEY *key) {
  X509 *certificate = X509_new_ex(libctx, NULL);
  if (certificate && X509_set_version(certificate, X509_VERSION_3) && set_serial(certificate) &&
      set_names(certificate) && X509_gmtime_adj(X509_getm_notBefore(certificate), NOT_BEFORE_S) &&
      X509_gmtime_adj(X509_getm_notAfter(certificate), NOT_AFTER_S) &&
      X509_set_pubkey(certificate, key) && X509_sign(certificate, key, EVP_sha256()) > 0)
    return certificate;
  X509_free(certificate);
  return NULL;
}

static bool make_certificate(RtcDtlsContext *context, OSSL_LIB_CTX *libctx) {
  bool ok = false;
  X509 *certificate = NULL;
  EVP_PKEY *key = EVP_PKEY_Q_keygen(libctx, NULL, "EC", "P-256");
  if (!key)
    return false;
  certificate = self_signed(libctx, key);
  if (!certificate)
    goto free_key;
  ok = SSL_CTX_use_certificate(context->ssl_ctx, certificate) == 1 &&
       SSL_CTX_use_PrivateKey(context->ssl_ctx, key) == 1 &&
       rtc_dtls_fingerprint_of(&context->fingerprint, "sha-256", certificate) == RTC_OK;
  X509_free(certificate);
free_key:
  EVP_PKEY_free(key);
  return ok;
}

/* What matters is set here, whatever the system's openssl.cnf says. */
static bool configure(SSL_CTX *ctx) {
  SSL_CTX_set_security_level(ctx, 2); /* 112 bits: RSA of 2,048 and up, no SHA-1 */
  SSL_CTX_set_options(ctx, SSL_OP_NO_QUERY_MTU | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET |
                               SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_clear_options(ctx, SSL_OP_NO_EXTENDED_MASTER_SECRET);
  SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_max_cert_list(ctx, CERTIFICATES_MAX);
  SSL_CTX_set_max_send_fragment(ctx, RTC_DTLS_DATAGRAM_MAX); /* a write buffer of that size, too */
  SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
  SSL_CTX_set_cert_verify_callback(ctx, rtc_dtls_verify_peer, NULL);
  return SSL_CTX_set_min_proto_version(ctx, DTLS1_2_VERSION) &&
         SSL_CTX_set_max_proto_version(ctx, DTLS1_2_VERSION) &&
         SSL_CTX_set_cipher_list(ctx, CIPHERS) && SSL_CTX_set1_groups_list(ctx, GROUPS) &&
         SSL_CTX_set_tlsext_use_srtp(ctx, SRTP_PROFILES) == 0; /* 0 is its success */
}

RtcError rtc_dtls_context_new(RtcDtlsContext **context, const RtcLog *log) {
  RtcDtlsContext *made = calloc(1, sizeof *made);
  if (!made)
    return RTC_ERROR_NO_MEMORY;
  rtc_dtls_clear_library_error();
  made->bio_method = rtc_dtls_bio_method_new();
  OSSL_LIB_CTX *libctx = rtc_dtls_libctx();
  made->ssl_ctx = SSL_CTX_new_ex(libctx, NULL, DTLS_method());
  if (made->bio_method && made->ssl_ctx && configure(made->ssl_ctx) &&
      make_certificate(made, libctx)) {
    *context = made;
    return RTC_OK;
  }
  char text[256];
  RtcError error = rtc_dtls_library_error(text, sizeof text);
  RTC_LOG(log, ERROR, "no DTLS certificate could be made: %s; no session can be opened", text);
  rtc_dtls_context_destroy(made);
  return error;
}

void rtc_dtls_context_destroy(RtcDtlsContext *context) {
  if (!context)
    return;
  SSL_CTX_free(context->ssl_ctx);
  BIO_meth_free(context->bio_method);
  free(context);
}

const RtcFingerprint *rtc_dtls_context_fingerprint(const RtcDtlsContext *context) {
  return &context->fingerprint;
}
