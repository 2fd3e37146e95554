/* Epoch 1 of a DTLS 1.2 session: AEAD records, opened and sealed without an SSL. */
#include "protocol/dtls_epoch.h"

#include "base/octets.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <string.h>

#define TAG_LEN           16
#define NONCE_LEN         RTC_DTLS_EPOCH_IV_MAX
#define NUMBER_LEN        8 /* epoch and sequence number, as the header has them */
#define ALERT_LEN         2
#define PLAINTEXT_MAX     ((size_t)16384) /* RFC 5246 section 6.2.1 */
#define SEQUENCE_MAX      ((UINT64_C(1) << 48) - 1)
#define REPLAY_WINDOW     64
#define KEY_BLOCK_MAX     (2 * (RTC_DTLS_EPOCH_KEY_MAX + RTC_DTLS_EPOCH_IV_MAX))
#define PIECE_LEN         ((size_t)512) /* of a plaintext that nobody reads */
#define ASSOCIATED_LEN    13            /* RFC 5246 section 6.2.3.3 */
#define MASTER_SECRET_LEN 48

struct RtcDtlsCipher {
  int nid; /* OpenSSL's */
  const EVP_CIPHER *(*cipher)(void);
  size_t key_len;      /* [octets] */
  size_t iv_len;       /* from the key block [octets] */
  size_t explicit_len; /* of the nonce's part that each record carries [octets] */
};

/* RFC 5288 section 3: the nonce is the IV, and 8 octets that the sender chooses.
 * RFC 7905 section 2: it is the IV with the record's number added by XOR. */
static const RtcDtlsCipher ciphers[] = {
    {NID_aes_128_gcm, EVP_aes_128_gcm, 16, 4, 8},
    {NID_aes_256_gcm, EVP_aes_256_gcm, 32, 4, 8},
    {NID_chacha20_poly1305, EVP_chacha20_poly1305, 32, 12, 0},
};

static uint64_t read_u64(const uint8_t *at) {
  return (uint64_t)rtc_read_u32(at) << 32 | rtc_read_u32(at + 4);
}

static void write_u64(uint8_t *at, uint64_t value) {
  rtc_write_u32(at, (uint32_t)(value >> 32));
  rtc_write_u32(at + 4, (uint32_t)value);
}

/* -- Keys -- */

static const RtcDtlsCipher *cipher_of(const SSL_CIPHER *suite) {
  int nid = suite ? SSL_CIPHER_get_cipher_nid(suite) : NID_undef;
  for (size_t i = 0; i < sizeof ciphers / sizeof *ciphers; i++)
    if (ciphers[i].nid == nid)
      return &ciphers[i];
  return NULL;
}

/* RFC 5246 section 6.3: PRF(master secret, "key expansion", server random, client random). */
static bool expand(const SSL *ssl, uint8_t *block, size_t len) {
  static const char label[] = "key expansion";
  uint8_t master[MASTER_SECRET_LEN], seed[sizeof label - 1 + 2 * SSL3_RANDOM_SIZE];
  const EVP_MD *hash = SSL_CIPHER_get_handshake_digest(SSL_get_current_cipher(ssl));
  size_t master_len = SSL_SESSION_get_master_key(SSL_get_session(ssl), master, sizeof master);
  memcpy(seed, label, sizeof label - 1);
  SSL_get_server_random(ssl, seed + sizeof label - 1, SSL3_RANDOM_SIZE);
  SSL_get_client_random(ssl, seed + sizeof label - 1 + SSL3_RANDOM_SIZE, SSL3_RANDOM_SIZE);
  char *hash_name = (char *)EVP_MD_get0_name(hash); /* OSSL_PARAM knows no const; it is read only */
  const OSSL_PARAM params[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, hash_name, 0),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SECRET, master, master_len),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SEED, seed, sizeof seed),
      OSSL_PARAM_construct_end(),
  };
  EVP_KDF *kdf = EVP_KDF_fetch(NULL, "TLS1-PRF", NULL);
  EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
  bool ok = ctx && EVP_KDF_derive(ctx, block, len, params) == 1;
  EVP_KDF_CTX_free(ctx);
  EVP_KDF_free(kdf);
  OPENSSL_cleanse(master, sizeof master);
  return ok;
}

RtcError rtc_dtls_epoch_take_keys(RtcDtlsEpoch *epoch, const SSL *ssl) {
  uint8_t block[KEY_BLOCK_MAX];
  const RtcDtlsCipher *cipher = cipher_of(SSL_get_current_cipher(ssl));
  if (!cipher)
    return RTC_ERROR_UNSUPPORTED;
  size_t key = cipher->key_len, iv = cipher->iv_len;
  /* All that it is given is right: what can be missing is memory. */
  if (!expand(ssl, block, 2 * (key + iv)))
    return RTC_ERROR_NO_MEMORY;
  /* The block is: client key, server key, client IV, server IV. */
  size_t own = SSL_is_server(ssl) ? 1 : 0, other = 1 - own;
  memcpy(epoch->send_key, block + own * key, key);
  memcpy(epoch->receive_key, block + other * key, key);
  memcpy(epoch->send_iv, block + 2 * key + own * iv, iv);
  memcpy(epoch->receive_iv, block + 2 * key + other * iv, iv);
  epoch->cipher = cipher;
  OPENSSL_cleanse(block, sizeof block);
  return RTC_OK;
}

void rtc_dtls_epoch_finish(RtcDtlsEpoch *epoch) {
  OPENSSL_cleanse(epoch, sizeof *epoch);
}

/* OpenSSL begins an AES-GCM key's explicit nonces at a random number, and adds one each time; what
 * is sealed here goes on with that. */
void rtc_dtls_epoch_count_sealed(RtcDtlsEpoch *epoch, const uint8_t *records, size_t len) {
  RtcDtlsRecord record;
  for (size_t at = 0; at < len; at += record.len) {
    if (rtc_dtls_record_parse(&record, records + at, len - at) != RTC_OK)
      return;
    if (record.epoch != 1)
      continue;
    epoch->next_sequence = record.sequence + 1;
    if (record.len >= RTC_DTLS_RECORD_HEADER_LEN + NUMBER_LEN)
      epoch->next_explicit = read_u64(records + at + RTC_DTLS_RECORD_HEADER_LEN) + 1;
  }
}

/* -- Replays, RFC 6347 section 4.1.2.6 -- */

static bool is_replay(const RtcDtlsEpoch *epoch, uint64_t sequence) {
  if (epoch->seen == 0 || sequence > epoch->newest)
    return false;
  uint64_t behind = epoch->newest - sequence;
  return behind >= REPLAY_WINDOW || (epoch->seen >> behind & 1);
}

void rtc_dtls_epoch_count_opened(RtcDtlsEpoch *epoch, const RtcDtlsRecord *record) {
  if (epoch->seen == 0 || record->sequence > epoch->newest) {
    uint64_t ahead = record->sequence - epoch->newest;
    epoch->seen = ahead < REPLAY_WINDOW ? epoch->seen << ahead : 0;
    epoch->newest = record->sequence;
  }
  epoch->seen |= UINT64_C(1) << (epoch->newest - record->sequence);
}

/* -- Records -- */

/* What a record is longer than its plaintext [octets]. */
static size_t overhead_of(const RtcDtlsCipher *cipher) {
  return RTC_DTLS_RECORD_HEADER_LEN + cipher->explicit_len + TAG_LEN;
}

bool rtc_dtls_epoch_is_too_short(const SSL *ssl, const RtcDtlsRecord *record) {
  const RtcDtlsCipher *cipher = cipher_of(SSL_get_pending_cipher(ssl));
  return !cipher || record->len < overhead_of(cipher);
}

/* One record on its way through the cipher. */
typedef struct Pass {
  const RtcDtlsCipher *cipher;
  const uint8_t *key, *iv;
  const uint8_t *header; /* of the record, and behind it the explicit nonce, if there is one */
  size_t plain_len;      /* [octets] */
  int is_sealing;
} Pass;

static void make_nonce(uint8_t nonce[NONCE_LEN], const Pass *pass) {
  const uint8_t *number = pass->header + RTC_DTLS_RECORD_EPOCH_AT;
  memcpy(nonce, pass->iv, pass->cipher->iv_len);
  memcpy(nonce + pass->cipher->iv_len, pass->header + RTC_DTLS_RECORD_HEADER_LEN,
         pass->cipher->explicit_len);
  for (size_t i = 0; pass->cipher->explicit_len == 0 && i < NUMBER_LEN; i++)
    nonce[NONCE_LEN - NUMBER_LEN + i] ^= number[i];
}

static void make_associated(uint8_t data[ASSOCIATED_LEN], const Pass *pass) {
  memcpy(data, pass->header + RTC_DTLS_RECORD_EPOCH_AT, NUMBER_LEN);
  memcpy(data + NUMBER_LEN, pass->header, RTC_DTLS_RECORD_EPOCH_AT); /* type and version */
  rtc_write_u16(data + ASSOCIATED_LEN - 2, (uint16_t)pass->plain_len);
}

/* A cipher that has taken all but the text and the tag. A record after the handshake is rare: none
 * is kept. NULL: out of memory. */
static EVP_CIPHER_CTX *begin(const Pass *pass) {
  uint8_t nonce[NONCE_LEN], associated[ASSOCIATED_LEN];
  int len;
  EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
  make_nonce(nonce, pass);
  make_associated(associated, pass);
  if (ctx &&
      EVP_CipherInit_ex2(ctx, pass->cipher->cipher(), pass->key, nonce, pass->is_sealing, NULL) ==
          1 &&
      EVP_CipherUpdate(ctx, NULL, &len, associated, sizeof associated) == 1)
    return ctx;
  EVP_CIPHER_CTX_free(ctx);
  return NULL;
}

/* The plaintext is given up piece by piece, but for its head. false: out of memory */
static bool decrypt(EVP_CIPHER_CTX *ctx, const uint8_t *text, RtcDtlsOpened *into) {
  uint8_t piece[PIECE_LEN];
  int written;
  for (size_t at = 0; at < into->len; at += PIECE_LEN) {
    size_t len = into->len - at < PIECE_LEN ? into->len - at : PIECE_LEN;
    if (EVP_CipherUpdate(ctx, piece, &written, text + at, (int)len) != 1)
      return false;
    if (at == 0)
      memcpy(into->head, piece, len < sizeof into->head ? len : sizeof into->head);
  }
  return true;
}

/* The tag is compared in constant time by OpenSSL. */
static bool is_authentic(EVP_CIPHER_CTX *ctx, const uint8_t *tag) {
  uint8_t expected[TAG_LEN], none[TAG_LEN];
  int written;
  memcpy(expected, tag, TAG_LEN); /* EVP_CTRL takes no const */
  return EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG_LEN, expected) == 1 &&
         EVP_CipherFinal_ex(ctx, none, &written) == 1;
}

static RtcError open_text(const Pass *pass, RtcDtlsOpened *into) {
  const uint8_t *text = pass->header + RTC_DTLS_RECORD_HEADER_LEN + pass->cipher->explicit_len;
  RtcError error = RTC_ERROR_NO_MEMORY;
  EVP_CIPHER_CTX *ctx = begin(pass);
  if (!ctx)
    return RTC_ERROR_NO_MEMORY;
  if (decrypt(ctx, text, into))
    error = is_authentic(ctx, text + into->len) ? RTC_OK : RTC_ERROR_AUTH;
  EVP_CIPHER_CTX_free(ctx);
  return error;
}

RtcError rtc_dtls_epoch_open(RtcDtlsEpoch *epoch, const RtcDtlsRecord *record, const uint8_t *data,
                             RtcDtlsOpened *opened) {
  size_t overhead = overhead_of(epoch->cipher);
  if (record->epoch != 1 || record->len < overhead || record->len - overhead > PLAINTEXT_MAX ||
      rtc_read_u16(data + RTC_DTLS_RECORD_VERSION_AT) != RTC_DTLS_VERSION_1_2)
    return RTC_ERROR_PROTO;
  if (is_replay(epoch, record->sequence))
    return RTC_ERROR_REPLAY;
  RtcDtlsOpened it = {.len = record->len - overhead};
  const Pass pass = {epoch->cipher, epoch->receive_key, epoch->receive_iv, data, it.len, 0};
  RtcError error = open_text(&pass, &it);
  if (error)
    return error;
  rtc_dtls_epoch_count_opened(epoch, record);
  *opened = it;
  return RTC_OK;
}

/* Takes the next record's number for good, whatever becomes of the record. */
static void write_header(RtcDtlsEpoch *epoch, RtcDtlsRecordType type, size_t body_len,
                         uint8_t *at) {
  at[0] = (uint8_t)type;
  rtc_write_u16(at + RTC_DTLS_RECORD_VERSION_AT, RTC_DTLS_VERSION_1_2);
  write_u64(at + RTC_DTLS_RECORD_EPOCH_AT, UINT64_C(1) << 48 | epoch->next_sequence++);
  rtc_write_u16(at + RTC_DTLS_RECORD_LENGTH_AT, (uint16_t)body_len);
  if (epoch->cipher->explicit_len > 0)
    write_u64(at + RTC_DTLS_RECORD_HEADER_LEN, epoch->next_explicit++);
}

RtcError rtc_dtls_epoch_seal_alert(RtcDtlsEpoch *epoch, uint8_t level, uint8_t description,
                                   uint8_t record[RTC_DTLS_EPOCH_ALERT_MAX], size_t *len) {
  const uint8_t alert[ALERT_LEN] = {level, description};
  size_t body_len = epoch->cipher->explicit_len + ALERT_LEN + TAG_LEN;
  uint8_t *text = record + RTC_DTLS_RECORD_HEADER_LEN + epoch->cipher->explicit_len;
  const Pass pass = {epoch->cipher, epoch->send_key, epoch->send_iv, record, ALERT_LEN, 1};
  int written;
  if (epoch->next_sequence > SEQUENCE_MAX)
    return RTC_ERROR_LIMIT;
  write_header(epoch, RTC_DTLS_RECORD_ALERT, body_len, record);
  EVP_CIPHER_CTX *ctx = begin(&pass);
  bool ok = ctx && EVP_CipherUpdate(ctx, text, &written, alert, ALERT_LEN) == 1 &&
            EVP_CipherFinal_ex(ctx, text + ALERT_LEN, &written) == 1 &&
            EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG_LEN, text + ALERT_LEN) == 1;
  EVP_CIPHER_CTX_free(ctx);
  if (!ok)
    return RTC_ERROR_NO_MEMORY;
  *len = RTC_DTLS_RECORD_HEADER_LEN + body_len;
  return RTC_OK;
}
