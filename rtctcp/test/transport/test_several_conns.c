/* Several TCP conns of one session at once, over IPv4 and IPv6: which one media takes, as Chrome
 * nominates and as Firefox does, what becomes of the others, and what happens when they are lost.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/host.h"
#include "support/rtp.h"

#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#define CONNECTING   RTC_CONNECTION_STATE_CONNECTING
#define CONNECTED    RTC_CONNECTION_STATE_CONNECTED
#define DISCONNECTED RTC_CONNECTION_STATE_DISCONNECTED

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

#define CONNS_MAX 4 /* that a session may have */
#define LOW       UINT32_C(1000)
#define HIGH      UINT32_C(2000)

typedef void (*Cut)(RtcPeer *peer, int conn);

static const Cut cuts[] = {peer_rst, peer_fin, peer_close};

/* Conns of an even number are IPv4's, the others IPv6's. */
static void connect_conn(HostSession *session, int conn) {
  const Host *host = session->host;
  const char *address = conn % 2 ? host->also_address : host->address;
  uint16_t port = conn % 2 ? host->also_port : host->port;
  assert_int_equal(peer_connect_conn(session->peer, conn, address, port), PEER_OK);
}

/* A request of the peer, which goes on sending where it did. */
static void request(HostSession *session, int conn, unsigned flags) {
  int selected = peer_selected(session->peer);
  assert_int_equal(peer_bind(session->peer, conn, flags), PEER_OK);
  peer_select(session->peer, selected);
}

static void join(HostSession *session, int conn, unsigned flags) {
  connect_conn(session, conn);
  request(session, conn, flags);
}

static void nominate(HostSession *session, int conn) {
  request(session, conn, PEER_USE_CANDIDATE);
}

/* The host's next packet comes on this conn. */
static void assert_media_on(HostSession *session, int conn) {
  host_assert_media_out(session);
  assert_int_equal(session->last_conn, conn);
}

static void bring_media(HostSession *session, int conn) {
  int selected = peer_selected(session->peer);
  peer_select(session->peer, conn);
  host_assert_media_in(session);
  peer_select(session->peer, selected);
}

static void assert_tcp_conns(HostSession *session, size_t count) {
  RtcConnectionStats stats;
  host_session_stats(session, &stats);
  assert_int_equal(stats.tcp_conns, count);
}

/* A connected session with two conns, 0 and 1, none of them nominated. */
static HostSession *open_pair(Host *host, uint32_t priority_0, uint32_t priority_1) {
  HostSession *session = host_open(host, NULL);
  peer_set_priority(session->peer, 0, priority_0);
  peer_set_priority(session->peer, 1, priority_1);
  join(session, 0, 0);
  join(session, 1, 0);
  assert_int_equal(peer_handshake(session->peer, PEER_TIMEOUT_MS), PEER_OK);
  host_await_state(session, CONNECTED);
  return session;
}

static void end(HostSession *session) {
  HOST_ASSERT_STATES(session, CONNECTING, CONNECTED);
  host_close_connection(session);
  host_forget(session);
}

/* -- Two families -- */

typedef struct Asking {
  HostSession *session;
  RtcSdpTransport transport;
} Asking;

static void ask_transport(void *arg) {
  Asking *asking = arg;
  rtc_connection_local_transport(asking->session->connection, &asking->transport);
}

/* Both listeners are told to the peer, the first one as the better one. */
static void answer_has_a_candidate_of_each_family(void **state) {
  Host *host = *state;
  Asking asking = {.session = host_open(host, NULL)};
  host_run(host, ask_transport, &asking);
  const RtcCandidate *candidates = asking.transport.candidates;
  assert_int_equal(asking.transport.candidate_count, 2);
  assert_string_equal(candidates[0].address, "127.0.0.1");
  assert_int_equal(candidates[0].port, host->port);
  assert_string_equal(candidates[1].address, "::1");
  assert_int_equal(candidates[1].port, host->also_port);
  assert_true(candidates[0].priority > candidates[1].priority);
}

/* Before a nomination media goes out on the first conn that was there, and comes in on any. */
static void first_conn_is_used_until_one_is_nominated(void **state) {
  HostSession *session = open_pair(*state, LOW, HIGH);
  for (int round = 0; round < 3; round++) {
    bring_media(session, 0);
    bring_media(session, 1);
    request(session, 1, 0);
    assert_media_on(session, 0);
  }
  assert_tcp_conns(session, 2);
  end(session);
}

/* -- Nomination -- */

static const struct { uint32_t of_0, of_1; } priorities[] = {{LOW, HIGH}, {HIGH, LOW}, {LOW, LOW}};

/* Chrome checks all pairs, and nominates one: that is it, whatever the priorities. Then each of its
 * requests there says USE-CANDIDATE, and none elsewhere. */
static void regular_nomination_is_followed_at_once(void **state) {
  for (size_t i = 0; i < COUNT_OF(priorities); i++) {
    HostSession *session = open_pair(*state, priorities[i].of_0, priorities[i].of_1);
    nominate(session, 1);
    for (int round = 0; round < 3; round++) {
      assert_media_on(session, 1);
      request(session, 0, 0);
      nominate(session, 1);
    }
    end(session);
  }
}

/* When Chrome moves, its requests on the other conn say USE-CANDIDATE from then on: that is
 * followed with the second one at the latest, to and fro. */
static void renomination_is_followed(void **state) {
  for (size_t i = 0; i < COUNT_OF(priorities); i++) {
    HostSession *session = open_pair(*state, priorities[i].of_0, priorities[i].of_1);
    nominate(session, 1);
    for (int move = 0; move < 4; move++) {
      int to = move % 2;
      request(session, 1 - to, 0);
      nominate(session, to);
      nominate(session, to);
      assert_media_on(session, to);
      assert_media_on(session, to);
    }
    end(session);
  }
}

/* A move to a conn that is better is followed with the first request. */
static void renomination_of_a_better_conn_is_followed_at_once(void **state) {
  HostSession *session = open_pair(*state, HIGH, LOW);
  nominate(session, 1);
  assert_media_on(session, 1);
  nominate(session, 0);
  assert_media_on(session, 0);
  end(session);
}

/* A peer that has moved sends its media there: then one request is enough. */
static void renomination_is_followed_with_the_peers_media(void **state) {
  static const bool rtcp[] = {false, true};
  for (size_t i = 0; i < COUNT_OF(rtcp); i++) {
    HostSession *session = open_pair(*state, HIGH, LOW);
    nominate(session, 0);
    nominate(session, 1);
    assert_media_on(session, 0);
    peer_select(session->peer, 1);
    if (rtcp[i]) {
      uint8_t report[64];
      size_t len = rtcp_write_rr(report, 5);
      assert_int_equal(peer_send_rtcp(session->peer, report, len), PEER_OK);
      host_await_rtcp(session, 1);
    } else {
      host_assert_media_in(session);
    }
    assert_media_on(session, 1);
    end(session);
  }
}

/* Media of the peer alone moves nothing: what is on its way on the old conn comes late. */
static void late_media_does_not_move_back(void **state) {
  HostSession *session = open_pair(*state, LOW, HIGH);
  nominate(session, 0);
  bring_media(session, 0);
  nominate(session, 1);
  for (int i = 0; i < 3; i++) {
    bring_media(session, 0);
    assert_media_on(session, 1);
  }
  end(session);
}

/* Firefox nominates every pair with every check: both sides take the one of the highest priority,
 * in whichever order the checks come, and however often. */
static void aggressive_nomination_takes_the_highest_priority(void **state) {
  static const int orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
  static const uint32_t of[] = {2000, 3000, 1000};
  for (size_t i = 0; i < COUNT_OF(orders); i++) {
    const int *order = orders[i];
    HostSession *session = host_open(*state, NULL);
    for (int conn = 0; conn < 3; conn++)
      peer_set_priority(session->peer, conn, of[conn]);
    join(session, order[0], PEER_USE_CANDIDATE);
    peer_select(session->peer, order[0]);
    assert_int_equal(peer_handshake(session->peer, PEER_TIMEOUT_MS), PEER_OK);
    host_await_state(session, CONNECTED);
    int best = order[0];
    assert_media_on(session, best);
    for (int n = 1; n < 3; n++) {
      join(session, order[n], PEER_USE_CANDIDATE);
      best = of[order[n]] > of[best] ? order[n] : best;
      assert_media_on(session, best);
    }
    for (int check = 0; check < 9; check++) {
      nominate(session, order[check % 3]);
      assert_media_on(session, 1);
    }
    end(session);
  }
}

/* Of two with the same priority it is the newer one: the older one may have stalled. Repeated
 * nominations of both do not move media to and fro. */
static void newer_one_of_two_equals_is_taken(void **state) {
  HostSession *session = open_pair(*state, LOW, LOW);
  nominate(session, 0);
  assert_media_on(session, 0);
  for (int round = 0; round < 3; round++) {
    nominate(session, 1);
    assert_media_on(session, 1);
    nominate(session, 0);
    assert_media_on(session, 1);
  }
  end(session);
}

/* -- Standby conns -- */

/* A standby is answered, gets no media, and what the peer sends on it is taken. */
static void standby_is_answered_and_heard(void **state) {
  HostSession *session = open_pair(*state, LOW, HIGH);
  RtcConnectionStats stats;
  nominate(session, 1);
  for (int round = 0; round < 5; round++) {
    request(session, 0, 0);
    bring_media(session, 0);
    assert_media_on(session, 1);
  }
  host_session_stats(session, &stats);
  assert_int_equal(stats.packets_in, 5);
  end(session);
}

/* A session has four conns at most. Each one more takes the place of the standby that was silent
 * the longest, never of the selected one, however long that was silent. */
static void one_too_many_replaces_the_quietest_standby(void **state) {
  Host *host = *state;
  HostSession *session = open_pair(host, LOW, LOW);
  RtcPeer *peer = session->peer;
  nominate(session, 0);
  for (int conn = 2; conn < CONNS_MAX; conn++) {
    usleep(2000);
    join(session, conn, 0);
  }
  assert_tcp_conns(session, CONNS_MAX);
  usleep(2000);
  request(session, 1, 0); /* so that number 2 is the quietest, then 3, then 1 */
  static const int replaced[] = {2, 3, 1};
  for (size_t i = 0; i < COUNT_OF(replaced); i++) {
    usleep(2000);
    join(session, 4 + (int)i, 0);
    assert_int_equal(peer_wait_closed(peer, replaced[i], PEER_TIMEOUT_MS), PEER_EOF);
    assert_tcp_conns(session, CONNS_MAX);
    HOST_AWAIT(host, tcp_closes[RTC_TCP_CLOSE_REPLACED], i + 1);
  }
  assert_media_on(session, 0);
  HOST_AWAIT(host, tcp_conns.live, CONNS_MAX);
  end(session);
}

/* A standby that is silent for the session's timeout is released alone. */
static void silent_standby_is_released_alone(void **state) {
  Host *host = *state;
  HostSession *session = open_pair(host, LOW, LOW);
  join(session, 2, 0);
  nominate(session, 0);
  for (int turn = 0; turn < HOST_DEADLINE_MS / 20; turn++) {
    RtcConnectionStats stats;
    host_session_stats(session, &stats);
    if (stats.tcp_conns == 2)
      break;
    bring_media(session, 0);
    request(session, 2, 0);
    usleep(20 * 1000);
  }
  assert_int_equal(peer_wait_closed(session->peer, 1, PEER_TIMEOUT_MS), PEER_EOF);
  HOST_AWAIT(host, tcp_closes[RTC_TCP_CLOSE_SILENCE], 1);
  assert_media_on(session, 0);
  request(session, 2, 0);
  end(session);
}

/* -- Losses -- */

/* The selected conn goes: the host's next packet comes on the standby, although the peer has said
 * nothing there, and no state is told. */
static void next_packet_comes_on_the_standby(void **state) {
  Host *host = *state;
  for (size_t i = 0; i < COUNT_OF(cuts); i++) {
    HostSession *session = open_pair(host, LOW, LOW);
    nominate(session, 0);
    assert_media_on(session, 0);
    cuts[i](session->peer, 0);
    HOST_AWAIT(host, tcp_conns.live, 1);
    host_assert_media_out(session);
    assert_int_equal(session->last_conn, 1);
    bring_media(session, 1);
    end(session);
    HOST_AWAIT(host, tcp_conns.live, 0);
  }
}

/* Of several standbys the one that was heard last is taken. */
static void standby_that_was_heard_last_is_taken(void **state) {
  Host *host = *state;
  HostSession *session = open_pair(host, LOW, LOW);
  nominate(session, 0);
  join(session, 2, 0);
  join(session, 3, 0);
  usleep(2000);
  bring_media(session, 2);
  peer_rst(session->peer, 0);
  HOST_AWAIT(host, tcp_conns.live, 3);
  assert_media_on(session, 2);
  end(session);
}

typedef struct Video {
  HostSession *session;
  atomic_int wanted; /* keyframes */
} Video;

static void want_keyframe(void *arg) {
  atomic_fetch_add(&((Video *)arg)->wanted, 1);
}

/* A keyframe of 300 packets: more than a socket takes whose peer does not read. */
static void send_keyframe(void *arg) {
  Video *video = arg;
  RtcStream *stream;
  RtcPacket *packet;
  uint8_t data[RTP_HEADER_LEN + 1000];
  const RtpHeader header = {.payload_type = 96, .timestamp = 3000};
  const RtcStreamConfig config = {.media = RTC_MEDIA_VIDEO,
                                  .ssrc = 0x0b0b0b0b,
                                  .payload_type = 96,
                                  .clock_rate = 90000,
                                  .on_keyframe_wanted = want_keyframe,
                                  .arg = video};
  RtcConnection *connection = video->session->connection;
  assert_int_equal(rtc_connection_add_stream(&stream, connection, &config), RTC_OK);
  for (unsigned i = 0; i < 300; i++) {
    size_t len = rtp_write_vp8(data, &header, i == 0, true, 1000);
    unsigned flags = RTC_SEND_KEYFRAME | (i == 0 ? RTC_SEND_FRAME_START : 0u);
    assert_int_equal(rtc_packet_new(&packet, data, len), RTC_OK);
    assert_int_equal(rtc_connection_send_rtp(connection, stream, packet, flags, 0), RTC_OK);
    rtc_packet_unref(&packet);
  }
}

/* What waits for a full conn is not sent on a standby that is answered meanwhile. */
static void full_conn_does_not_spill_over(void **state) {
  const PeerConfig config = {.receive_buffer = 4096};
  HostSession *session = host_open(*state, &config);
  Video video = {.session = session};
  uint8_t frame[PEER_MEDIA_MAX];
  size_t len;
  join(session, 0, PEER_USE_CANDIDATE);
  join(session, 1, 0);
  assert_int_equal(peer_handshake(session->peer, PEER_TIMEOUT_MS), PEER_OK);
  host_await_state(session, CONNECTED);
  host_run(session->host, send_keyframe, &video);
  request(session, 1, 0);
  assert_int_equal(peer_receive_frame(session->peer, 1, frame, sizeof frame, &len, 50),
                   PEER_TIMEOUT);
  end(session);
}

/* What waited for a full conn goes out on the standby as soon as the conn is lost, by nobody's
 * doing; but for the frame that was cut, instead of which a keyframe is asked for. */
static void what_waited_goes_out_on_the_standby(void **state) {
  Host *host = *state;
  const PeerConfig config = {.receive_buffer = 4096};
  HostSession *session = host_open(host, &config);
  Video video = {.session = session};
  PeerMedia media;
  RtpHeader header;
  join(session, 0, PEER_USE_CANDIDATE);
  join(session, 1, 0);
  assert_int_equal(peer_handshake(session->peer, PEER_TIMEOUT_MS), PEER_OK);
  host_await_state(session, CONNECTED);
  host_run(host, send_keyframe, &video);
  host_send_rtp(session);
  assert_int_equal(atomic_load(&video.wanted), 0);
  peer_rst(session->peer, 0);
  assert_int_equal(peer_receive_kind(session->peer, &media, false, PEER_TIMEOUT_MS), PEER_OK);
  assert_true(rtp_read(media.data, media.len, &header));
  assert_int_equal(media.conn, 1);
  assert_int_equal(header.payload_type, 111);
  assert_int_equal(atomic_load(&video.wanted), 1);
  end(session);
}

/* A handshake whose conn is lost goes on over the standby in the same way, in both roles. */
static void handshake_goes_on_over_the_standby(void **state) {
  static const RtcSetup setups[] = {RTC_SETUP_ACTPASS, RTC_SETUP_PASSIVE};
  for (size_t i = 0; i < COUNT_OF(setups); i++) {
    const PeerConfig config = {.setup = setups[i], .retransmit_ms = 10 * PEER_TIMEOUT_MS};
    HostSession *session = host_open(*state, &config);
    join(session, 0, PEER_USE_CANDIDATE);
    join(session, 1, 0);
    peer_cut_in_after(session->peer, 0, 50); /* of the library's flight */
    assert_int_equal(peer_handshake(session->peer, 50), PEER_TIMEOUT);
    peer_rst(session->peer, 0);
    peer_select(session->peer, 1);
    assert_int_equal(peer_handshake(session->peer, PEER_TIMEOUT_MS), PEER_OK);
    host_await_state(session, CONNECTED);
    bring_media(session, 1);
    assert_media_on(session, 1);
    end(session);
  }
}

/* Keeps the worker busy. */
typedef struct Gate {
  sem_t entered, open;
} Gate;

static void wait_semaphore(sem_t *semaphore) {
  while (sem_wait(semaphore) != 0)
    ;
}

static void pass_gate(void *arg) {
  Gate *gate = arg;
  sem_post(&gate->entered);
  wait_semaphore(&gate->open);
}

/* Both conns are lost in one turn of the loop: the session waits, once, and comes back. */
static void losing_all_at_once_is_one_loss(void **state) {
  Host *host = *state;
  for (size_t i = 0; i < COUNT_OF(cuts); i++) {
    HostSession *session = open_pair(host, LOW, LOW);
    Gate gate;
    nominate(session, 1);
    sem_init(&gate.entered, 0, 0);
    sem_init(&gate.open, 0, 0);
    assert_int_equal(rtc_worker_post(host->worker, pass_gate, &gate), RTC_OK);
    wait_semaphore(&gate.entered);
    cuts[i](session->peer, 0);
    cuts[i](session->peer, 1);
    sem_post(&gate.open);
    host_await_state(session, DISCONNECTED);
    assert_int_equal(peer_reconnect(session->peer, 0, PEER_USE_CANDIDATE), PEER_OK);
    host_assert_media_flows(session);
    HOST_ASSERT_STATES(session, CONNECTING, CONNECTED, DISCONNECTED, CONNECTED);
    sem_destroy(&gate.entered);
    sem_destroy(&gate.open);
  }
}

int main(void) {
  static HostConfig both = {
      .also_listen = "[::1]:0", .grace_ms = 60000, .session_timeout_ms = 120000};
  static HostConfig short_timeout = {.also_listen = "[::1]:0", .session_timeout_ms = 1500};
#define CASE(function, config)                                                                     \
  cmocka_unit_test_prestate_setup_teardown(function, host_setup, host_teardown, config)
  const struct CMUnitTest tests[] = {
      CASE(answer_has_a_candidate_of_each_family, &both),
      CASE(first_conn_is_used_until_one_is_nominated, &both),
      CASE(regular_nomination_is_followed_at_once, &both),
      CASE(renomination_is_followed, &both),
      CASE(renomination_of_a_better_conn_is_followed_at_once, &both),
      CASE(renomination_is_followed_with_the_peers_media, &both),
      CASE(late_media_does_not_move_back, &both),
      CASE(aggressive_nomination_takes_the_highest_priority, &both),
      CASE(newer_one_of_two_equals_is_taken, &both),
      CASE(standby_is_answered_and_heard, &both),
      CASE(one_too_many_replaces_the_quietest_standby, &both),
      CASE(silent_standby_is_released_alone, &short_timeout),
      CASE(next_packet_comes_on_the_standby, &both),
      CASE(standby_that_was_heard_last_is_taken, &both),
      CASE(full_conn_does_not_spill_over, &both),
      CASE(what_waited_goes_out_on_the_standby, &both),
      CASE(handshake_goes_on_over_the_standby, &both),
      CASE(losing_all_at_once_is_one_loss, &both),
  };
  return cmocka_run_group_tests_name("several conns", tests, NULL, NULL);
}
