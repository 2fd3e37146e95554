/* Alerts of the test peer that OpenSSL would not send: DTLS 1.2 records, sealed by hand.
 * Source: RFC 6347 section 4.1, RFC 5246 sections 6.3 and 7.2, RFC 5288 section 3 */
#include "support/peer_internal.h"

#include <openssl/core_names.h>
#include <openssl/kdf.h>

#include <string.h>

#define RECORD_HEADER_LEN ((size_t)13)
#define NONCE_LEN         ((size_t)8) /* the explicit part */
#define SALT_LEN          ((size_t)4) /* the implicit part */
#define TAG_LEN           ((size_t)16)
#define ALERT_LEN         ((size_t)2)
#define KEY_MAX           ((size_t)32)
#define KEY_BLOCK_MAX     (2 * (KEY_MAX + SALT_LEN))
#define RANDOM_LEN        ((size_t)32)

_Static_assert(PEER_ALERT_MAX == RECORD_HEADER_LEN + NONCE_LEN + ALERT_LEN + TAG_LEN,
               "room for a sealed alert");

/* Far above what OpenSSL has used, so that no replay window refuses it. */
#define FIRST_SEQUENCE UINT64_C(0x10000)

typedef struct WriteKey {
  uint8_t key[KEY_MAX];
  size_t key_len;
  uint8_t salt[SALT_LEN];
} WriteKey;

static bool prf(const SSL *ssl, const uint8_t *secret, size_t secret_len, uint8_t *block,
                size_t block_len) {
  uint8_t seed[2 * RANDOM_LEN];
  SSL_get_server_random(ssl, seed, RANDOM_LEN);
  SSL_get_client_random(ssl, seed + RANDOM_LEN, RANDOM_LEN);
  const EVP_MD *digest = SSL_CIPHER_get_handshake_digest(SSL_get_current_cipher(ssl));
  char label[] = "key expansion";
  OSSL_PARAM params[] = {
      OSSL_PARAM_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)EVP_MD_get0_name(digest), 0),
      OSSL_PARAM_octet_string(OSSL_KDF_PARAM_SECRET, (uint8_t *)secret, secret_len),
      OSSL_PARAM_octet_string(OSSL_KDF_PARAM_SEED, label, sizeof label - 1),
      OSSL_PARAM_octet_string(OSSL_KDF_PARAM_SEED, seed, sizeof seed), OSSL_PARAM_END};
  EVP_KDF *kdf = EVP_KDF_fetch(NULL, "TLS1-PRF", NULL);
  EVP_KDF_CTX *context = EVP_KDF_CTX_new(kdf);
  bool ok = context && EVP_KDF_derive(context, block, block_len, params) > 0;
  EVP_KDF_CTX_free(context);
  EVP_KDF_free(kdf);
  return ok;
}

/* The key block of an AEAD cipher: client key, server key, client salt, server salt. */
static bool derive_key(const SSL *ssl, WriteKey *write) {
  uint8_t secret[SSL_MAX_MASTER_KEY_LENGTH], block[KEY_BLOCK_MAX];
  size_t secret_len = SSL_SESSION_get_master_key(SSL_get_session(ssl), secret, sizeof secret);
  size_t key_len = (size_t)SSL_CIPHER_get_bits(SSL_get_current_cipher(ssl), NULL) / 8;
  if (key_len > KEY_MAX || !prf(ssl, secret, secret_len, block, 2 * (key_len + SALT_LEN)))
    return false;
  size_t side = SSL_is_server(ssl) ? 1 : 0;
  memcpy(write->key, block + side * key_len, key_len);
  memcpy(write->salt, block + 2 * key_len + side * SALT_LEN, SALT_LEN);
  write->key_len = key_len;
  return true;
}

static bool encrypt(const WriteKey *write, const uint8_t *header, const uint8_t *alert,
                    uint8_t *out) {
  uint8_t iv[SALT_LEN + NONCE_LEN], aad[RECORD_HEADER_LEN];
  memcpy(iv, write->salt, SALT_LEN);
  memcpy(iv + SALT_LEN, header + 3, NONCE_LEN);
  /* Epoch and sequence, type, version, and the length in clear. */
  memcpy(aad, header + 3, 8);
  memcpy(aad + 8, header, 3);
  aad[11] = 0;
  aad[12] = ALERT_LEN;
  memcpy(out, header + 3, NONCE_LEN);
  const EVP_CIPHER *cipher = write->key_len == 32 ? EVP_aes_256_gcm() : EVP_aes_128_gcm();
  EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
  int len;
  bool ok = context && EVP_EncryptInit_ex(context, cipher, NULL, write->key, iv) &&
            EVP_EncryptUpdate(context, NULL, &len, aad, sizeof aad) &&
            EVP_EncryptUpdate(context, out + NONCE_LEN, &len, alert, ALERT_LEN) &&
            EVP_EncryptFinal_ex(context, out + NONCE_LEN + ALERT_LEN, &len) &&
            EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, (int)TAG_LEN,
                                out + NONCE_LEN + ALERT_LEN);
  EVP_CIPHER_CTX_free(context);
  return ok;
}

static void write_header(uint8_t header[RECORD_HEADER_LEN], uint8_t epoch, uint64_t sequence,
                         size_t len) {
  memcpy(header, (const uint8_t[]){SSL3_RT_ALERT, 0xfe, 0xfd, 0, epoch}, 5);
  for (size_t i = 0; i < 6; i++)
    header[5 + i] = (uint8_t)(sequence >> (8 * (5 - i)));
  header[11] = (uint8_t)(len >> 8);
  header[12] = (uint8_t)len;
}

/* A client's own keys are in use from its Finished on, before the server's has come. */
static bool writes_sealed(const RtcPeer *peer) {
  return peer->connected || SSL_get_state(peer->ssl) == TLS_ST_CW_FINISHED;
}

size_t peer_alert_seal(RtcPeer *peer, uint8_t level, uint8_t description,
                       uint8_t record[PEER_ALERT_MAX]) {
  const uint8_t alert[ALERT_LEN] = {level, description};
  uint64_t sequence = FIRST_SEQUENCE + peer->alerts_made++;
  if (!writes_sealed(peer)) {
    write_header(record, 0, sequence, ALERT_LEN);
    memcpy(record + RECORD_HEADER_LEN, alert, ALERT_LEN);
    return RECORD_HEADER_LEN + ALERT_LEN;
  }
  WriteKey write;
  write_header(record, 1, sequence, NONCE_LEN + ALERT_LEN + TAG_LEN);
  if (!derive_key(peer->ssl, &write) || !encrypt(&write, record, alert, record + RECORD_HEADER_LEN))
    return 0;
  return RECORD_HEADER_LEN + NONCE_LEN + ALERT_LEN + TAG_LEN;
}

int peer_alert_send(RtcPeer *peer, uint8_t level, uint8_t description) {
  uint8_t record[PEER_ALERT_MAX];
  size_t len = peer_alert_seal(peer, level, description, record);
  if (len == 0)
    return peer_fail(peer, PEER_FAILED, "the alert can't be sealed");
  return peer_send_frame(peer, peer->selected, record, len);
}
