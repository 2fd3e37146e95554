/* Puts the transforms on OpenSSL's EVP in the place of libsrtp2's own. */
#include "protocol/srtp_evp.h"

#include <openssl/err.h>

static const char *const names[RTC_SRTP_TRANSFORM_COUNT] = {
#define TRANSFORM_NAME(name, text) [RTC_SRTP_TRANSFORM_##name] = text,
    RTC_SRTP_TRANSFORM_MAP(TRANSFORM_NAME)
#undef TRANSFORM_NAME
};

srtp_err_status_t rtc_srtp_evp_failed(srtp_err_status_t status) {
  ERR_clear_error();
  return status;
}

/* libsrtp tests a type before it takes it: with the type's own known answers, with those of the
 * type that is replaced, and with random packets there and back. */
bool rtc_srtp_evp_replace_cipher(const srtp_cipher_type_t *type) {
  return srtp_replace_cipher_type(type, type->id) == srtp_err_status_ok;
}

bool rtc_srtp_evp_replace_auth(const srtp_auth_type_t *type) {
  return srtp_replace_auth_type(type, type->id) == srtp_err_status_ok;
}

unsigned rtc_srtp_evp_register(void) {
  static const srtp_cipher_type_t *const ciphers[] = {
      [RTC_SRTP_TRANSFORM_AES_128_GCM] = &rtc_srtp_evp_gcm_128,
      [RTC_SRTP_TRANSFORM_AES_256_GCM] = &rtc_srtp_evp_gcm_256,
      [RTC_SRTP_TRANSFORM_AES_128_CM] = &rtc_srtp_evp_cm_128,
      [RTC_SRTP_TRANSFORM_AES_256_CM] = &rtc_srtp_evp_cm_256,
  };
  unsigned registered = 0;
  rtc_srtp_evp_gcm_fetch();
  rtc_srtp_evp_cm_fetch();
  rtc_srtp_evp_hmac_fetch();
  for (unsigned i = 0; i < sizeof ciphers / sizeof *ciphers; i++)
    if (rtc_srtp_evp_replace_cipher(ciphers[i]))
      registered |= 1U << i;
  if (rtc_srtp_evp_replace_auth(&rtc_srtp_evp_hmac_sha1))
    registered |= RTC_SRTP_TRANSFORM_BIT(HMAC_SHA1);
  return registered;
}

void rtc_srtp_evp_report(unsigned registered, const RtcLog *log) {
  for (unsigned i = 0; i < RTC_SRTP_TRANSFORM_COUNT; i++)
    if (!(registered & 1U << i))
      RTC_LOG(log, WARN, "SRTP: %s on OpenSSL's EVP can't be used; libsrtp's own, slower, is",
              names[i]);
}
