/* AES in SRTP's counter mode (libsrtp2's AES-ICM), on OpenSSL's EVP.
 * Source: RFC 3711 section 4.1.1 */
#include "protocol/srtp_evp.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define SALT_LEN  14
#define BLOCK_LEN 16

/* A context: libsrtp's part, and what its state points to. */
typedef struct Cm {
  srtp_cipher_t cipher;
  EVP_CIPHER_CTX *evp; /* owned */
  int aes_key_len;     /* without salt [octets] */
  uint8_t salt[SALT_LEN];
} Cm;

typedef struct Variant {
  const srtp_cipher_type_t *type;
  const char *name; /* OpenSSL's */
  int key_len;      /* with salt [octets] */
} Variant;

static const Variant variants[] = {
    {&rtc_srtp_evp_cm_128, "AES-128-CTR", 16 + SALT_LEN},
    {&rtc_srtp_evp_cm_256, "AES-256-CTR", 32 + SALT_LEN},
};
#define VARIANT_COUNT (sizeof variants / sizeof *variants)

/* Fetched once: by name, each context would take a lock and search. */
static EVP_CIPHER *fetched[VARIANT_COUNT];

void rtc_srtp_evp_cm_fetch(void) {
  for (size_t i = 0; i < VARIANT_COUNT; i++) {
    if (!fetched[i])
      fetched[i] = EVP_CIPHER_fetch(NULL, variants[i].name, NULL);
    if (!fetched[i])
      rtc_srtp_evp_failed(srtp_err_status_init_fail);
  }
}

static srtp_err_status_t cm_dealloc(srtp_cipher_t *cipher) {
  Cm *cm = cipher->state;
  EVP_CIPHER_CTX_free(cm->evp); /* cleanses the key */
  OPENSSL_cleanse(cm, sizeof *cm);
  free(cm);
  return srtp_err_status_ok;
}

/* Without a key, this makes the provider's part of the context; with a key, no memory is needed. */
static bool make_evp(Cm *cm, const EVP_CIPHER *kind) {
  cm->evp = EVP_CIPHER_CTX_new();
  return cm->evp && EVP_CipherInit_ex2(cm->evp, kind, NULL, NULL, 1, NULL);
}

/* A tag is not this cipher's. */
static srtp_err_status_t cm_alloc(srtp_cipher_t **cipher, int key_len, int tag_len) {
  (void)tag_len;
  size_t variant = 0;
  while (variant < VARIANT_COUNT && variants[variant].key_len != key_len)
    variant++;
  if (variant == VARIANT_COUNT)
    return srtp_err_status_bad_param;

  Cm *cm = calloc(1, sizeof *cm);
  if (!cm)
    return srtp_err_status_alloc_fail;
  const srtp_cipher_type_t *type = variants[variant].type;
  cm->cipher = (srtp_cipher_t){type, cm, key_len, (int)type->id};
  cm->aes_key_len = key_len - SALT_LEN;
  if (!make_evp(cm, fetched[variant])) {
    cm_dealloc(&cm->cipher);
    return rtc_srtp_evp_failed(srtp_err_status_alloc_fail);
  }
  *cipher = &cm->cipher;
  return srtp_err_status_ok;
}

static srtp_err_status_t cm_init(void *state, const uint8_t *key) {
  Cm *cm = state;
  memcpy(cm->salt, key + cm->aes_key_len, SALT_LEN);
  if (!EVP_CipherInit_ex2(cm->evp, NULL, key, NULL, 1, NULL))
    return rtc_srtp_evp_failed(srtp_err_status_init_fail);
  return srtp_err_status_ok;
}

/* The last two octets of an IV are 0: SRTP counts the blocks of a packet there. OpenSSL counts in
 * all 16, which is the same as long as a packet has no more than 2^16 blocks, 1 MiB. */
static srtp_err_status_t cm_set_iv(void *state, uint8_t *iv, srtp_cipher_direction_t direction) {
  (void)direction; /* it is the same in both */
  Cm *cm = state;
  uint8_t counter[BLOCK_LEN];
  memcpy(counter, iv, sizeof counter);
  for (size_t i = 0; i < SALT_LEN; i++)
    counter[i] ^= cm->salt[i];
  if (!EVP_CipherInit_ex2(cm->evp, NULL, NULL, counter, 1, NULL))
    return rtc_srtp_evp_failed(srtp_err_status_init_fail);
  return srtp_err_status_ok;
}

/* A call goes on where the last one has ended, within a block too: so libsrtp encrypts header
 * extensions (RFC 6904). */
static srtp_err_status_t cm_crypt(void *state, uint8_t *data, unsigned *len) {
  Cm *cm = state;
  int done;
  if (*len > 0 && !EVP_CipherUpdate(cm->evp, data, &done, data, (int)*len))
    return rtc_srtp_evp_failed(srtp_err_status_cipher_fail);
  return srtp_err_status_ok;
}

#define CM_FUNCTIONS                                                                               \
  .alloc = cm_alloc, .dealloc = cm_dealloc, .init = cm_init, .encrypt = cm_crypt,                  \
  .decrypt = cm_crypt, .set_iv = cm_set_iv

const srtp_cipher_type_t rtc_srtp_evp_cm_128 = {
    CM_FUNCTIONS,
    .description = "AES-128 CM on OpenSSL's EVP",
    .test_data = &rtc_srtp_evp_cm_128_test,
    .id = SRTP_AES_ICM_128,
};

const srtp_cipher_type_t rtc_srtp_evp_cm_256 = {
    CM_FUNCTIONS,
    .description = "AES-256 CM on OpenSSL's EVP",
    .test_data = &rtc_srtp_evp_cm_256_test,
    .id = SRTP_AES_ICM_256,
};
