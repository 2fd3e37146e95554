/* Feeds datagrams to a DTLS server: fresh, in the middle of a handshake, connected, and connected
 * with a client that seals whatever it is given.
 * Input: one octet that chooses the stage, then datagrams, each behind its 16-bit length. Those
 * that are to be sealed are a record's type and its plaintext. */
#include "protocol/dtls_session.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define OCTETS_MAX ((size_t)16384)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef enum Stage {
  STAGE_FRESH,    /* nothing has come */
  STAGE_ANSWERED, /* a ClientHello has come, and was answered */
  STAGE_CONNECTED,
  STAGE_SEALED, /* connected, and the datagrams are sealed */
  STAGE_COUNT,
} Stage;

typedef struct Outbox {
  uint8_t data[OCTETS_MAX];
  size_t len;
} Outbox;

static void keep(const uint8_t *datagram, size_t len, void *arg) {
  Outbox *outbox = arg;
  if (len > sizeof outbox->data - outbox->len)
    abort();
  memcpy(outbox->data + outbox->len, datagram, len);
  outbox->len += len;
}

static RtcDtlsContext *contexts[2]; /* for all inputs: making one is slow */

static RtcDtls *open_session(RtcDtlsRole role, Outbox *outbox) {
  RtcDtlsCallbacks callbacks = {.output = keep, .arg = outbox};
  RtcDtls *dtls;
  if (!contexts[role] && rtc_dtls_context_new(&contexts[role], NULL))
    abort();
  if (!contexts[!role] && rtc_dtls_context_new(&contexts[!role], NULL))
    abort();
  if (rtc_dtls_new(&dtls, contexts[role], role, rtc_dtls_context_fingerprint(contexts[!role]), 1,
                   &callbacks, NULL, "fuzz"))
    abort();
  return dtls;
}

/* Each flight of a handshake is one datagram to the library: records behind each other. */
static void carry(Outbox *from, RtcDtls *to) {
  static Outbox taken;
  taken = *from;
  from->len = 0;
  if (rtc_dtls_input(to, taken.data, taken.len))
    abort();
}

/* keys  out: the client's, once it is connected */
static void bring_to(Stage stage, RtcDtls *server, Outbox *out, RtcDtlsEpoch *keys) {
  static Outbox client_out;
  if (stage == STAGE_FRESH)
    return;
  client_out.len = 0;
  RtcDtls *client = open_session(RTC_DTLS_ROLE_CLIENT, &client_out);
  rtc_dtls_start(client);
  carry(&client_out, server);
  if (stage >= STAGE_CONNECTED) {
    carry(out, client);
    carry(&client_out, server);
    carry(out, client);
    *keys = client->epoch;
  }
  rtc_dtls_destroy(client);
}

static void feed(RtcDtls *server, Outbox *out, const uint8_t *data, size_t size) {
  while (size >= 2) {
    size_t len = (size_t)(data[0] << 8 | data[1]);
    data += 2;
    size -= 2;
    if (len > size)
      len = size;
    RtcDtlsState before = rtc_dtls_state(server);
    RtcError error = rtc_dtls_input(server, data, len);
    bool is_over = rtc_dtls_state(server) > RTC_DTLS_STATE_CONNECTED;
    if (is_over != (error == RTC_ERROR_CLOSED))
      abort();
    /* Nobody can forge the client's certificate or what its keys protect. */
    if (before != RTC_DTLS_STATE_CONNECTED && rtc_dtls_state(server) == RTC_DTLS_STATE_CONNECTED)
      abort();
    if (before == RTC_DTLS_STATE_CONNECTED && is_over)
      abort();
    out->len = 0;
    data += len;
    size -= len;
  }
}

/* One record of AES-128-GCM, which two sessions of ours choose: RFC 5288 section 3. */
static size_t seal(RtcDtlsEpoch *keys, uint8_t type, const uint8_t *plain, size_t len,
                   uint8_t *record) {
  const uint8_t number = (uint8_t)keys->next_sequence++;
  const size_t body_len = 8 + len + 16;
  const uint8_t header[] = {
      type, 0xFE, 0xFD, 0, 1, 0, 0, 0, 0, 0, number, (uint8_t)(body_len >> 8), (uint8_t)body_len};
  uint8_t nonce[12], associated[13], *text = record + sizeof header + 8;
  int written;
  memcpy(record, header, sizeof header);
  memcpy(record + sizeof header, header + 3, 8);
  memcpy(nonce, keys->send_iv, 4);
  memcpy(nonce + 4, header + 3, 8);
  memcpy(associated, header + 3, 8);
  memcpy(associated + 8, header, 3);
  associated[11] = (uint8_t)(len >> 8);
  associated[12] = (uint8_t)len;
  EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
  if (!ctx || !EVP_EncryptInit_ex(ctx, EVP_aes_128_gcm(), NULL, keys->send_key, nonce) ||
      !EVP_EncryptUpdate(ctx, NULL, &written, associated, sizeof associated) ||
      !EVP_EncryptUpdate(ctx, text, &written, plain, (int)len) ||
      !EVP_EncryptFinal_ex(ctx, text + len, &written) ||
      !EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, 16, text + len))
    abort();
  EVP_CIPHER_CTX_free(ctx);
  return sizeof header + body_len;
}

/* What is authentic and new is never passed over, and ends the session by an alert only. */
static void feed_sealed(RtcDtls *server, Outbox *out, RtcDtlsEpoch *keys, const uint8_t *data,
                        size_t size) {
  static uint8_t record[OCTETS_MAX];
  for (int records = 0; size >= 3 && records < 64; records++) {
    size_t len = (size_t)(data[0] << 8 | data[1]) % 1200;
    uint8_t type = (uint8_t)(RTC_DTLS_RECORD_CHANGE_CIPHER_SPEC + data[2] % 4);
    data += 3;
    size -= 3;
    if (len > size)
      len = size;
    bool was_over = rtc_dtls_is_over(server);
    size_t sealed = seal(keys, type, data, len, record);
    RtcError error = rtc_dtls_input(server, record, sealed);
    bool is_over = rtc_dtls_is_over(server);
    if (error != (is_over ? RTC_ERROR_CLOSED : RTC_OK))
      abort();
    if (is_over && !was_over && type != RTC_DTLS_RECORD_ALERT)
      abort();
    if (!is_over && rtc_dtls_input(server, record, sealed) != RTC_ERROR_PROTO)
      abort(); /* a replay */
    out->len = 0;
    data += len;
    size -= len;
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static Outbox out;
  RtcDtlsEpoch keys = {0};
  if (size == 0)
    return 0;
  out.len = 0;
  RtcDtls *server = open_session(RTC_DTLS_ROLE_SERVER, &out);
  Stage stage = (Stage)(data[0] % STAGE_COUNT);
  bring_to(stage, server, &out, &keys);
  out.len = 0;
  if (stage == STAGE_SEALED)
    feed_sealed(server, &out, &keys, data + 1, size - 1);
  else
    feed(server, &out, data + 1, size - 1);
  rtc_dtls_resend(server);
  rtc_dtls_close(server);
  rtc_dtls_destroy(server);
  return 0;
}
