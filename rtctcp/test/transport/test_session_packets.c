/* What comes and goes within a live session: packets that are dropped and counted, STUN, and
 * several TCP conns at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/host.h"
#include "support/rtp.h"

#include <string.h>
#include <unistd.h>

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

#define CONNS_MAX 4 /* that a session may have */

static const RtpHeader header = {.payload_type = 111, .sequence = 77, .ssrc = 0x55555555};

/* Opens conn number index of the peer, and binds it. */
static void join(HostSession *session, int index, unsigned flags) {
  Host *host = session->host;
  assert_int_equal(peer_connect_conn(session->peer, index, host->address, host->port), PEER_OK);
  assert_int_equal(peer_bind(session->peer, index, flags), PEER_OK);
}

static void assert_tcp_conns(HostSession *session, size_t count) {
  RtcConnectionStats stats;
  host_session_stats(session, &stats);
  assert_int_equal(stats.tcp_conns, count);
}

/* -- Packets that are dropped -- */

/* Media before the end of the handshake is counted, and the handshake goes on. */
static void media_before_the_handshake_is_counted(void **state) {
  HostSession *session = host_open_conn(*state, NULL);
  uint8_t packet[64];
  size_t len = rtp_write_opus(packet, &header, 40);
  assert_int_equal(peer_bind(session->peer, 0, PEER_USE_CANDIDATE), PEER_OK);
  assert_int_equal(peer_send_frame(session->peer, 0, packet, len), PEER_OK);
  assert_int_equal(peer_handshake_step(session->peer, PEER_TIMEOUT_MS), PEER_OK);
  len = rtcp_write_rr(packet, 5);
  assert_int_equal(peer_send_frame(session->peer, 0, packet, len + 14), PEER_OK);
  assert_int_equal(peer_handshake(session->peer, PEER_TIMEOUT_MS), PEER_OK);
  host_assert_media_flows(session);
  host_await_drop(session, RTC_DROP_EARLY_MEDIA, 2);
  assert_int_equal(host_rtp_count(session), 1);
}

/* A packet with one octet changed, anywhere, or cut short, is dropped; the session lives. */
static void tampered_packets_are_dropped(void **state) {
  HostSession *session = host_open_connected(*state, NULL);
  uint8_t packet[128];
  RtcConnectionStats stats;
  static const size_t places[] = {1, 3, 5, 9, 12, 40, 51, 60};
  for (size_t i = 0; i < COUNT_OF(places); i++) {
    const RtpHeader own = {.payload_type = 111, .sequence = (uint16_t)(5000 + i), .ssrc = 0x1234};
    size_t len = rtp_write_opus(packet, &own, 40);
    assert_int_equal(peer_protect(session->peer, false, packet, &len, sizeof packet), PEER_OK);
    packet[places[i] < len ? places[i] : len - 1] ^= 1;
    assert_int_equal(peer_send_frame(session->peer, 0, packet, len), PEER_OK);
  }
  size_t len = rtcp_write_pli(packet, 1, 2);
  assert_int_equal(peer_protect(session->peer, true, packet, &len, sizeof packet), PEER_OK);
  packet[len - 1] ^= 1;
  assert_int_equal(peer_send_frame(session->peer, 0, packet, len), PEER_OK);
  host_assert_media_flows(session);
  host_session_stats(session, &stats);
  assert_int_equal(stats.drops[RTC_DROP_SRTP_AUTH], COUNT_OF(places) + 1);
  assert_int_equal(host_rtp_count(session), 1);
  assert_int_equal(session->rtcp_count, 0);
}

/* A packet that comes twice is told once. */
static void replayed_packets_are_dropped(void **state) {
  HostSession *session = host_open_connected(*state, NULL);
  uint8_t packet[128];
  size_t len = rtp_write_opus(packet, &header, 40);
  assert_int_equal(peer_protect(session->peer, false, packet, &len, sizeof packet), PEER_OK);
  for (int i = 0; i < 3; i++)
    assert_int_equal(peer_send_frame(session->peer, 0, packet, len), PEER_OK);
  host_await_drop(session, RTC_DROP_SRTP_REPLAY, 2);
  assert_int_equal(host_rtp_count(session), 1);
  host_assert_media_flows(session);
}

/* Frames of no class, short ones and empty ones are counted, and end nothing. */
static void senseless_frames_are_counted(void **state) {
  static const struct {
    const char *octets;
    size_t len;
    RtcDrop drop;
  } cases[] = {
      {"", 0, RTC_DROP_UNKNOWN_PACKET},
      {"\x04", 1, RTC_DROP_UNKNOWN_PACKET},
      {"\x13zzzz", 5, RTC_DROP_UNKNOWN_PACKET},
      {"\x40\x00\x00\x04zzzz", 8, RTC_DROP_UNKNOWN_PACKET}, /* TURN's channel data */
      {"\xff\xff\xff\xff", 4, RTC_DROP_UNKNOWN_PACKET},
      {"\x00\x01\x00\x00\x21\x12\xa4\x42"
       "0123456789ab",
       20, RTC_DROP_STUN},
      {"\x01\x01\x00\x00\x21\x12\xa4\x42"
       "0123456789ab",
       20, RTC_DROP_STUN},
      {"\x16\xfe\xfd\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00", 14, RTC_DROP_DTLS},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    HostSession *session = host_open_connected(*state, NULL);
    assert_int_equal(peer_send_frame(session->peer, 0, cases[i].octets, cases[i].len), PEER_OK);
    RtcConnectionStats stats;
    host_assert_media_flows(session);
    host_session_stats(session, &stats);
    if (stats.drops[cases[i].drop] != 1)
      fail_msg("case %zu is not counted as %s", i, rtc_drop_name(cases[i].drop));
    host_close_connection(session);
    host_forget(session);
  }
}

/* The greatest frame that RFC 4571 knows is read, and dropped; what is behind it is not. */
static void greatest_frame_is_read(void **state) {
  HostSession *session = host_open_connected(*state, NULL);
  static uint8_t frame[65535] = {0x80, 111};
  assert_int_equal(peer_send_frame(session->peer, 0, frame, sizeof frame), PEER_OK);
  host_assert_media_flows(session);
}

/* Any RTCP that authenticates is told to the host, and no SSRC and no type ends anything. */
static void unknown_rtcp_and_ssrcs_are_harmless(void **state) {
  HostSession *session = host_open_connected(*state, NULL);
  RtcPeer *peer = session->peer;
  uint8_t packet[128];
  assert_int_equal(peer_send_rtcp(peer, packet, rtcp_write_unknown(packet, 0xabcdef)), PEER_OK);
  assert_int_equal(peer_send_rtcp(peer, packet, rtcp_write_pli(packet, 1, 0x99999999)), PEER_OK);
  assert_int_equal(peer_send_rtcp(peer, packet, rtcp_write_sr(packet, 7, 1, 2)), PEER_OK);
  host_await_rtcp(session, 3);
  for (uint32_t ssrc = 1; ssrc <= 10; ssrc++) {
    const RtpHeader one = {.payload_type = (uint8_t)(ssrc & 0x3f), .ssrc = ssrc * 0x01010101};
    assert_int_equal(peer_send_rtp(peer, packet, rtp_write_opus(packet, &one, 30)), PEER_OK);
  }
  host_assert_media_in(session);
  assert_int_equal(host_rtp_count(session), 11);
  host_assert_media_out(session);
}

/* A peer may not make the library hold state for any number of SSRCs. */
static void ssrcs_are_limited(void **state) {
  HostSession *session = host_open_connected(*state, NULL);
  uint8_t packet[128];
  host_assert_media_in(session);
  for (uint32_t ssrc = 1; ssrc <= 100; ssrc++) {
    const RtpHeader one = {.payload_type = 111, .ssrc = ssrc};
    assert_int_equal(peer_send_rtp(session->peer, packet, rtp_write_opus(packet, &one, 30)),
                     PEER_OK);
  }
  RtcConnectionStats stats;
  host_assert_media_in(session);
  host_session_stats(session, &stats);
  assert_true(stats.drops[RTC_DROP_SSRC_LIMIT] >= 50);
  assert_int_equal(stats.drops[RTC_DROP_SSRC_LIMIT] + stats.packets_in, 102);
}

/* -- STUN within the session -- */

/* Bad requests get their error code on a live session, and end nothing; a role conflict too. */
static void bad_requests_are_answered_and_end_nothing(void **state) {
  HostSession *session = host_open_connected(*state, NULL);
  static const struct {
    unsigned flags;
    int answer;
  } cases[] = {
      {PEER_CONTROLLED, 487},     {PEER_BAD_INTEGRITY, 401},    {PEER_NO_INTEGRITY, 400},
      {PEER_NO_USERNAME, 400},    {PEER_UNKNOWN_UFRAG, 401},    {PEER_WRONG_OWN_UFRAG, 401},
      {PEER_INDICATION, PEER_OK}, {PEER_UNKNOWN_REQUIRED, 420}, {0, PEER_OK},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    int answer = peer_bind(session->peer, 0, cases[i].flags);
    if (answer != cases[i].answer)
      fail_msg("flags %x: %d, not %d", cases[i].flags, answer, cases[i].answer);
  }
  host_assert_media_flows(session);
  host_await_drop(session, RTC_DROP_STUN, 6);
}

/* -- Several TCP conns -- */

/* Media goes out on the nominated conn, and comes in on any; the others are answered. */
static void media_follows_the_nomination(void **state) {
  HostSession *session = host_open_connected(*state, NULL);
  host_assert_media_flows(session);
  join(session, 1, 0);
  host_assert_media_out(session);
  assert_int_equal(session->last_conn, 0);
  assert_int_equal(peer_bind(session->peer, 1, PEER_USE_CANDIDATE), PEER_OK);
  host_assert_media_out(session);
  assert_int_equal(session->last_conn, 1);
  peer_select(session->peer, 0);
  host_assert_media_in(session);
  assert_int_equal(peer_bind(session->peer, 0, 0), PEER_OK);
  assert_int_equal(peer_bind(session->peer, 0, PEER_USE_CANDIDATE), PEER_OK);
  host_assert_media_flows(session);
  assert_int_equal(session->last_conn, 0);
  assert_tcp_conns(session, 2);
}

/* A session has four TCP conns at most: the fifth takes a standby's place, never the selected's. */
static void standby_makes_room_for_the_fifth_conn(void **state) {
  Host *host = *state;
  HostSession *session = host_open_connected(host, NULL);
  for (int i = 1; i < CONNS_MAX; i++)
    join(session, i, 0);
  assert_tcp_conns(session, CONNS_MAX);
  assert_int_equal(peer_bind(session->peer, 2, 0), PEER_OK);
  assert_int_equal(peer_bind(session->peer, 3, 0), PEER_OK);
  join(session, 4, 0); /* number 0 is the quietest, but selected; then comes number 1 */
  assert_int_equal(peer_wait_closed(session->peer, 1, PEER_TIMEOUT_MS), PEER_EOF);
  assert_tcp_conns(session, CONNS_MAX);
  HOST_AWAIT(host, tcp_closes[RTC_TCP_CLOSE_REPLACED], 1);
  host_assert_media_flows(session);
  assert_int_equal(session->last_conn, 0);
}

/* Losing the selected conn moves media to a standby; the session is never DISCONNECTED. */
static void standby_takes_over_from_a_lost_conn(void **state) {
  HostSession *session = host_open_connected(*state, NULL);
  join(session, 1, 0);
  peer_rst(session->peer, 0);
  peer_select(session->peer, 1);
  HOST_AWAIT(*state, tcp_conns.live, 1);
  host_assert_media_flows(session);
  assert_int_equal(session->last_conn, 1);
  HOST_ASSERT_STATES(session, RTC_CONNECTION_STATE_CONNECTING, RTC_CONNECTION_STATE_CONNECTED);
}

/* Losing a standby changes nothing. */
static void lost_standby_changes_nothing(void **state) {
  HostSession *session = host_open_connected(*state, NULL);
  join(session, 1, 0);
  peer_fin(session->peer, 1);
  assert_int_equal(peer_wait_closed(session->peer, 1, PEER_TIMEOUT_MS), PEER_EOF);
  host_assert_media_flows(session);
  assert_tcp_conns(session, 1);
}

/* A standby that is silent for the session's timeout is released; the session goes on. */
static void silent_standby_is_released(void **state) {
  Host *host = *state;
  HostSession *session = host_open_connected(host, NULL);
  join(session, 1, 0);
  for (int turn = 0; turn < 400; turn++) {
    RtcConnectionStats stats;
    host_assert_media_in(session);
    host_session_stats(session, &stats);
    if (stats.tcp_conns == 1)
      break;
    usleep(10 * 1000);
  }
  assert_int_equal(peer_wait_closed(session->peer, 1, PEER_TIMEOUT_MS), PEER_EOF);
  HOST_AWAIT(host, tcp_closes[RTC_TCP_CLOSE_SILENCE], 1);
  host_assert_media_flows(session);
}

/* A conn that does not authenticate is closed without a change to the session's own. */
static void impostor_changes_nothing(void **state) {
  Host *host = *state;
  HostSession *session = host_open_connected(host, NULL);
  RtcPeer *peer = session->peer;
  assert_int_equal(peer_connect_conn(peer, 1, host->address, host->port), PEER_OK);
  assert_int_equal(peer_bind(peer, 1, PEER_BAD_INTEGRITY | PEER_USE_CANDIDATE), 401);
  assert_int_equal(peer_wait_closed(peer, 1, PEER_TIMEOUT_MS), PEER_EOF);
  host_assert_media_flows(session);
  assert_int_equal(session->last_conn, 0);
  assert_tcp_conns(session, 1);
}

/* Sessions do not mix: each hears its own peer only. */
static void sessions_do_not_mix(void **state) {
  HostSession *sessions[8];
  for (size_t i = 0; i < COUNT_OF(sessions); i++)
    sessions[i] = host_open_connected(*state, NULL);
  for (size_t round = 1; round <= 3; round++)
    for (size_t i = 0; i < COUNT_OF(sessions); i++) {
      host_assert_media_flows(sessions[i]);
      assert_int_equal(host_rtp_count(sessions[i]), round);
    }
  for (size_t i = 0; i < COUNT_OF(sessions); i += 2)
    host_close_connection(sessions[i]);
  for (size_t i = 1; i < COUNT_OF(sessions); i += 2)
    host_assert_media_flows(sessions[i]);
}

int main(void) {
  static HostConfig short_timeout = {.session_timeout_ms = 1500};
#define CASE(function, config)                                                                     \
  cmocka_unit_test_prestate_setup_teardown(function, host_setup, host_teardown, config)
  const struct CMUnitTest tests[] = {
      CASE(media_before_the_handshake_is_counted, NULL),
      CASE(tampered_packets_are_dropped, NULL),
      CASE(replayed_packets_are_dropped, NULL),
      CASE(senseless_frames_are_counted, NULL),
      CASE(greatest_frame_is_read, NULL),
      CASE(unknown_rtcp_and_ssrcs_are_harmless, NULL),
      CASE(ssrcs_are_limited, NULL),
      CASE(bad_requests_are_answered_and_end_nothing, NULL),
      CASE(media_follows_the_nomination, NULL),
      CASE(standby_makes_room_for_the_fifth_conn, NULL),
      CASE(standby_takes_over_from_a_lost_conn, NULL),
      CASE(lost_standby_changes_nothing, NULL),
      CASE(silent_standby_is_released, &short_timeout),
      CASE(impostor_changes_nothing, NULL),
      CASE(sessions_do_not_mix, NULL),
  };
  return cmocka_run_group_tests_name("session packets", tests, NULL, NULL);
}
