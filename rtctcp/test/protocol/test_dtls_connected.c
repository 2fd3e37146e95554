/* DTLS sessions after the handshake, when no SSL is left of it, against plain OpenSSL. */
#include "protocol/dtls.h"

#include "protocol/dtls_epoch.h"
#include "support/dtls_peer.h"
#include "support/dtls_side.h"

#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define HEADER_LEN  13
#define SEQUENCE_AT 5
#define EPOCH_AT    3

#define ALERT_LEN_MAX 39

static RtcDtlsContext *context;
static DtlsSide side;
static DtlsPeer peer;
static Datagrams flight;
static Datagrams said; /* by the peer in the handshake */

static int make_context(void **state) {
  (void)state;
  return rtc_dtls_context_new(&context, NULL);
}

static int destroy_context(void **state) {
  (void)state;
  rtc_dtls_context_destroy(context);
  return 0;
}

static int finish(void **state) {
  (void)state;
  dtls_side_finish(&side);
  dtls_peer_finish(&peer);
  return 0;
}

typedef struct Variant {
  RtcDtlsRole role; /* of the session */
  const char *cipher;
} Variant;

static const Variant variants[] = {
    {RTC_DTLS_ROLE_SERVER, "ECDHE-ECDSA-AES128-GCM-SHA256"},
    {RTC_DTLS_ROLE_SERVER, "ECDHE-ECDSA-AES256-GCM-SHA384"},
    {RTC_DTLS_ROLE_SERVER, "ECDHE-ECDSA-CHACHA20-POLY1305"},
    {RTC_DTLS_ROLE_CLIENT, "ECDHE-ECDSA-AES128-GCM-SHA256"},
    {RTC_DTLS_ROLE_CLIENT, "ECDHE-ECDSA-AES256-GCM-SHA384"},
    {RTC_DTLS_ROLE_CLIENT, "ECDHE-ECDSA-CHACHA20-POLY1305"},
};

static bool is_connected(void) {
  return rtc_dtls_state(side.dtls) == RTC_DTLS_STATE_CONNECTED;
}

/* As dtls_side_talk_to_peer, and what the peer says is kept. */
static void talk_once(void) {
  static Datagrams taken;
  for (size_t i = 0; i < peer.out.count; i++)
    datagrams_add(&said, peer.out.items[i].data, peer.out.items[i].len);
  taken.count = 0;
  datagrams_move(&taken, &peer.out);
  for (size_t i = 0; i < taken.count; i++)
    dtls_side_input(&side, &taken.items[i]);
  taken.count = 0;
  datagrams_move(&taken, &side.out);
  for (size_t i = 0; i < taken.count; i++)
    dtls_peer_input(&peer, &taken.items[i]);
}

/* Both are done, and have said all that they have to say. */
static void connect_as(const Variant *it) {
  RtcFingerprint fingerprint;
  dtls_peer_init(&peer, &(DtlsPeerConfig){.is_server = it->role == RTC_DTLS_ROLE_CLIENT,
                                          .profiles = "SRTP_AEAD_AES_128_GCM",
                                          .ciphers = it->cipher,
                                          .has_timer = true});
  dtls_peer_fingerprint(&peer, "sha-256", &fingerprint);
  dtls_side_init(&side, context, it->role, &fingerprint, 1);
  rtc_dtls_start(side.dtls);
  if (it->role == RTC_DTLS_ROLE_SERVER)
    dtls_peer_start(&peer);
  said.count = 0;
  while (side.out.count > 0 || peer.out.count > 0)
    talk_once();
  assert_true(is_connected());
  assert_true(SSL_is_init_finished(peer.ssl));
  assert_string_equal(SSL_get_cipher_name(peer.ssl), it->cipher);
}

static RtcError input(const Datagram *datagram) {
  return rtc_dtls_input(side.dtls, datagram->data, datagram->len);
}

/* The only datagram that the peer has to say. */
static Datagram said_by_peer(void) {
  assert_int_equal(peer.out.count, 1);
  peer.out.count = 0;
  return peer.out.items[0];
}

static void for_each_variant(void (*check)(void)) {
  for (size_t i = 0; i < sizeof variants / sizeof *variants; i++) {
    connect_as(&variants[i]);
    check();
    finish(NULL);
  }
}

static void assert_peer_closed(void) {
  assert_int_equal(peer.alert, SSL3_AL_WARNING << 8 | SSL_AD_CLOSE_NOTIFY);
  assert_int_equal(peer.error, SSL_ERROR_ZERO_RETURN);
  assert_int_equal(rtc_dtls_state(side.dtls), RTC_DTLS_STATE_CLOSED);
}

/* ---- Alerts -------------------------------------------------------------------------------- */

static void close_first(void) {
  rtc_dtls_close(side.dtls);
  assert_int_equal(side.out.count, 1);
  dtls_side_talk_to_peer(&side, &peer);
  assert_peer_closed();
}

static void be_closed(void) {
  dtls_peer_close(&peer);
  Datagram alert = said_by_peer();
  assert_int_equal(input(&alert), RTC_ERROR_CLOSED);
  assert_int_equal(side.out.count, 1);
  dtls_side_talk_to_peer(&side, &peer);
  assert_peer_closed();
  assert_int_equal(rtc_dtls_failure(side.dtls), RTC_DTLS_FAILURE_NONE);
}

/* With every cipher, in both roles, whoever begins. */
static void close_notify_is_understood_both_ways(void **state) {
  (void)state;
  for_each_variant(close_first);
  for_each_variant(be_closed);
}

/* Each octet of the record counts, those of its header too. */
static void close_after_forgeries(void) {
  dtls_peer_close(&peer);
  Datagram alert = said_by_peer();
  assert_in_range(alert.len, HEADER_LEN, ALERT_LEN_MAX);
  for (size_t bit = 0; bit < 8 * alert.len; bit++) {
    alert.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    assert_int_equal(input(&alert), RTC_ERROR_PROTO);
    alert.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
  }
  Datagram cut = alert;
  for (cut.len = 0; cut.len < alert.len; cut.len++) {
    assert_int_equal(input(&cut), RTC_ERROR_PROTO);
    if (cut.len > HEADER_LEN) { /* and one that says so itself */
      cut.data[HEADER_LEN - 1] = (uint8_t)(cut.len - HEADER_LEN);
      assert_int_equal(input(&cut), RTC_ERROR_PROTO);
      cut.data[HEADER_LEN - 1] = alert.data[HEADER_LEN - 1];
    }
  }
  assert_true(is_connected());
  assert_int_equal(side.out.count, 0);
  assert_int_equal(input(&alert), RTC_ERROR_CLOSED);
}

static void no_bit_of_an_alert_can_be_forged(void **state) {
  (void)state;
  for_each_variant(close_after_forgeries);
}

/* What OpenSSL would not send: any record, sealed with the peer's AES-128-GCM keys. The numbers of
 * epoch 1 that the peer's own records have are below FREE. */
#define FREE 1000

static Datagram seal(uint8_t type, uint64_t sequence, const void *plain, size_t len) {
  RtcDtlsEpoch keys = {0};
  Datagram made = {.len = HEADER_LEN + 8 + len + 16};
  uint8_t *at = made.data;
  uint8_t nonce[12], associated[13];
  int written;
  assert_int_equal(rtc_dtls_epoch_take_keys(&keys, peer.ssl), RTC_OK);
  const uint8_t header[] = {type, 0xFE, 0xFD, 0, 1, 0, 0};
  memcpy(at, header, sizeof header);
  for (int i = 0; i < 4; i++)
    at[7 + i] = (uint8_t)(sequence >> (24 - 8 * i));
  at[11] = (uint8_t)((8 + len + 16) >> 8);
  at[12] = (uint8_t)(8 + len + 16);
  memcpy(at + HEADER_LEN, at + EPOCH_AT, 8);
  memcpy(nonce, keys.send_iv, 4);
  memcpy(nonce + 4, at + HEADER_LEN, 8);
  memcpy(associated, at + EPOCH_AT, 8);
  memcpy(associated + 8, at, 3);
  associated[11] = (uint8_t)(len >> 8);
  associated[12] = (uint8_t)len;
  EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
  at += HEADER_LEN + 8;
  assert_int_equal(EVP_EncryptInit_ex(ctx, EVP_aes_128_gcm(), NULL, keys.send_key, nonce), 1);
  assert_int_equal(EVP_EncryptUpdate(ctx, NULL, &written, associated, sizeof associated), 1);
  assert_int_equal(EVP_EncryptUpdate(ctx, at, &written, plain, (int)len), 1);
  assert_int_equal(EVP_EncryptFinal_ex(ctx, at + len, &written), 1);
  assert_int_equal(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, 16, at + len), 1);
  EVP_CIPHER_CTX_free(ctx);
  return made;
}

static RtcError input_sealed(uint8_t type, uint64_t sequence, const void *plain, size_t len) {
  Datagram record = seal(type, sequence, plain, len);
  return input(&record);
}

typedef struct AlertCase {
  const char *octets;
  size_t len;
  RtcDtlsState state; /* after it */
  RtcDtlsFailure failure;
  int answer; /* what the peer is told: level << 8 | description; 0: nothing */
} AlertCase;

static const AlertCase alert_cases[] = {
    {"\1\0", 2, RTC_DTLS_STATE_CLOSED, RTC_DTLS_FAILURE_NONE, 0x100},
    {"\1\132", 2, RTC_DTLS_STATE_CONNECTED, RTC_DTLS_FAILURE_NONE, 0}, /* user_canceled */
    {"\1\144", 2, RTC_DTLS_STATE_CONNECTED, RTC_DTLS_FAILURE_NONE, 0}, /* no_renegotiation */
    {"\2\24", 2, RTC_DTLS_STATE_FAILED, RTC_DTLS_FAILURE_PEER_ALERT, 0},
    {"\2\0", 2, RTC_DTLS_STATE_FAILED, RTC_DTLS_FAILURE_PEER_ALERT, 0},
    {"\3\0", 2, RTC_DTLS_STATE_FAILED, RTC_DTLS_FAILURE_PROTOCOL, 0x22F}, /* illegal_parameter */
    {"\1", 1, RTC_DTLS_STATE_FAILED, RTC_DTLS_FAILURE_PROTOCOL, 0x232},   /* decode_error */
    {"\1\0\1\0", 4, RTC_DTLS_STATE_FAILED, RTC_DTLS_FAILURE_PROTOCOL, 0x232},
    {"", 0, RTC_DTLS_STATE_FAILED, RTC_DTLS_FAILURE_PROTOCOL, 0x232},
};

/* RFC 5246 section 7.2, of both roles. */
static void alerts_mean_what_their_level_says(void **state) {
  (void)state;
  for (size_t i = 0; i < 2 * sizeof alert_cases / sizeof *alert_cases; i++) {
    const AlertCase *it = &alert_cases[i / 2];
    connect_as(&variants[i % 2 ? 3 : 0]);
    RtcError error = input_sealed(21, FREE, it->octets, it->len);
    assert_int_equal(error, it->state == RTC_DTLS_STATE_CONNECTED ? RTC_OK : RTC_ERROR_CLOSED);
    assert_int_equal(rtc_dtls_state(side.dtls), it->state);
    assert_int_equal(rtc_dtls_failure(side.dtls), it->failure);
    assert_int_equal(side.out.count, it->answer ? 1 : 0);
    dtls_side_talk_to_peer(&side, &peer);
    assert_int_equal(peer.alert, it->answer);
    finish(NULL);
  }
}

/* More warnings than OpenSSL itself would put up with. */
static void warnings_without_end_are_ignored(void **state) {
  (void)state;
  connect_as(&variants[0]);
  for (unsigned i = 0; i < 50; i++)
    assert_int_equal(input_sealed(21, FREE + i, "\1\132", 2), RTC_OK);
  assert_true(is_connected());
  assert_int_equal(side.out.count, 0);
}

/* ---- Records ------------------------------------------------------------------------------- */

/* RFC 6347 section 4.1.2.6: each record once, in any order within 64. */
static void replays_are_passed_over(void **state) {
  (void)state;
  static const struct {
    unsigned sequence;
    RtcError error;
  } steps[] = {
      {10, RTC_OK},           {10, RTC_ERROR_PROTO},  {9, RTC_OK},
      {9, RTC_ERROR_PROTO},   {73, RTC_OK},           {10, RTC_ERROR_PROTO},
      {11, RTC_OK},           {9, RTC_ERROR_PROTO},   {8, RTC_ERROR_PROTO},
      {137, RTC_OK},          {74, RTC_OK},           {73, RTC_ERROR_PROTO},
      {100, RTC_OK},          {100, RTC_ERROR_PROTO}, {138, RTC_OK},
      {74, RTC_ERROR_PROTO},  {75, RTC_OK},           {1000000, RTC_OK},
      {138, RTC_ERROR_PROTO}, {999999, RTC_OK},
  };
  connect_as(&variants[0]);
  for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
    assert_int_equal(input_sealed(23, FREE + steps[i].sequence, "data", 4), steps[i].error);
  Datagram forged = seal(23, FREE + 2000000, "data", 4); /* does not move the window */
  forged.data[forged.len - 1] ^= 1;
  assert_int_equal(input(&forged), RTC_ERROR_PROTO);
  assert_int_equal(input_sealed(23, FREE + 999998, "data", 4), RTC_OK);
}

/* What OpenSSL has read is a replay, too: nothing of the peer's last flight is news. */
static void nothing_of_the_last_flight_is_news(void) {
  flight.count = 0;
  datagrams_move(&flight, &said);
  assert_true(flight.count > 0);
  for (size_t i = 0; i < flight.count; i++)
    assert_int_equal(input(&flight.items[i]), RTC_ERROR_PROTO);
  assert_int_equal(side.out.count, 0);
}

static void records_of_the_handshake_are_replays(void **state) {
  (void)state;
  for_each_variant(nothing_of_the_last_flight_is_news);
}

/* What is no news after the handshake: of other epochs and versions, or that nobody asked for. */
static void records_that_mean_nothing_change_nothing(void **state) {
  (void)state;
  static const uint8_t message[16] = {11}; /* Certificate */
  connect_as(&variants[0]);
  for (int epoch = 0; epoch <= 3; epoch++) {
    Datagram record = seal(21, FREE, "\2\24", 2);
    record.data[EPOCH_AT + 1] = (uint8_t)epoch;
    if (epoch != 1)
      assert_int_equal(input(&record), RTC_ERROR_PROTO);
  }
  Datagram old = seal(21, FREE, "\2\24", 2);
  old.data[2] = 0xFF;
  assert_int_equal(input(&old), RTC_ERROR_PROTO);
  assert_int_equal(input_sealed(20, FREE + 1, "\1", 1), RTC_OK);
  for (size_t len = 0; len <= sizeof message; len++)
    assert_int_equal(input_sealed(22, FREE + 2 + len, message, len), RTC_OK);
  assert_int_equal(input_sealed(23, FREE + 100, "", 0), RTC_OK);
  assert_true(is_connected());
  assert_int_equal(side.out.count, 0);
}

/* Records that are longer than what is looked at of them, and several in one datagram. */
static void data_is_read_to_the_close_behind_it(void) {
  static const char data[1200];
  Datagram all = {0};
  dtls_peer_send(&peer, data, 1);
  dtls_peer_send(&peer, data, 600);
  dtls_peer_send(&peer, data, sizeof data);
  dtls_peer_close(&peer);
  assert_int_equal(peer.out.count, 4);
  for (size_t i = 0; i < 4; i++) {
    memcpy(all.data + all.len, peer.out.items[i].data, peer.out.items[i].len);
    all.len += peer.out.items[i].len;
  }
  peer.out.count = 0;
  assert_int_equal(input(&all), RTC_ERROR_CLOSED);
  assert_int_equal(side.out.count, 1);
  dtls_side_talk_to_peer(&side, &peer);
  assert_peer_closed();
}

static void datagram_of_several_records_is_read_to_its_end(void **state) {
  (void)state;
  for_each_variant(data_is_read_to_the_close_behind_it);
}

/* The number of each record that the session has sealed, and AES-GCM's nonce. */
static void assert_new_number(const Datagram *record, uint64_t *sequence, uint64_t *nonce) {
  uint64_t numbers[2] = {0, 0};
  for (size_t i = 0; i < 8; i++) {
    numbers[0] = numbers[0] << 8 | record->data[EPOCH_AT + i];
    numbers[1] = numbers[1] << 8 | record->data[HEADER_LEN + i];
  }
  if (*sequence) {
    assert_true(numbers[0] == *sequence + 1);
    assert_true(numbers[1] == *nonce + 1);
  }
  *sequence = numbers[0];
  *nonce = numbers[1];
}

/* Of what OpenSSL has sealed, the copies too, and what is sealed here: each has the number, and the
 * nonce, behind the one before. */
static void numbers_and_nonces_never_repeat(void **state) {
  (void)state;
  static const uint8_t hellos[2][12] = {{1}, {0}};
  for (int role = 0; role < 2; role++) {
    uint64_t sequence = 0, nonce = 0;
    connect_as(&variants[role ? 3 : 0]);
    Datagram own = seal(22, FREE, hellos[role], sizeof hellos[role]);
    assert_int_equal(input(&own), RTC_OK);
    assert_int_equal(side.out.count, 1);
    if (role == 0) {
      flight.count = 0;
      rtc_dtls_resend(side.dtls);
      datagrams_move_records(&flight, &side.out);
      assert_int_equal(flight.count, 3);
      assert_new_number(&flight.items[2], &sequence, &nonce); /* the Finished */
      assert_new_number(&flight.items[0], &sequence, &nonce);
    } else { /* a Finished, and two copies of it */
      assert_int_equal(side.out.items[0].data[SEQUENCE_AT + 5], 3);
      assert_new_number(&side.out.items[0], &sequence, &nonce);
    }
    side.out.count = 0;
    for (unsigned i = 1; i < 20; i++) {
      assert_int_equal(input_sealed(22, FREE + i, hellos[role], sizeof hellos[role]), RTC_OK);
      assert_int_equal(side.out.count, 1);
      assert_new_number(&side.out.items[0], &sequence, &nonce);
      dtls_side_talk_to_peer(&side, &peer);
      assert_int_equal(peer.alert, SSL3_AL_WARNING << 8 | SSL_AD_NO_RENEGOTIATION);
    }
    rtc_dtls_close(side.dtls);
    assert_new_number(&side.out.items[0], &sequence, &nonce);
    finish(NULL);
  }
}

/* ---- The last flight ----------------------------------------------------------------------- */

static const uint8_t finished[24] = {20, 0, 0, 12, 0, 5, 0, 0, 0, 0, 0, 12};

/* A server that is asked again for its last flight gives the octets that it gave before: once a
 * datagram, however often that asks; and no more when the client has shown to have it. */
static void finished_again_brings_the_last_flight_again(void **state) {
  (void)state;
  Datagram twice = {0};
  static Datagrams given, again;
  connect_as(&variants[0]);
  given.count = again.count = 0;
  rtc_dtls_resend(side.dtls);
  datagrams_move(&given, &side.out);
  assert_int_equal(given.count, 1);
  for (unsigned i = 0; i < 2; i++) {
    Datagram record = seal(22, FREE + i, finished, sizeof finished);
    memcpy(twice.data + twice.len, record.data, record.len);
    twice.len += record.len;
  }
  assert_int_equal(input(&twice), RTC_OK);
  datagrams_move(&again, &side.out);
  assert_int_equal(again.count, 1);
  assert_int_equal(again.items[0].len, given.items[0].len);
  assert_memory_equal(again.items[0].data, given.items[0].data, given.items[0].len);
  assert_int_equal(input(&twice), RTC_ERROR_PROTO);
  assert_int_equal(side.out.count, 0);
  assert_int_equal(input_sealed(23, FREE + 2, "data", 4), RTC_OK);
  assert_int_equal(input_sealed(22, FREE + 3, finished, sizeof finished), RTC_OK);
  assert_int_equal(side.out.count, 0);
}

/* A client is asked by nobody: the server's Finished is the end. Else two would ask for ever. */
static void finished_again_is_no_question_to_a_client(void **state) {
  (void)state;
  connect_as(&variants[3]);
  assert_int_equal(input_sealed(22, FREE, finished, sizeof finished), RTC_OK);
  assert_int_equal(side.out.count, 0);
  assert_true(is_connected());
}

/* Only the first fragment of a hello is answered, and a datagram gets one answer. */
static void new_handshakes_are_declined_once_a_datagram(void **state) {
  (void)state;
  static const uint8_t hellos[][12] = {{1}, {1}, {1, 0, 0, 9, 0, 0, 0, 0, 4}};
  Datagram all = {0};
  connect_as(&variants[0]);
  for (unsigned i = 0; i < 3; i++) {
    Datagram record = seal(22, FREE + i, hellos[i], sizeof hellos[i]);
    memcpy(all.data + all.len, record.data, record.len);
    all.len += record.len;
  }
  assert_int_equal(input(&all), RTC_OK);
  assert_int_equal(side.out.count, 1);
  side.out.count = 0;
  assert_int_equal(input_sealed(22, FREE + 3, hellos[2], sizeof hellos[2]), RTC_OK);
  assert_int_equal(side.out.count, 0);
  assert_int_equal(input_sealed(22, FREE + 4, hellos[0], sizeof hellos[0]), RTC_OK);
  assert_int_equal(side.out.count, 1);
}

/* ---- Keys ---------------------------------------------------------------------------------- */

/* SRTP's keys are given away: a session that has them no more can't lose them. */
static void keys_are_exported_once(void **state) {
  (void)state;
  RtcSrtpKeys keys;
  connect_as(&variants[0]);
  assert_int_equal(rtc_dtls_export_keys(side.dtls, &keys), RTC_OK);
  assert_int_equal(rtc_dtls_export_keys(side.dtls, &keys), RTC_ERROR_INVALID_STATE);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(close_notify_is_understood_both_ways, finish),
      cmocka_unit_test_teardown(no_bit_of_an_alert_can_be_forged, finish),
      cmocka_unit_test_teardown(alerts_mean_what_their_level_says, finish),
      cmocka_unit_test_teardown(warnings_without_end_are_ignored, finish),
      cmocka_unit_test_teardown(replays_are_passed_over, finish),
      cmocka_unit_test_teardown(records_of_the_handshake_are_replays, finish),
      cmocka_unit_test_teardown(records_that_mean_nothing_change_nothing, finish),
      cmocka_unit_test_teardown(datagram_of_several_records_is_read_to_its_end, finish),
      cmocka_unit_test_teardown(numbers_and_nonces_never_repeat, finish),
      cmocka_unit_test_teardown(finished_again_brings_the_last_flight_again, finish),
      cmocka_unit_test_teardown(finished_again_is_no_question_to_a_client, finish),
      cmocka_unit_test_teardown(new_handshakes_are_declined_once_a_datagram, finish),
      cmocka_unit_test_teardown(keys_are_exported_once, finish),
  };
  return cmocka_run_group_tests(tests, make_context, destroy_context);
}
