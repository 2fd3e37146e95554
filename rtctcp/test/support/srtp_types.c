/* libsrtp2's own ciphers beside ours in one process: which kind a new context gets. */
#include "support/srtp_types.h"

#include "protocol/srtp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* libsrtp2 exports these, but declares them in none of its installed headers. */
const srtp_cipher_type_t *srtp_crypto_kernel_get_cipher_type(srtp_cipher_type_id_t id);
const srtp_auth_type_t *srtp_crypto_kernel_get_auth_type(srtp_auth_type_id_t id);

const srtp_cipher_type_t *const srtp_types_ours[SRTP_TYPES_CIPHERS] = {
    &rtc_srtp_evp_gcm_128,
    &rtc_srtp_evp_gcm_256,
    &rtc_srtp_evp_cm_128,
    &rtc_srtp_evp_cm_256,
};

const srtp_cipher_type_t *srtp_types_builtin[SRTP_TYPES_CIPHERS];
const srtp_auth_type_t *srtp_types_builtin_auth;

const srtp_cipher_type_t *srtp_types_cipher(srtp_cipher_type_id_t id) {
  return srtp_crypto_kernel_get_cipher_type(id);
}

const srtp_auth_type_t *srtp_types_auth(srtp_auth_type_id_t id) {
  return srtp_crypto_kernel_get_auth_type(id);
}

void srtp_types_init(void) {
  assert_int_equal(srtp_init(), srtp_err_status_ok);
  for (size_t i = 0; i < SRTP_TYPES_CIPHERS; i++)
    srtp_types_builtin[i] = srtp_types_cipher(srtp_types_ours[i]->id);
  srtp_types_builtin_auth = srtp_types_auth(SRTP_HMAC_SHA1);
  rtc_srtp_init(NULL);
}

static void use(const srtp_cipher_type_t *const *ciphers, const srtp_auth_type_t *auth) {
  for (size_t i = 0; i < SRTP_TYPES_CIPHERS; i++)
    assert_true(rtc_srtp_evp_replace_cipher(ciphers[i]));
  assert_true(rtc_srtp_evp_replace_auth(auth));
}

void srtp_types_use_builtin(void) {
  use(srtp_types_builtin, srtp_types_builtin_auth);
}

void srtp_types_use_ours(void) {
  use(srtp_types_ours, &rtc_srtp_evp_hmac_sha1);
}
