/* From a DTLS session to SRTP's profile and keys: RFC 5764 section 4.2. */
#include "protocol/dtls_internal.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <string.h>

typedef struct ProfileShape {
  RtcSrtpProfile profile;
  const char *name; /* OpenSSL's, too */
  size_t key_len;   /* [octets] */
  size_t salt_len;  /* [octets] */
} ProfileShape;

/* RFC 5764 section 4.1.2, RFC 7714 section 14.2. */
static const ProfileShape shapes[] = {
    {RTC_SRTP_PROFILE_AES128_CM_SHA1_80, "SRTP_AES128_CM_SHA1_80", 16, 14},
    {RTC_SRTP_PROFILE_AEAD_AES_128_GCM, "SRTP_AEAD_AES_128_GCM", 16, 12},
    {RTC_SRTP_PROFILE_AEAD_AES_256_GCM, "SRTP_AEAD_AES_256_GCM", 32, 12},
};

static const ProfileShape *shape_of(unsigned long id) {
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
    if (shapes[i].profile == id)
      return &shapes[i];
  return NULL;
}

const char *rtc_srtp_profile_name(RtcSrtpProfile profile) {
  const ProfileShape *shape = shape_of(profile);
  return shape ? shape->name : NULL;
}

RtcSrtpProfile rtc_dtls_selected_profile(SSL *ssl) {
  const SRTP_PROTECTION_PROFILE *selected = SSL_get_selected_srtp_profile(ssl);
  const ProfileShape *shape = selected ? shape_of(selected->id) : NULL;
  return shape ? shape->profile : RTC_SRTP_PROFILE_NONE;
}

/* The exported block is: client key, server key, client salt, server salt. */
static void cut(uint8_t *master, const uint8_t *block, const ProfileShape *shape, bool of_server) {
  memcpy(master, block + (of_server ? shape->key_len : 0), shape->key_len);
  block += 2 * shape->key_len;
  memcpy(master + shape->key_len, block + (of_server ? shape->salt_len : 0), shape->salt_len);
}

RtcError rtc_dtls_keys_of(SSL *ssl, RtcSrtpKeys *keys) {
  static const char label[] = "EXTRACTOR-dtls_srtp";
  uint8_t block[2 * RTC_SRTP_MASTER_MAX];
  const ProfileShape *shape = shape_of(rtc_dtls_selected_profile(ssl));
  if (!shape)
    return RTC_ERROR_LIBRARY;
  size_t len = shape->key_len + shape->salt_len;
  if (SSL_export_keying_material(ssl, block, 2 * len, label, sizeof label - 1, NULL, 0, 0) != 1) {
    char text[1];
    return rtc_dtls_library_error(text, sizeof text);
  }
  *keys = (RtcSrtpKeys){.profile = shape->profile, .len = len};
  cut(keys->send, block, shape, SSL_is_server(ssl));
  cut(keys->receive, block, shape, !SSL_is_server(ssl));
  OPENSSL_cleanse(block, sizeof block);
  return RTC_OK;
}
