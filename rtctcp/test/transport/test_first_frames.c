/* The door: what may come first on a TCP conn, what may not, and that neither touches a session. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/host.h"
#include "support/rtp.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

#define REASON(name) (1u << RTC_TCP_CLOSE_##name)

/* -- Helpers -- */

/* The reasons by which TCP conns closed so far, each times its count. */
static uint64_t closes_of(Host *host, unsigned reasons) {
  RtcServerStats stats;
  uint64_t count = 0;
  host_stats(host, &stats);
  for (unsigned i = 0; i < RTC_TCP_CLOSE_COUNT; i++)
    if (reasons & 1u << i)
      count += stats.tcp_closes[i];
  return count;
}

static void await_closes(Host *host, unsigned reasons, uint64_t count) {
  for (int turn = 0; turn < HOST_DEADLINE_MS / 2 && closes_of(host, reasons) < count; turn++)
    usleep(2000);
  if (closes_of(host, reasons) != count)
    fail_msg("%llu closes by reasons %x, not %llu", (unsigned long long)closes_of(host, reasons),
             reasons, (unsigned long long)count);
}

/* -- First frames that are none -- */

typedef struct FirstFrame {
  const char *name;
  unsigned request; /* PeerFlags of a binding request; ignored with octets */
  const char *octets;
  size_t len;
  bool fin;         /* and the peer shuts its side */
  unsigned reasons; /* any of these counts it */
  int answer;       /* error code of the answer; 0: none is looked for */
} FirstFrame;

#define OCTETS(text) .octets = (text), .len = sizeof(text) - 1
#define COOKIE       "\x21\x12\xa4\x42"
#define ID           "0123456789ab"

static const FirstFrame first_frames[] = {
    {"wrong integrity", .request = PEER_BAD_INTEGRITY,
     .reasons = REASON(FIRST_FRAME_UNAUTHENTICATED), .answer = 401},
    {"no integrity", .request = PEER_NO_INTEGRITY, .reasons = REASON(FIRST_FRAME_UNAUTHENTICATED),
     .answer = 400},
    {"no username", .request = PEER_NO_USERNAME, .reasons = REASON(FIRST_FRAME_UNAUTHENTICATED),
     .answer = 400},
    {"unknown ufrag", .request = PEER_UNKNOWN_UFRAG, .reasons = REASON(NO_SUCH_SESSION),
     .answer = 401},
    {"another's own ufrag", .request = PEER_WRONG_OWN_UFRAG, .reasons = REASON(NO_SUCH_SESSION),
     .answer = 401},
    {"no fingerprint", .request = PEER_NO_FINGERPRINT,
     .reasons = REASON(FIRST_FRAME_UNAUTHENTICATED) | REASON(FIRST_FRAME_MALFORMED)},
    {"wrong fingerprint", .request = PEER_BAD_FINGERPRINT,
     .reasons = REASON(FIRST_FRAME_UNAUTHENTICATED) | REASON(FIRST_FRAME_MALFORMED)},
    {"unknown required attribute", .request = PEER_UNKNOWN_REQUIRED,
     .reasons = REASON(FIRST_FRAME_UNAUTHENTICATED), .answer = 420},
    {"indication", .request = PEER_INDICATION,
     .reasons = REASON(FIRST_FRAME_UNAUTHENTICATED) | REASON(FIRST_FRAME_MALFORMED)},
    {"response", OCTETS("\0\x14\x01\x01\0\0" COOKIE ID), .reasons = REASON(FIRST_FRAME_MALFORMED)},
    {"length beyond the frame", OCTETS("\0\x14\0\x01\0\x40" COOKIE ID),
     .reasons = REASON(FIRST_FRAME_MALFORMED)},
    {"length that is no multiple of 4", OCTETS("\0\x17\0\x01\0\x03" COOKIE ID "abc"),
     .reasons = REASON(FIRST_FRAME_MALFORMED)},
    {"attribute beyond the message", OCTETS("\0\x18\0\x01\0\x04" COOKIE ID "\0\x06\0\x20"),
     .reasons = REASON(FIRST_FRAME_MALFORMED)},
    {"unpadded attribute", OCTETS("\0\x19\0\x01\0\x05" COOKIE ID "\0\x06\0\x01x"),
     .reasons = REASON(FIRST_FRAME_MALFORMED)},
    {"no cookie", OCTETS("\0\x14\0\x01\0\0abcd" ID),
     .reasons = REASON(FIRST_FRAME_MALFORMED) | REASON(FIRST_FRAME_UNAUTHENTICATED)},
    {"header only", OCTETS("\0\x04\0\x01\0\0"), .reasons = REASON(FIRST_FRAME_MALFORMED)},
    {"empty frame", OCTETS("\0\0"), .reasons = REASON(FIRST_FRAME_MALFORMED)},
    {"over-long frame", OCTETS("\x07\xff\0\x01\x07\xeb" COOKIE ID),
     .reasons = REASON(FIRST_FRAME_LATE) | REASON(FIRST_FRAME_MALFORMED)},
    {"DTLS", OCTETS("\0\x0f\x16\xfe\xff\0\0\0\0\0\0\0\0\0\x02\x01\0"),
     .reasons = REASON(FIRST_FRAME_MALFORMED)},
    {"SRTP", OCTETS("\0\x0c\x80\x60\0\x01\0\0\0\0\0\0\0\x01"),
     .reasons = REASON(FIRST_FRAME_MALFORMED)},
    {"nothing", OCTETS(""), .reasons = REASON(FIRST_FRAME_LATE)},
    {"half a header", OCTETS("\0"), .reasons = REASON(FIRST_FRAME_LATE)},
    {"half a frame", OCTETS("\0\x14\0\x01\0\0"), .reasons = REASON(FIRST_FRAME_LATE)},
    {"nothing and FIN", OCTETS(""), .fin = true, .reasons = REASON(PEER_FIN)},
    {"half a frame and FIN", OCTETS("\0\x14\0\x01\0\0"), .fin = true, .reasons = REASON(PEER_FIN)},
};

static void send_first_frame(HostSession *session, const FirstFrame *first) {
  RtcPeer *peer = session->peer;
  if (first->octets)
    assert_int_equal(peer_send_raw(peer, 0, first->octets, first->len), PEER_OK);
  else
    assert_int_equal(peer_send_request(peer, 0, first->request), PEER_OK);
  if (first->fin)
    peer_fin(peer, 0);
  if (first->answer) {
    int answer = peer_await_response(peer, 0, PEER_TIMEOUT_MS);
    if (answer != first->answer)
      fail_msg("%s: answered by %d, not %d", first->name, answer, first->answer);
  }
}

/* Each is closed and counted by its reason; the session that it named waits on, and is joined over
 * the next TCP conn, while another session's media flows. */
static void bad_first_frames_are_closed_and_counted(void **state) {
  Host *host = *state;
  HostSession *other = host_open_connected(host, NULL);
  for (size_t i = 0; i < COUNT_OF(first_frames); i++) {
    const FirstFrame *first = &first_frames[i];
    HostSession *session = host_open_conn(host, NULL);
    uint64_t before = closes_of(host, first->reasons), all = closes_of(host, ~0u);
    send_first_frame(session, first);
    int end = peer_wait_closed(session->peer, 0, PEER_TIMEOUT_MS);
    if (end != PEER_EOF)
      fail_msg("%s: %d", first->name, end);
    await_closes(host, ~0u, all + 1);
    if (closes_of(host, first->reasons) != before + 1)
      fail_msg("%s is counted by another reason", first->name);
    assert_int_equal(host_state(session), RTC_CONNECTION_STATE_NEW);
    assert_int_equal(peer_reconnect(session->peer, 0, PEER_USE_CANDIDATE), PEER_OK);
    host_await_state(session, RTC_CONNECTION_STATE_CONNECTING);
    host_close_connection(session);
    host_forget(session);
    assert_int_equal(peer_bind(other->peer, 0, 0), PEER_OK);
    host_assert_media_flows(other);
  }
}

/* A frame longer than a first one may be is refused by its header: nobody waits for the rest. */
static void overlong_first_frame_is_refused_at_once(void **state) {
  Host *host = *state;
  HostSession *session = host_open_conn(host, NULL);
  uint8_t octets[4096] = {0x07, 0xff, 0x00, 0x01};
  uint8_t longer[22] = {0x0f, 0xff, 0x00, 0x01, 0x0f, 0xeb, 0x21, 0x12, 0xa4, 0x42};
  assert_int_equal(peer_send_raw(session->peer, 0, longer, sizeof longer), PEER_OK);
  assert_int_equal(peer_wait_closed(session->peer, 0, 2000), PEER_EOF);
  /* One of the greatest length is read, and then found wanting. */
  assert_int_equal(peer_connect(session->peer, host->address, host->port), PEER_OK);
  assert_int_equal(peer_send_raw(session->peer, 0, octets, 2 + 0x7ff), PEER_OK);
  assert_int_equal(peer_wait_closed(session->peer, 0, 2000), PEER_EOF);
  await_closes(host, REASON(FIRST_FRAME_MALFORMED) | REASON(FOREIGN), 2);
}

/* A silent TCP conn costs nobody else the wait. */
static void silent_conns_hold_up_nobody(void **state) {
  Host *host = *state;
  HostSession *silent[4];
  for (size_t i = 0; i < COUNT_OF(silent); i++)
    silent[i] = host_open_conn(host, NULL);
  host_assert_media_flows(host_open_connected(host, NULL));
  RtcServerStats stats;
  host_stats(host, &stats);
  assert_int_equal(stats.unauthenticated, COUNT_OF(silent));
}

/* A role conflict is told, and the same TCP conn may try again (RFC 8445 section 7.3.1.1). */
static void role_conflict_may_be_repaired_on_the_same_conn(void **state) {
  HostSession *session = host_open_conn(*state, NULL);
  assert_int_equal(peer_bind(session->peer, 0, PEER_CONTROLLED), 487);
  assert_int_equal(peer_bind(session->peer, 0, PEER_USE_CANDIDATE), PEER_OK);
  assert_int_equal(peer_handshake(session->peer, PEER_TIMEOUT_MS), PEER_OK);
  host_assert_media_flows(session);
}

/* -- Foreigners -- */

static size_t read_foreign(Host *host, uint8_t *text, size_t cap, size_t want) {
  size_t used = 0;
  while (used < want) {
    struct pollfd item = {.fd = host->foreign_fd, .events = POLLIN};
    assert_int_equal(poll(&item, 1, PEER_TIMEOUT_MS), 1);
    ssize_t got = read(host->foreign_fd, text + used, cap - used);
    assert_true(got > 0);
    used += (size_t)got;
  }
  return used;
}

static void await_foreign(Host *host, size_t count) {
  for (int turn = 0; turn < HOST_DEADLINE_MS / 2; turn++) {
    pthread_mutex_lock(&host->lock);
    size_t seen = host->foreign_count;
    pthread_mutex_unlock(&host->lock);
    if (seen >= count)
      break;
    usleep(2000);
  }
  assert_int_equal(host->foreign_count, count);
}

/* What is not ICE is the host's, with no octet missing, even if they come one by one; the socket is
 * non-blocking and works both ways. */
static void foreign_socket_is_handed_over_unread(void **state) {
  Host *host = *state;
  static const char *const greetings[] = {"GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01\x02\x00\x01",
                                          "PROXY TCP4 "};
  for (size_t i = 0; i < 2 * COUNT_OF(greetings); i++) {
    const char *greeting = greetings[i / 2];
    size_t len = i / 2 == 1 ? 6 : strlen(greeting);
    RtcPeer *peer = peer_new(NULL);
    uint8_t text[64];
    assert_int_equal(peer_connect(peer, host->address, host->port), PEER_OK);
    size_t first = i % 2 ? 1 : len;
    assert_int_equal(peer_send_raw(peer, 0, greeting, first), PEER_OK);
    await_foreign(host, i + 1);
    assert_int_equal(peer_send_raw(peer, 0, greeting + first, len - first), PEER_OK);
    assert_int_equal(read_foreign(host, text, sizeof text, len), len);
    assert_memory_equal(text, greeting, len);
    assert_true(fcntl(host->foreign_fd, F_GETFL) & O_NONBLOCK);
    assert_int_equal(write(host->foreign_fd, "\0\2ok", 4), 4);
    size_t answer_len;
    assert_int_equal(peer_receive_frame(peer, 0, text, sizeof text, &answer_len, PEER_TIMEOUT_MS),
                     PEER_OK);
    assert_memory_equal(text, "ok", 2);
    peer_destroy(peer);
  }
  await_closes(host, REASON(FOREIGN), 2 * COUNT_OF(greetings));
}

/* Without a host that takes it, it is closed and counted. */
static void foreign_socket_that_nobody_takes_is_closed(void **state) {
  Host *host = *state;
  HostSession *session = host_open_conn(host, NULL);
  assert_int_equal(peer_send_raw(session->peer, 0, "GET / HTTP/1.1\r\n\r\n", 18), PEER_OK);
  assert_int_equal(peer_wait_closed(session->peer, 0, PEER_TIMEOUT_MS), PEER_EOF);
  await_closes(host, REASON(FOREIGN), 1);
}

/* -- Caps -- */

/* Beyond the cap of unauthenticated conns new ones are refused at once; sessions go on, and when
 * one has authenticated there is room again. */
static void unauthenticated_conns_are_capped(void **state) {
  Host *host = *state;
  HostSession *connected = host_open_connected(host, NULL);
  HostSession *waiting[2] = {host_open_conn(host, NULL), host_open_conn(host, NULL)};
  HOST_AWAIT(host, unauthenticated, 2);
  HostSession *refused = host_open_conn(host, NULL);
  int end = peer_wait_closed(refused->peer, 0, PEER_TIMEOUT_MS);
  assert_true(end == PEER_EOF || end == PEER_RESET);
  RtcServerStats stats;
  host_stats(host, &stats);
  assert_int_equal(stats.refused_limit, 1);
  host_assert_media_flows(connected);
  assert_int_equal(peer_bind(waiting[0]->peer, 0, PEER_USE_CANDIDATE), PEER_OK);
  assert_int_equal(peer_reconnect(refused->peer, 0, PEER_USE_CANDIDATE), PEER_OK);
}

int main(void) {
  static HostConfig hasty = {.first_frame_ms = 600};
  static HostConfig foreign = {.takes_foreign = true};
  static HostConfig capped = {.unauthenticated_max = 2};
  static HostConfig capped_address = {.per_address_max = 2};
#define CASE(function, config)                                                                     \
  cmocka_unit_test_prestate_setup_teardown(function, host_setup, host_teardown, config)
  const struct CMUnitTest tests[] = {
      CASE(bad_first_frames_are_closed_and_counted, &hasty),
      CASE(overlong_first_frame_is_refused_at_once, NULL),
      CASE(silent_conns_hold_up_nobody, NULL),
      CASE(role_conflict_may_be_repaired_on_the_same_conn, NULL),
      CASE(foreign_socket_is_handed_over_unread, &foreign),
      CASE(foreign_socket_that_nobody_takes_is_closed, NULL),
      CASE(unauthenticated_conns_are_capped, &capped),
      CASE(unauthenticated_conns_are_capped, &capped_address),
  };
  return cmocka_run_group_tests_name("first frames", tests, NULL, NULL);
}
