/* DTLS sessions when the transport loses, repeats, swaps, cuts or invents datagrams. */
#include "protocol/dtls.h"

#include "support/dtls_peer.h"
#include "support/dtls_side.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/time.h>

#include <cmocka.h>

#define NEVER      SIZE_MAX
#define HEADER_LEN 13
#define EPOCH_AT   3

#define TYPE_CHANGE_CIPHER_SPEC 20
#define TYPE_ALERT              21

#define RECORDS_MAX 64

static RtcDtlsContext *context;
static RtcDtlsContext *other_context;
static DtlsSide server, client;
static DtlsPeer peer;

/* OpenSSL's timers go by gettimeofday: this program has its own, so that none goes off by itself.
 */
static long elapsed_us;
int gettimeofday(struct timeval *restrict now, void *restrict zone)
    __attribute__((visibility("default")));

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  (void)zone;
  *now = (struct timeval){.tv_sec = 1000 + elapsed_us / 1000000, .tv_usec = elapsed_us % 1000000};
  return 0;
}

static int make_contexts(void **state) {
  (void)state;
  return rtc_dtls_context_new(&context, NULL) || rtc_dtls_context_new(&other_context, NULL);
}

static int destroy_contexts(void **state) {
  (void)state;
  rtc_dtls_context_destroy(context);
  rtc_dtls_context_destroy(other_context);
  return 0;
}

static int finish(void **state) {
  (void)state;
  dtls_side_finish(&server);
  dtls_side_finish(&client);
  dtls_peer_finish(&peer);
  return 0;
}

static void start_pair(void) {
  dtls_side_init(&server, context, RTC_DTLS_ROLE_SERVER,
                 rtc_dtls_context_fingerprint(other_context), 1);
  dtls_side_init(&client, other_context, RTC_DTLS_ROLE_CLIENT,
                 rtc_dtls_context_fingerprint(context), 1);
  rtc_dtls_start(client.dtls);
}

static bool is_connected(const DtlsSide *side) {
  return rtc_dtls_state(side->dtls) == RTC_DTLS_STATE_CONNECTED;
}

/* Both sides are connected, with keys that are given away here. */
static void assert_connected(void) {
  assert_true(is_connected(&server));
  assert_true(is_connected(&client));
  RtcSrtpKeys a, b;
  assert_int_equal(rtc_dtls_export_keys(server.dtls, &a), RTC_OK);
  assert_int_equal(rtc_dtls_export_keys(client.dtls, &b), RTC_OK);
  assert_memory_equal(a.send, b.receive, a.len);
}

/* What is done with each flight of records before it is delivered. at: of its first record in all
 * of the handshake. */
typedef void (*Meddle)(Datagrams *flight, size_t at, DtlsSide *to, size_t chosen);

/* One flight of from, record by record, to the other side. */
static size_t carry(DtlsSide *from, DtlsSide *to, Meddle meddle, size_t at, size_t chosen) {
  static Datagrams flight;
  flight.count = 0;
  datagrams_move_records(&flight, &from->out);
  size_t count = flight.count;
  meddle(&flight, at, to, chosen);
  for (size_t i = 0; i < flight.count; i++)
    dtls_side_input(to, &flight.items[i]);
  return count;
}

/* Runs a handshake; what was lost is given again at the end, as on a new TCP conn.
 * returns how many records the handshake took, without the resent ones */
static size_t meddled_handshake(Meddle meddle, size_t chosen) {
  size_t at = 0;
  start_pair();
  while (client.out.count + server.out.count > 0) {
    at += carry(&client, &server, meddle, at, chosen);
    at += carry(&server, &client, meddle, at, chosen);
  }
  rtc_dtls_resend(client.dtls);
  rtc_dtls_resend(server.dtls);
  dtls_side_talk(&client, &server);
  return at;
}

static void leave(Datagrams *flight, size_t at, DtlsSide *to, size_t chosen) {
  (void)flight;
  (void)at;
  (void)to;
  (void)chosen;
}

/* For each record of a handshake in turn. */
static void meddle_with_each_record(Meddle meddle) {
  size_t count = meddled_handshake(leave, NEVER);
  finish(NULL);
  assert_in_range(count, 10, RECORDS_MAX);
  for (size_t chosen = 0; chosen < count; chosen++) {
    meddled_handshake(meddle, chosen);
    assert_connected();
    finish(NULL);
  }
}

static void cut_from(Datagrams *flight, size_t at, DtlsSide *to, size_t chosen) {
  (void)to;
  if (chosen >= at && chosen < at + flight->count)
    flight->count = chosen - at;
}

/* A TCP conn lost in any flight, at any record, costs nothing but the resending. */
static void flight_cut_anywhere_goes_on_after_resend(void **state) {
  (void)state;
  meddle_with_each_record(cut_from);
}

static void repeat_all(Datagrams *flight, size_t at, DtlsSide *to, size_t chosen) {
  (void)at;
  (void)chosen;
  for (size_t i = 0; i < flight->count; i++)
    dtls_side_input(to, &flight->items[i]);
}

/* What comes twice counts once. */
static void repeated_records_are_harmless(void **state) {
  (void)state;
  meddled_handshake(repeat_all, NEVER);
  assert_connected();
}

static void swap_pair(Datagrams *flight, size_t at, DtlsSide *to, size_t chosen) {
  (void)to;
  if (chosen < at || chosen + 1 >= at + flight->count)
    return;
  Datagram *first = &flight->items[chosen - at];
  if (first[1].data[0] == TYPE_CHANGE_CIPHER_SPEC)
    return;
  Datagram kept = first[0];
  first[0] = first[1];
  first[1] = kept;
}

/* Neighbours may change places, but for a ChangeCipherSpec that comes before its time, which
 * OpenSSL drops: a peer with a timer sends it again, and over TCP none does. */
static void swapped_records_are_put_in_order(void **state) {
  (void)state;
  meddle_with_each_record(swap_pair);
}

/* ---- Resending ----------------------------------------------------------------------------- */

static void assert_same(const Datagrams *a, const Datagrams *b) {
  assert_int_equal(a->count, b->count);
  for (size_t i = 0; i < a->count; i++) {
    assert_int_equal(a->items[i].len, b->items[i].len);
    assert_memory_equal(a->items[i].data, b->items[i].data, a->items[i].len);
  }
}

static void assert_resent(DtlsSide *side, const Datagrams *flight) {
  for (int i = 0; i < 2; i++) {
    side->out.count = 0;
    rtc_dtls_resend(side->dtls);
    assert_same(&side->out, flight);
  }
  side->out.count = 0;
}

/* The same octets, as often as asked, until the next flight takes their place. */
static void resent_flight_is_the_same_octet_for_octet(void **state) {
  (void)state;
  static Datagrams hello, answer;
  hello.count = answer.count = 0;
  start_pair();
  rtc_dtls_resend(server.dtls);
  assert_int_equal(server.out.count, 0);
  datagrams_move(&hello, &client.out);
  assert_resent(&client, &hello);

  dtls_side_input(&server, &hello.items[0]);
  datagrams_move(&answer, &server.out);
  assert_resent(&server, &answer);
}

static bool is_finished(const DtlsPeer *of) {
  return SSL_is_init_finished(of->ssl);
}

static int make_cookie(SSL *ssl, unsigned char *cookie, unsigned *len) {
  (void)ssl;
  memcpy(cookie, "cookie", *len = 6);
  return 1;
}

static int check_cookie(SSL *ssl, const unsigned char *cookie, unsigned len) {
  (void)ssl;
  return len == 6 && memcmp(cookie, "cookie", len) == 0;
}

/* RFC 6347 section 4.2.1: the client says hello twice. */
static void use_cookies(DtlsPeer *of) {
  SSL_CTX_set_cookie_generate_cb(of->ctx, make_cookie);
  SSL_CTX_set_cookie_verify_cb(of->ctx, check_cookie);
  SSL_set_options(of->ssl, SSL_OP_COOKIE_EXCHANGE);
}

/* A server peer has ended its handshake; its last flight is lost. */
static void lose_last_flight_of_server_peer(bool asks_for_cookie) {
  RtcFingerprint fingerprint;
  dtls_peer_init(&peer, &(DtlsPeerConfig){.is_server = true, .profiles = "SRTP_AEAD_AES_128_GCM"});
  if (asks_for_cookie)
    use_cookies(&peer);
  dtls_peer_fingerprint(&peer, "sha-256", &fingerprint);
  dtls_side_init(&client, context, RTC_DTLS_ROLE_CLIENT, &fingerprint, 1);
  rtc_dtls_start(client.dtls);
  while (!is_finished(&peer)) {
    for (size_t i = 0; i < client.out.count; i++)
      dtls_peer_input(&peer, &client.out.items[i]);
    client.out.count = 0;
    for (size_t i = 0; i < peer.out.count && !is_finished(&peer); i++)
      dtls_side_input(&client, &peer.out.items[i]);
    peer.out.count = 0;
  }
  assert_false(is_connected(&client));
}

static void resend_to_peer(void) {
  rtc_dtls_resend(client.dtls);
  assert_true(client.out.count > 0);
  for (size_t i = 0; i < client.out.count; i++)
    dtls_peer_input(&peer, &client.out.items[i]);
  client.out.count = 0;
}

/* A server that is done has no timer: the client's flight under new numbers makes it answer, and
 * once more if that is lost too. From then on it is octet for octet. */
static void client_asks_a_server_that_is_done_for_its_last_flight(void **state) {
  (void)state;
  static Datagrams last;
  for (int lost = 0; lost < 2; lost++) {
    lose_last_flight_of_server_peer(false);
    for (int times = 0; times <= lost; times++) {
      peer.out.count = 0;
      resend_to_peer();
      assert_true(peer.out.count > 0);
    }
    dtls_side_talk_to_peer(&client, &peer);
    assert_true(is_connected(&client));
    finish(NULL);
  }
  lose_last_flight_of_server_peer(false);
  resend_to_peer();
  rtc_dtls_resend(client.dtls);
  last.count = 0;
  datagrams_move(&last, &client.out);
  assert_resent(&client, &last);
}

/* The flight before the last one is not taken for it: a second hello is only a hello. */
static void server_with_cookies_is_asked_likewise(void **state) {
  (void)state;
  lose_last_flight_of_server_peer(true);
  for (int times = 0; times < 2; times++) {
    peer.out.count = 0;
    resend_to_peer();
    assert_true(peer.out.count > 0);
  }
  dtls_side_talk_to_peer(&client, &peer);
  assert_true(is_connected(&client));
}

/* The server's last flight is kept until the peer is known to have it; the client's is not, for
 * the server's Finished has answered it. */
static void last_flight_is_kept_until_forgotten(void **state) {
  (void)state;
  start_pair();
  dtls_side_talk(&client, &server);
  assert_connected();
  rtc_dtls_resend(client.dtls);
  assert_int_equal(client.out.count, 0);
  rtc_dtls_resend(server.dtls);
  assert_int_equal(server.out.count, 1);
  server.out.count = 0;
  rtc_dtls_forget_flight(server.dtls);
  rtc_dtls_forget_flight(server.dtls);
  rtc_dtls_resend(server.dtls);
  assert_int_equal(server.out.count, 0);
}

static void make_server_and_peer_with_timer(void) {
  RtcFingerprint fingerprint;
  dtls_peer_init(&peer, &(DtlsPeerConfig){.profiles = "SRTP_AEAD_AES_128_GCM", .has_timer = true});
  dtls_peer_fingerprint(&peer, "sha-256", &fingerprint);
  dtls_side_init(&server, context, RTC_DTLS_ROLE_SERVER, &fingerprint, 1);
  dtls_peer_start(&peer);
}

static void let_peer_time_out(void) {
  elapsed_us += DTLS_PEER_TIMER_US + 1;
  dtls_peer_time_out(&peer);
  assert_true(peer.out.count > 0);
}

/* A peer with a timer of its own asks again for a lost last flight, and is answered. */
static void retransmission_of_the_peer_brings_the_last_flight_again(void **state) {
  (void)state;
  make_server_and_peer_with_timer();
  dtls_side_input(&server, &peer.out.items[0]);
  peer.out.count = 0;
  dtls_peer_input(&peer, &server.out.items[0]);
  server.out.count = 0;
  for (size_t i = 0; i < peer.out.count; i++)
    dtls_side_input(&server, &peer.out.items[i]);
  peer.out.count = 0;
  assert_true(is_connected(&server));
  assert_int_equal(server.out.count, 1);
  server.out.count = 0; /* lost */
  assert_false(SSL_is_init_finished(peer.ssl));
  let_peer_time_out();
  dtls_side_talk_to_peer(&server, &peer);
  assert_true(SSL_is_init_finished(peer.ssl));
  assert_true(is_connected(&server));
}

/* Any record of the peer's second flight may be lost while those behind it arrive (libwebrtc drops
 * packets of its own when its uplink is slow): its timer makes it good. */
static void lost_record_is_made_good_by_the_peers_timer(void **state) {
  (void)state;
  size_t count = 1;
  for (size_t lost = 0; lost < count; lost++) {
    make_server_and_peer_with_timer();
    dtls_side_input(&server, &peer.out.items[0]);
    peer.out.count = 0;
    dtls_peer_input(&peer, &server.out.items[0]);
    server.out.count = 0;
    count = peer.out.count;
    for (size_t i = 0; i < count; i++)
      if (i != lost)
        dtls_side_input(&server, &peer.out.items[i]);
    peer.out.count = 0;
    assert_false(is_connected(&server));
    let_peer_time_out();
    dtls_side_talk_to_peer(&server, &peer);
    assert_true(is_connected(&server));
    assert_true(SSL_is_init_finished(peer.ssl));
    finish(NULL);
  }
  assert_int_equal(count, 5); /* Certificate, key exchange, verify, cipher spec, Finished */
}

/* Datagrams are of whole records, and no longer than 1,200 octets. */
static void datagrams_are_whole_records_within_the_mtu(void **state) {
  (void)state;
  static Datagrams records;
  records.count = 0;
  start_pair();
  for (int i = 0; i < 3; i++) {
    DtlsSide *from = i % 2 ? &server : &client;
    assert_int_equal(from->out.count, 1); /* a flight is short enough to be one */
    assert_in_range(from->out.items[0].len, HEADER_LEN, 1200);
    Datagram whole = from->out.items[0];
    datagrams_move_records(&records, &from->out); /* fails when a record is cut */
    dtls_side_input(i % 2 ? &client : &server, &whole);
  }
  assert_in_range(records.count, 10, RECORDS_MAX);
}

/* ---- Bad input ----------------------------------------------------------------------------- */

static const struct {
  uint8_t data[32];
  size_t len;
} garbage[] = {
    {{0}, 0},
    {{22}, 1},
    {{22, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 50, 0}, 12},                /* no whole header */
    {{22, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 50, 0, 0}, 13},             /* empty */
    {{22, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 50, 0, 9, 1, 2}, 15},       /* longer than it is */
    {{22, 0x03, 0x03, 0, 0, 0, 0, 0, 0, 0, 50, 0, 2, 1, 2}, 15},       /* TLS */
    {{22, 0xFE, 0xFC, 0, 0, 0, 0, 0, 0, 0, 50, 0, 2, 1, 2}, 15},       /* DTLS 1.3's draft */
    {{24, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 50, 0, 2, 1, 2}, 15},       /* a heartbeat */
    {{63, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 50, 0, 2, 1, 2}, 15},       /* no known type */
    {{0x80, 0x60, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4}, 16},      /* RTP */
    {{0, 1, 0, 8, 0x21, 0x12, 0xA4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8}, 28} /* STUN */
};

static void feed_garbage(DtlsSide *side) {
  for (size_t i = 0; i < sizeof garbage / sizeof *garbage; i++)
    assert_int_equal(rtc_dtls_input(side->dtls, garbage[i].data, garbage[i].len), RTC_ERROR_PROTO);
}

static void feed_garbage_before(Datagrams *flight, size_t at, DtlsSide *to, size_t chosen) {
  (void)flight;
  (void)at;
  (void)chosen;
  feed_garbage(to);
}

/* What is no DTLS record is passed over at every stage. */
static void garbage_is_passed_over_at_every_stage(void **state) {
  (void)state;
  meddled_handshake(feed_garbage_before, NEVER);
  assert_connected();
  feed_garbage(&server);
  feed_garbage(&client);
  assert_true(is_connected(&server));
  assert_true(is_connected(&client));
}

static void feed_cut(Datagrams *flight, size_t at, DtlsSide *to, size_t chosen) {
  (void)at;
  (void)chosen;
  for (size_t i = 0; i < flight->count; i++) {
    Datagram cut = flight->items[i];
    for (cut.len = 0; cut.len < flight->items[i].len; cut.len++)
      dtls_side_input(to, &cut);
  }
}

/* A record cut at any place is no record. */
static void truncated_records_are_passed_over(void **state) {
  (void)state;
  meddled_handshake(feed_cut, NEVER);
  assert_connected();
}

static void feed_forged(Datagrams *flight, size_t at, DtlsSide *to, size_t chosen) {
  (void)at;
  (void)chosen;
  for (size_t i = 0; i < flight->count; i++) {
    Datagram forged = flight->items[i];
    bool is_protected = forged.data[EPOCH_AT + 1] == 1;
    for (size_t j = HEADER_LEN; is_protected && j < forged.len; j += 7) {
      forged.data[j] ^= 0x10;
      dtls_side_input(to, &forged);
      forged.data[j] ^= 0x10;
    }
  }
}

/* Once there are keys, what is not authentic is passed over. */
static void forged_finished_is_passed_over(void **state) {
  (void)state;
  meddled_handshake(feed_forged, NEVER);
  assert_connected();
}

/* The same for alerts of a connected session: nobody else can end it. */
static void forged_alert_is_passed_over(void **state) {
  (void)state;
  static const uint8_t plain[] = {TYPE_ALERT, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 60, 0, 2, 2, 40};
  start_pair();
  dtls_side_talk(&client, &server);
  assert_int_equal(rtc_dtls_input(server.dtls, plain, sizeof plain), RTC_ERROR_PROTO);
  rtc_dtls_close(client.dtls);
  Datagram alert = client.out.items[0];
  for (size_t i = HEADER_LEN; i < alert.len; i++) {
    alert.data[i] ^= 1;
    assert_int_equal(rtc_dtls_input(server.dtls, alert.data, alert.len), RTC_ERROR_PROTO);
    alert.data[i] ^= 1;
  }
  assert_true(is_connected(&server));
  assert_int_equal(rtc_dtls_input(server.dtls, alert.data, alert.len), RTC_ERROR_CLOSED);
}

/* OpenSSL keeps what comes before its keys; a peer gets only so much of that. */
static void early_records_are_kept_by_the_few(void **state) {
  (void)state;
  uint8_t early[HEADER_LEN + 25] = {23, 0xFE, 0xFD, 0, 1, 0, 0, 0, 0, 0, 0, 0, 25};
  size_t kept = 0;
  start_pair();
  dtls_side_input(&server, &client.out.items[0]);
  client.out.count = 0;
  for (int i = 0; i < 100; i++) {
    early[10] = (uint8_t)i;
    kept += rtc_dtls_input(server.dtls, early, sizeof early) == RTC_OK;
  }
  assert_int_equal(kept, 8);
  dtls_side_talk(&client, &server);
  assert_connected();
}

/* What is too short to be sealed is no error of OpenSSL's: nobody ends a handshake with it. */
static void records_too_short_to_be_sealed_are_passed_over(void **state) {
  (void)state;
  for (uint8_t len = 1; len < 24; len++) {
    uint8_t early[HEADER_LEN + 24] = {22, 0xFE, 0xFD, 0, 1, 0, 0, 0, 0, 0, 0, 0, len};
    start_pair();
    assert_int_equal(rtc_dtls_input(server.dtls, early, HEADER_LEN + len), RTC_ERROR_PROTO);
    dtls_side_input(&server, &client.out.items[0]);
    client.out.count = 0;
    assert_int_equal(rtc_dtls_input(server.dtls, early, HEADER_LEN + len), RTC_ERROR_PROTO);
    dtls_side_talk(&client, &server);
    assert_connected();
    finish(NULL);
  }
}

/* A ClientHello that is well framed and means nothing is no accident: the handshake is over. */
static void malformed_flight_fails_the_handshake(void **state) {
  (void)state;
  start_pair();
  Datagram hello = client.out.items[0];
  client.out.count = 0;
  memset(hello.data + HEADER_LEN + 12, 0xAB, hello.len - HEADER_LEN - 12);
  assert_int_equal(rtc_dtls_input(server.dtls, hello.data, hello.len), RTC_ERROR_CLOSED);
  assert_int_equal(rtc_dtls_state(server.dtls), RTC_DTLS_STATE_FAILED);
  assert_int_equal(rtc_dtls_failure(server.dtls), RTC_DTLS_FAILURE_PROTOCOL);
  assert_int_equal(server.out.count, 1);
  assert_int_equal(server.out.items[0].data[0], TYPE_ALERT);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(flight_cut_anywhere_goes_on_after_resend, finish),
      cmocka_unit_test_teardown(repeated_records_are_harmless, finish),
      cmocka_unit_test_teardown(swapped_records_are_put_in_order, finish),
      cmocka_unit_test_teardown(resent_flight_is_the_same_octet_for_octet, finish),
      cmocka_unit_test_teardown(client_asks_a_server_that_is_done_for_its_last_flight, finish),
      cmocka_unit_test_teardown(server_with_cookies_is_asked_likewise, finish),
      cmocka_unit_test_teardown(last_flight_is_kept_until_forgotten, finish),
      cmocka_unit_test_teardown(retransmission_of_the_peer_brings_the_last_flight_again, finish),
      cmocka_unit_test_teardown(lost_record_is_made_good_by_the_peers_timer, finish),
      cmocka_unit_test_teardown(datagrams_are_whole_records_within_the_mtu, finish),
      cmocka_unit_test_teardown(garbage_is_passed_over_at_every_stage, finish),
      cmocka_unit_test_teardown(truncated_records_are_passed_over, finish),
      cmocka_unit_test_teardown(forged_finished_is_passed_over, finish),
      cmocka_unit_test_teardown(forged_alert_is_passed_over, finish),
      cmocka_unit_test_teardown(early_records_are_kept_by_the_few, finish),
      cmocka_unit_test_teardown(records_too_short_to_be_sealed_are_passed_over, finish),
      cmocka_unit_test_teardown(malformed_flight_fails_the_handshake, finish),
  };
  return cmocka_run_group_tests(tests, make_contexts, destroy_contexts);
}
