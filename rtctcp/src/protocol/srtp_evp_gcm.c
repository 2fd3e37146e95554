/* AES in Galois/counter mode for libsrtp2, on OpenSSL's EVP.
 * Source: RFC 7714 */
#include "protocol/srtp_evp.h"

#include <openssl/evp.h>
#include <stdlib.h>

#define SALT_LEN      12 /* is counted in a key's length; libsrtp itself adds it to the IV */
#define TAG_LEN       16
#define TAG_LEN_SHORT 8 /* not of RFC 7714's final text, but libsrtp has it */

/* A context: libsrtp's part, and what its state points to. */
typedef struct Gcm {
  srtp_cipher_t cipher;
  EVP_CIPHER_CTX *evp; /* owned */
  int tag_len;         /* [octets] */
} Gcm;

typedef struct Variant {
  const srtp_cipher_type_t *type;
  const char *name; /* OpenSSL's */
  int key_len;      /* with salt [octets] */
} Variant;

static const Variant variants[] = {
    {&rtc_srtp_evp_gcm_128, "AES-128-GCM", 16 + SALT_LEN},
    {&rtc_srtp_evp_gcm_256, "AES-256-GCM", 32 + SALT_LEN},
};
#define VARIANT_COUNT (sizeof variants / sizeof *variants)

/* Fetched once: by name, each context would take a lock and search. */
static EVP_CIPHER *fetched[VARIANT_COUNT];

void rtc_srtp_evp_gcm_fetch(void) {
  for (size_t i = 0; i < VARIANT_COUNT; i++) {
    if (!fetched[i])
      fetched[i] = EVP_CIPHER_fetch(NULL, variants[i].name, NULL);
    if (!fetched[i])
      rtc_srtp_evp_failed(srtp_err_status_init_fail);
  }
}

static srtp_err_status_t gcm_dealloc(srtp_cipher_t *cipher) {
  Gcm *gcm = cipher->state;
  EVP_CIPHER_CTX_free(gcm->evp); /* cleanses the key */
  free(gcm);
  return srtp_err_status_ok;
}

/* Without a key, this makes the provider's part of the context; with a key, no memory is needed. */
static bool make_evp(Gcm *gcm, const EVP_CIPHER *kind) {
  gcm->evp = EVP_CIPHER_CTX_new();
  return gcm->evp && EVP_CipherInit_ex2(gcm->evp, kind, NULL, NULL, 1, NULL);
}

static srtp_err_status_t gcm_alloc(srtp_cipher_t **cipher, int key_len, int tag_len) {
  size_t variant = 0;
  while (variant < VARIANT_COUNT && variants[variant].key_len != key_len)
    variant++;
  if (variant == VARIANT_COUNT || (tag_len != TAG_LEN && tag_len != TAG_LEN_SHORT))
    return srtp_err_status_bad_param;

  Gcm *gcm = calloc(1, sizeof *gcm);
  if (!gcm)
    return srtp_err_status_alloc_fail;
  const srtp_cipher_type_t *type = variants[variant].type;
  gcm->cipher = (srtp_cipher_t){type, gcm, key_len, (int)type->id};
  gcm->tag_len = tag_len;
  if (!make_evp(gcm, fetched[variant])) {
    gcm_dealloc(&gcm->cipher);
    return rtc_srtp_evp_failed(srtp_err_status_alloc_fail);
  }
  *cipher = &gcm->cipher;
  return srtp_err_status_ok;
}

/* Both directions use AES's encryption, so that one key schedule does. */
static srtp_err_status_t gcm_init(void *state, const uint8_t *key) {
  Gcm *gcm = state;
  if (!EVP_CipherInit_ex2(gcm->evp, NULL, key, NULL, 1, NULL))
    return rtc_srtp_evp_failed(srtp_err_status_init_fail);
  return srtp_err_status_ok;
}

static srtp_err_status_t gcm_set_iv(void *state, uint8_t *iv, srtp_cipher_direction_t direction) {
  Gcm *gcm = state;
  if (direction == srtp_direction_any)
    return srtp_err_status_bad_param;
  if (!EVP_CipherInit_ex2(gcm->evp, NULL, NULL, iv, direction == srtp_direction_encrypt, NULL))
    return rtc_srtp_evp_failed(srtp_err_status_init_fail);
  return srtp_err_status_ok;
}

/* SRTCP has two parts: the header, and E flag with index (RFC 7714 section 9.1). */
static srtp_err_status_t gcm_set_aad(void *state, const uint8_t *aad, uint32_t len) {
  Gcm *gcm = state;
  int done;
  if (!EVP_CipherUpdate(gcm->evp, NULL, &done, aad, (int)len))
    return rtc_srtp_evp_failed(srtp_err_status_algo_fail);
  return srtp_err_status_ok;
}

/* data is NULL when there is nothing but AAD. */
static bool update(Gcm *gcm, uint8_t *data, unsigned len) {
  int done;
  return len == 0 || EVP_CipherUpdate(gcm->evp, data, &done, data, (int)len);
}

static srtp_err_status_t gcm_encrypt(void *state, uint8_t *data, unsigned *len) {
  if (!update(state, data, *len))
    return rtc_srtp_evp_failed(srtp_err_status_cipher_fail);
  return srtp_err_status_ok;
}

static srtp_err_status_t gcm_get_tag(void *state, uint8_t *tag, uint32_t *len) {
  Gcm *gcm = state;
  uint8_t none[1]; /* of the last block nothing is left */
  int done;
  if (!EVP_CipherFinal_ex(gcm->evp, none, &done) ||
      !EVP_CIPHER_CTX_ctrl(gcm->evp, EVP_CTRL_AEAD_GET_TAG, gcm->tag_len, tag))
    return rtc_srtp_evp_failed(srtp_err_status_cipher_fail);
  *len = (uint32_t)gcm->tag_len;
  return srtp_err_status_ok;
}

/* len  in: octets with the tag; out: without. On auth_fail data has been written to. */
static srtp_err_status_t gcm_decrypt(void *state, uint8_t *data, unsigned *len) {
  Gcm *gcm = state;
  uint8_t none[1];
  int done;
  if (*len < (unsigned)gcm->tag_len)
    return srtp_err_status_bad_param;
  unsigned data_len = *len - (unsigned)gcm->tag_len;
  if (!EVP_CIPHER_CTX_ctrl(gcm->evp, EVP_CTRL_AEAD_SET_TAG, gcm->tag_len, data + data_len) ||
      !update(gcm, data, data_len))
    return rtc_srtp_evp_failed(srtp_err_status_cipher_fail);
  if (!EVP_CipherFinal_ex(gcm->evp, none, &done))
    return rtc_srtp_evp_failed(srtp_err_status_auth_fail);
  *len = data_len;
  return srtp_err_status_ok;
}

#define GCM_FUNCTIONS                                                                              \
  .alloc = gcm_alloc, .dealloc = gcm_dealloc, .init = gcm_init, .set_aad = gcm_set_aad,            \
  .encrypt = gcm_encrypt, .decrypt = gcm_decrypt, .set_iv = gcm_set_iv, .get_tag = gcm_get_tag

const srtp_cipher_type_t rtc_srtp_evp_gcm_128 = {
    GCM_FUNCTIONS,
    .description = "AES-128 GCM on OpenSSL's EVP",
    .test_data = &rtc_srtp_evp_gcm_128_test,
    .id = SRTP_AES_GCM_128,
};

const srtp_cipher_type_t rtc_srtp_evp_gcm_256 = {
    GCM_FUNCTIONS,
    .description = "AES-256 GCM on OpenSSL's EVP",
    .test_data = &rtc_srtp_evp_gcm_256_test,
    .id = SRTP_AES_GCM_256,
};
