/* The transforms of SRTP on OpenSSL's EVP, to be put in the place of libsrtp2's own.
 *
 * libsrtp2 keeps one list of types for the process: a kind of cipher is looked up in it when a
 * context is made, which then points to its type for life. So replacing is safe for contexts that
 * exist: they go on with the type that made them, and libsrtp's own are constants of its. Ours are
 * constants too, which is why librtctcp.so is never unloaded (-z nodelete). Contexts of a host that
 * are made later are ours as well, so each type does all that the one it replaces can do.
 * The list has no lock: no other thread may make contexts meanwhile.
 *
 * What libsrtp relies on, beyond its headers:
 * - alloc makes all that a context will need. When init fails while keys are derived, libsrtp 2.5
 *   loses the cipher that it derives them with, so init, set_iv and encrypt must not want memory.
 * - It calls a cipher set_iv, [set_aad ...,] encrypt or decrypt, [get_tag], in this order, and an
 *   authentication start, update ..., compute.
 * - The direction is given with each IV: contexts are used in one, self-tests use both. */
#ifndef RTC_PROTOCOL_SRTP_EVP_H
#define RTC_PROTOCOL_SRTP_EVP_H

#include "base/log_internal.h"

#include <srtp2/auth.h>
#include <srtp2/cipher.h>
#include <stdbool.h>

#define RTC_SRTP_TRANSFORM_MAP(X)                                                                  \
  X(AES_128_GCM, "AES-128-GCM")                                                                    \
  X(AES_256_GCM, "AES-256-GCM")                                                                    \
  X(AES_128_CM, "AES-128-CM") /* derives the keys of AES-128-GCM as well */                        \
  X(AES_256_CM, "AES-256-CM") /* only derives the keys of AES-256-GCM */                           \
  X(HMAC_SHA1, "HMAC-SHA1")

typedef enum RtcSrtpTransform {
#define RTC_SRTP_TRANSFORM_ENUM(name, text) RTC_SRTP_TRANSFORM_##name,
  RTC_SRTP_TRANSFORM_MAP(RTC_SRTP_TRANSFORM_ENUM)
#undef RTC_SRTP_TRANSFORM_ENUM
      RTC_SRTP_TRANSFORM_COUNT
} RtcSrtpTransform;

#define RTC_SRTP_TRANSFORM_BIT(name) (1U << RTC_SRTP_TRANSFORM_##name)
#define RTC_SRTP_TRANSFORMS_ALL      ((1U << RTC_SRTP_TRANSFORM_COUNT) - 1)

extern const srtp_cipher_type_t rtc_srtp_evp_gcm_128, rtc_srtp_evp_gcm_256;
extern const srtp_cipher_type_t rtc_srtp_evp_cm_128, rtc_srtp_evp_cm_256;
extern const srtp_auth_type_t rtc_srtp_evp_hmac_sha1;

/* Fetches from OpenSSL what the types need, and puts each in the place of libsrtp's own that
 * passes. Once a process, after srtp_init. Returns the bits of those that are in place. */
unsigned rtc_srtp_evp_register(void);

/* false: the type has not passed its own tests and those of the type it would replace; that one
 * stays in use. */
bool rtc_srtp_evp_replace_cipher(const srtp_cipher_type_t *type);
bool rtc_srtp_evp_replace_auth(const srtp_auth_type_t *type);

/* One line for each transform that is not in place. */
void rtc_srtp_evp_report(unsigned registered, const RtcLog *log);

/* ---- Between the files of the types ---- */

/* What was fetched is kept for good. Without it, the type fails its tests. */
void rtc_srtp_evp_gcm_fetch(void);
void rtc_srtp_evp_cm_fetch(void);
void rtc_srtp_evp_hmac_fetch(void);

/* Returns the status, and leaves nothing in the thread's queue of errors for DTLS to find. */
srtp_err_status_t rtc_srtp_evp_failed(srtp_err_status_t status);

/* Known answers, of the RFCs. */
extern const srtp_cipher_test_case_t rtc_srtp_evp_gcm_128_test, rtc_srtp_evp_gcm_256_test;
extern const srtp_cipher_test_case_t rtc_srtp_evp_cm_128_test, rtc_srtp_evp_cm_256_test;
extern const srtp_auth_test_case_t rtc_srtp_evp_hmac_sha1_test;

#endif
