/* SRTP and SRTCP written anew from the RFCs on OpenSSL's EVP, to compare the library with. */
#include "support/srtp_reference.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define AUTH_KEY_LEN 20
#define CM_TAG_LEN   10
#define GCM_TAG_LEN  16
#define RTCP_FIRST   8 /* octets that stay in the clear */
#define E_FLAG       0x80000000U
#define SRTCP_LABELS 3 /* their labels follow those of SRTP */

typedef struct SessionKeys {
  uint8_t cipher[32];
  uint8_t auth[AUTH_KEY_LEN];
  uint8_t salt[14];
  size_t key_len;
  size_t salt_len;
  bool is_gcm;
} SessionKeys;

static void write_u32(uint8_t *data, uint32_t value) {
  for (int i = 0; i < 4; i++)
    data[i] = (uint8_t)(value >> (24 - 8 * i));
}

static void xor_into(uint8_t *data, const uint8_t *with, size_t len) {
  for (size_t i = 0; i < len; i++)
    data[i] ^= with[i];
}

/* AES in counter mode over data, in place. */
static void counter_mode(const uint8_t *key, size_t key_len, const uint8_t iv[16], uint8_t *data,
                         size_t len) {
  int out_len;
  EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
  const EVP_CIPHER *cipher = key_len == 32 ? EVP_aes_256_ctr() : EVP_aes_128_ctr();
  assert_int_equal(EVP_EncryptInit_ex(ctx, cipher, NULL, key, iv), 1);
  assert_int_equal(EVP_EncryptUpdate(ctx, data, &out_len, data, (int)len), 1);
  EVP_CIPHER_CTX_free(ctx);
}

/* RFC 3711 section 4.3.1 with a key derivation rate of 0, the PRF of section 4.3.3. */
static void derive(const SessionKeys *shape, const uint8_t *master, uint8_t label, uint8_t *key,
                   size_t len) {
  uint8_t iv[16] = {0};
  memcpy(iv, master + shape->key_len, shape->salt_len);
  iv[7] ^= label;
  memset(key, 0, len);
  counter_mode(master, shape->key_len, iv, key, len);
}

static SessionKeys derive_all(RtcSrtpProfile profile, const uint8_t *master, uint8_t first_label) {
  SessionKeys keys = {
      .key_len = profile == RTC_SRTP_PROFILE_AEAD_AES_256_GCM ? 32 : 16,
      .salt_len = profile == RTC_SRTP_PROFILE_AES128_CM_SHA1_80 ? 14 : 12,
      .is_gcm = profile != RTC_SRTP_PROFILE_AES128_CM_SHA1_80,
  };
  derive(&keys, master, first_label, keys.cipher, keys.key_len);
  derive(&keys, master, (uint8_t)(first_label + 1), keys.auth, sizeof keys.auth);
  derive(&keys, master, (uint8_t)(first_label + 2), keys.salt, keys.salt_len);
  return keys;
}

/* RFC 3711 section 4.1.1. index: 48 bits. */
static void encrypt_cm(const SessionKeys *keys, const uint8_t ssrc[4], uint64_t index,
                       uint8_t *data, size_t len) {
  uint8_t iv[16] = {0};
  memcpy(iv, keys->salt, 14);
  xor_into(iv + 4, ssrc, 4);
  for (int i = 0; i < 6; i++)
    iv[8 + i] ^= (uint8_t)(index >> (40 - 8 * i));
  counter_mode(keys->cipher, keys->key_len, iv, data, len);
}

/* RFC 3711 section 4.2.1. */
static void write_tag(const SessionKeys *keys, const uint8_t *data, size_t len, uint8_t *tag) {
  uint8_t whole[EVP_MAX_MD_SIZE];
  assert_non_null(HMAC(EVP_sha1(), keys->auth, AUTH_KEY_LEN, data, len, whole, NULL));
  memcpy(tag, whole, CM_TAG_LEN);
}

/* nonce: 12 octets before the salt is added. The tag is written behind the data. */
static void seal_gcm(const SessionKeys *keys, uint8_t nonce[12], const uint8_t *aad, size_t aad_len,
                     const uint8_t *more_aad, size_t more_len, uint8_t *data, size_t len) {
  int out_len;
  xor_into(nonce, keys->salt, 12);
  EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
  const EVP_CIPHER *cipher = keys->key_len == 32 ? EVP_aes_256_gcm() : EVP_aes_128_gcm();
  assert_int_equal(EVP_EncryptInit_ex(ctx, cipher, NULL, keys->cipher, nonce), 1);
  assert_int_equal(EVP_EncryptUpdate(ctx, NULL, &out_len, aad, (int)aad_len), 1);
  if (more_len > 0)
    assert_int_equal(EVP_EncryptUpdate(ctx, NULL, &out_len, more_aad, (int)more_len), 1);
  if (len > 0)
    assert_int_equal(EVP_EncryptUpdate(ctx, data, &out_len, data, (int)len), 1);
  assert_int_equal(EVP_EncryptFinal_ex(ctx, data + len, &out_len), 1);
  assert_int_equal(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, GCM_TAG_LEN, data + len), 1);
  EVP_CIPHER_CTX_free(ctx);
}

size_t srtp_reference_protect(RtcSrtpProfile profile, const uint8_t *master, uint32_t roc,
                              uint8_t *packet, size_t header_len, size_t len) {
  SessionKeys keys = derive_all(profile, master, 0);
  uint16_t sequence = (uint16_t)(packet[2] << 8 | packet[3]);
  if (keys.is_gcm) { /* RFC 7714 section 8.1 */
    uint8_t nonce[12] = {0};
    memcpy(nonce + 2, packet + 8, 4);
    write_u32(nonce + 6, roc);
    memcpy(nonce + 10, packet + 2, 2);
    seal_gcm(&keys, nonce, packet, header_len, NULL, 0, packet + header_len, len - header_len);
    return len + GCM_TAG_LEN;
  }
  encrypt_cm(&keys, packet + 8, (uint64_t)roc << 16 | sequence, packet + header_len,
             len - header_len);
  write_u32(packet + len, roc); /* authenticated, not sent: the tag goes over it */
  write_tag(&keys, packet, len + 4, packet + len);
  return len + CM_TAG_LEN;
}

size_t srtp_reference_protect_rtcp(RtcSrtpProfile profile, const uint8_t *master, uint32_t index,
                                   uint8_t *packet, size_t len) {
  SessionKeys keys = derive_all(profile, master, SRTCP_LABELS);
  if (keys.is_gcm) { /* RFC 7714 section 9.1 */
    uint8_t nonce[12] = {0};
    uint8_t trailer[4];
    memcpy(nonce + 2, packet + 4, 4);
    write_u32(nonce + 8, index);
    write_u32(trailer, E_FLAG | index);
    seal_gcm(&keys, nonce, packet, RTCP_FIRST, trailer, sizeof trailer, packet + RTCP_FIRST,
             len - RTCP_FIRST);
    memcpy(packet + len + GCM_TAG_LEN, trailer, sizeof trailer);
    return len + GCM_TAG_LEN + sizeof trailer;
  }
  encrypt_cm(&keys, packet + 4, index, packet + RTCP_FIRST, len - RTCP_FIRST);
  write_u32(packet + len, E_FLAG | index);
  write_tag(&keys, packet, len + 4, packet + len + 4);
  return len + 4 + CM_TAG_LEN;
}
