/* What the dtls_*.c files that include OpenSSL share. */
#ifndef RTC_PROTOCOL_DTLS_INTERNAL_H
#define RTC_PROTOCOL_DTLS_INTERNAL_H

#include "protocol/dtls.h"

#include <openssl/ssl.h>

struct RtcDtlsContext {
  SSL_CTX *ssl_ctx;           /* owned: counted, each session holds it too */
  BIO_METHOD *bio_method;     /* owned: of the sessions' BIO, see rtc_dtls_bio_method_new */
  RtcFingerprint fingerprint; /* SHA-256 of the own certificate */
};

/* -- dtls_bio.c: the ends of one session's OpenSSL -- */

typedef struct RtcDtlsBio {
  const uint8_t *input; /* borrowed: the record that OpenSSL reads next; NULL: none */
  size_t input_len;     /* [octets] */
  RtcError (*write)(void *arg, const uint8_t *records, size_t len); /* what OpenSSL wrote */
  void *arg;                                                        /* borrowed */
} RtcDtlsBio;

/* NULL: out of memory. */
BIO_METHOD *rtc_dtls_bio_method_new(void);

/* A BIO on *ends (borrowed, must outlive it); NULL: out of memory. */
BIO *rtc_dtls_bio_new(const BIO_METHOD *method, RtcDtlsBio *ends);

/* -- dtls_provider.c -- */

/* Where handshakes take their algorithms from: one that knows a few of OpenSSL's default provider
 * only. Before 3.2 OpenSSL tries all that it knows on each peer's public key, which took more
 * than a fourth of a handshake.
 * returns  borrowed, for good; NULL, OpenSSL's own: the process has chosen other providers, or it
 *          could not be made */
OSSL_LIB_CTX *rtc_dtls_libctx(void);

/* -- dtls_fingerprint.c -- */

/* Errors: UNSUPPORTED (the algorithm), NO_MEMORY */
RTC_MUST_CHECK RtcError rtc_dtls_fingerprint_of(RtcFingerprint *fingerprint, const char *algorithm,
                                                const X509 *certificate);

/* Of the fingerprints whose hash is known, copies those of the strongest one: only they decide
 * (RFC 8122 section 5).
 * chosen  out: room for count
 * returns how many; 0: none is of a known hash */
size_t rtc_dtls_fingerprints_choose(RtcFingerprint *chosen, const RtcFingerprint *all,
                                    size_t count);

/* Is the certificate one of these, which are all of one hash?
 * Errors: AUTH (it is not), NO_MEMORY (that can't be told) */
RTC_MUST_CHECK RtcError rtc_dtls_fingerprints_match(const RtcFingerprint *chosen, size_t count,
                                                    const X509 *certificate);

/* -- dtls_error.c -- */

/* Before a call of OpenSSL whose failure is asked for. */
void rtc_dtls_clear_library_error(void);

/* Empties OpenSSL's error queue of this thread: NO_MEMORY or LIBRARY, and the first text of it. */
RtcError rtc_dtls_library_error(char *text, size_t cap);

/* Does the error queue say that the peer sent a fatal alert? */
bool rtc_dtls_library_error_is_peer_alert(void);

/* -- dtls_keys.c -- */

/* NONE: both sides have none in common. */
RtcSrtpProfile rtc_dtls_selected_profile(SSL *ssl);

/* Errors: LIBRARY, NO_MEMORY */
RTC_MUST_CHECK RtcError rtc_dtls_keys_of(SSL *ssl, RtcSrtpKeys *keys);

/* -- dtls_session.h has what is of one session -- */

/* SSL_CTX_set_cert_verify_callback's: is the peer the signalled one? The RtcDtls is the SSL's app
 * data. */
int rtc_dtls_verify_peer(X509_STORE_CTX *store, void *arg);

#endif
