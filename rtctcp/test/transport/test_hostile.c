/* Peers that mean harm: what they can make the server hold, do, or forget is bounded, and sessions
 * beside theirs go on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/broadcast.h"

#include "transport/rtc_connection_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* The library's DTLS flights, compiled in once more with memory that can fail; the linker takes
 * these, not the library's. */
static atomic_bool no_memory;

static void *failing_realloc(void *memory, size_t size) {
  return atomic_load(&no_memory) ? NULL : realloc(memory, size);
}

#define realloc failing_realloc
#include "protocol/dtls_flight.c"
#undef realloc

#define CLOSED RTC_CONNECTION_STATE_CLOSED

static int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* -- Strangers -- */

typedef struct Watch {
  Host *host;
  atomic_bool stop;
  atomic_bool stopped;
  uint64_t most; /* TCP conns at once */
} Watch;

/* Looks in every turn of the loop. */
static void watch(void *arg) {
  Watch *watching = arg;
  RtcServerStats stats;
  rtc_server_stats(watching->host->server, watching->host->worker, &stats);
  if (stats.tcp_conns.live > watching->most)
    watching->most = stats.tcp_conns.live;
  if (atomic_load(&watching->stop) ||
      rtc_worker_post(watching->host->worker, watch, watching) != RTC_OK)
    atomic_store(&watching->stopped, true);
}

static int connect_stranger(const Host *host) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(host->port)};
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  assert_true(fd >= 0);
  assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
  return fd;
}

static void doze(void *arg) {
  (void)arg;
  usleep(300 * 1000);
}

static const HostConfig few_strangers = {.per_address_max = 4};

/* Beyond the cap a socket is closed when it is accepted, and does not wait for its turn to be
 * disposed of: a flood of them can't take all descriptors. */
static void refused_sockets_do_not_pile_up(void **state) {
  enum { FLOOD = 400 };
  Host *host = *state;
  int fds[FLOOD];
  Watch watching = {.host = host};
  assert_int_equal(rtc_worker_post(host->worker, doze, NULL), RTC_OK);
  assert_int_equal(rtc_worker_post(host->worker, watch, &watching), RTC_OK);
  for (int i = 0; i < FLOOD; i++)
    fds[i] = connect_stranger(host);
  HOST_AWAIT(host, refused_limit, FLOOD - few_strangers.per_address_max);
  atomic_store(&watching.stop, true);
  while (!atomic_load(&watching.stopped))
    usleep(1000);
  for (int i = 0; i < FLOOD; i++)
    close(fds[i]);
  assert_int_equal(watching.most, few_strangers.per_address_max);
  host_await_idle(host);
}

static const HostConfig hasty = {.first_frame_ms = 300};

/* A first frame that comes octet by octet has no more time than one that does not come. */
static void dribbled_first_frame_is_late(void **state) {
  Host *host = *state;
  HostSession *session = host_open_conn(host, NULL);
  uint8_t frame[2 + PEER_STUN_MAX];
  int len = peer_make_request(session->peer, 0, PEER_USE_CANDIDATE, frame + 2);
  int64_t begin_ms = now_ms();
  rtp_write16(frame, (uint16_t)len);
  for (int i = 0; i < len && now_ms() - begin_ms < 3000; i++) {
    if (send(peer_fd(session->peer, 0), frame + i, 1, MSG_NOSIGNAL) != 1)
      break;
    usleep(20 * 1000);
  }
  assert_true(now_ms() - begin_ms < 1900); /* not all of it was taken */
  HOST_AWAIT(host, tcp_closes[RTC_TCP_CLOSE_FIRST_FRAME_LATE], 1);
}

/* Role conflicts prove the password, and are answered four times all the same. */
static void role_conflicts_are_not_answered_for_ever(void **state) {
  Host *host = *state;
  HostSession *session = host_open_conn(host, NULL);
  int answered = 0;
  while (peer_bind(session->peer, 0, PEER_CONTROLLED) == 487)
    answered++;
  assert_int_equal(answered, 4);
  HOST_AWAIT(host, tcp_closes[RTC_TCP_CLOSE_FIRST_FRAME_UNAUTHENTICATED], 1);
  assert_int_equal(host_state(session), RTC_CONNECTION_STATE_NEW);
}

/* -- Peers with a session -- */

static const HostConfig impatient = {.session_timeout_ms = 4000};

/* Noise without a pause, many frames a turn, does not defer the session's timeout. */
static void noise_does_not_defer_the_timeout(void **state) {
  Host *host = *state;
  HostSession *session = host_open_connected(host, NULL);
  static const uint8_t noise[] = {0, 1, 0xff, 0, 3, 0xff, 0xff, 0xff, 0, 0};
  int fd = peer_fd(session->peer, 0);
  int64_t begin_ms = now_ms();
  fcntl(fd, F_SETFL, O_NONBLOCK);
  while (now_ms() - begin_ms < 20 * 1000)
    if (send(fd, noise, sizeof noise, MSG_NOSIGNAL) < 0 && errno != EAGAIN)
      break;
  assert_true(now_ms() - begin_ms < 10 * 1000);
  host_await_closed(session, RTC_CLOSE_TIMEOUT);
}

/* A peer that asks and asks and reads nothing makes the server hold 32 KiB of answers; when it
 * reads again they are whole, and it is served on. */
static void answers_to_a_peer_that_does_not_read_are_bounded(void **state) {
  Host *host = *state;
  const PeerConfig config = {.receive_buffer = 4096};
  HostSession *session = host_open_connected(host, &config);
  int fd = peer_fd(session->peer, 0);
  uint8_t frame[2 + PEER_STUN_MAX];
  uint8_t answer[2048];
  RtcConnectionStats stats;
  int len = peer_make_request(session->peer, 0, 0, frame + 2);
  rtp_write16(frame, (uint16_t)len);
  do {
    for (int i = 0; i < 200; i++)
      assert_int_equal(peer_send_raw(session->peer, 0, frame, 2 + (size_t)len), PEER_OK);
    host_session_stats(session, &stats);
  } while (stats.drops[RTC_DROP_QUEUE_FULL] == 0);
  assert_true(fd >= 0);
  size_t got = 0;
  while (peer_receive_frame(session->peer, 0, answer, sizeof answer, &got, 300) == PEER_OK)
    assert_true(got > 20 && answer[0] == 1 && answer[1] == 1);
  assert_int_equal(peer_bind(session->peer, 0, PEER_USE_CANDIDATE), PEER_OK);
  host_assert_media_flows(session);
}

/* Nominations that change with every request, before the handshake and after it. */
static void nomination_may_change_all_the_time(void **state) {
  Host *host = *state;
  HostSession *session = host_open_conn(host, NULL);
  assert_int_equal(peer_bind(session->peer, 0, 0), PEER_OK);
  assert_int_equal(peer_connect_conn(session->peer, 1, host->address, host->port), PEER_OK);
  assert_int_equal(peer_bind(session->peer, 1, 0), PEER_OK);
  peer_select(session->peer, 0);
  assert_int_equal(peer_handshake_step(session->peer, PEER_TIMEOUT_MS), PEER_OK);
  for (int i = 0; i < 20; i++)
    assert_int_equal(peer_bind(session->peer, i % 2, PEER_USE_CANDIDATE), PEER_OK);
  assert_int_equal(peer_handshake(session->peer, PEER_TIMEOUT_MS), PEER_OK);
  for (int i = 0; i < 20; i++)
    assert_int_equal(peer_bind(session->peer, i % 2, PEER_USE_CANDIDATE), PEER_OK);
  host_assert_media_flows(session);
  assert_int_equal(session->last_conn, 1);
}

/* Records of a handshake that is over, of none, and alerts in clear: they are dropped and counted.
 */
static void dtls_floods_end_nothing(void **state) {
  Host *host = *state;
  HostSession *session = host_open_connected(host, NULL);
  uint8_t records[13 + 40] = {22, 0xfe, 0xfd};
  static const uint8_t types[] = {20, 21, 22, 23, 63};
  RtcConnectionStats stats;
  for (unsigned i = 0; i < 2000; i++) {
    records[0] = types[i % sizeof types];
    records[4] = (uint8_t)(i / 5 % 2);
    rtp_write32(records + 7, i);
    rtp_write16(records + 11, sizeof records - 13);
    memset(records + 13, (int)(i / 10 % 3), sizeof records - 13);
    assert_int_equal(peer_send_frame(session->peer, 0, records, sizeof records), PEER_OK);
  }
  host_assert_media_flows(session);
  host_session_stats(session, &stats);
  assert_true(stats.drops[RTC_DROP_DTLS] > 1000);
}

typedef struct Queued {
  RtcConnection *connection;
  size_t octets, entries;
} Queued;

static void look(void *arg) {
  Queued *queued = arg;
  const RtcSendQueue *queue = &queued->connection->send_queue;
  queued->octets = queue->octets;
  queued->entries = 0;
  for (int i = 0; i < RTC_SEND_CLASSES; i++)
    queued->entries += queue->rings[i].count;
}

/* What waits for a conn that is reset goes with it: the queue's account comes back to nothing. */
static void queue_of_a_lost_conn_is_emptied(void **state) {
  Host *host = *state;
  const PeerConfig config = {.receive_buffer = 4096};
  HostSession *session = host_open_connected(host, &config);
  Queued queued = {.connection = session->connection};
  for (int i = 0; i < 200000 && queued.octets == 0; i++) {
    host_send_rtp(session);
    if (i % 100 == 0) {
      usleep(500);
      host_run(host, look, &queued);
    }
  }
  assert_true(queued.octets > 0);
  peer_rst(session->peer, 0);
  host_await_state(session, RTC_CONNECTION_STATE_DISCONNECTED);
  host_run(host, look, &queued);
  assert_int_equal(queued.octets, 0);
  assert_int_equal(queued.entries, 0);
}

/* The handshake's first flight finds no memory: the session ends and does not wait for an answer to
 * what was never said. */
static void handshake_that_can_not_begin_ends_the_session(void **state) {
  Host *host = *state;
  const PeerConfig config = {.setup = RTC_SETUP_PASSIVE};
  HostSession *session = host_open_conn(host, &config);
  atomic_store(&no_memory, true);
  int result = peer_bind(session->peer, 0, PEER_USE_CANDIDATE);
  usleep(100 * 1000);
  atomic_store(&no_memory, false);
  assert_true(result == PEER_OK || result == PEER_EOF);
  assert_int_equal(host_state(session), CLOSED);
  host_await_closed(session, RTC_CLOSE_NO_MEMORY);
}

/* -- Publishers and players -- */

static size_t drain_rtcp(HostSession *session, uint8_t type, int format, int timeout_ms) {
  PeerMedia media;
  size_t count = 0;
  while (peer_receive_kind(session->peer, &media, true, timeout_ms) == PEER_OK)
    count += rtcp_contains(media.data, media.len, type, format);
  return count;
}

/* Each sender report costs a packet for every player, so that a flood of them is thinned. */
static void sender_reports_are_not_multiplied_without_limit(void **state) {
  enum { IN_ONE = 40, COMPOUNDS = 25 };
  Broadcast *broadcast = *state;
  HostSession *publisher = host_open_connected(broadcast->host, NULL);
  HostSession *player = host_open_connected(broadcast->host, NULL);
  uint8_t compound[IN_ONE * 28 + 64];
  assert_int_equal(broadcast_publish(broadcast, "live", publisher), RTC_OK);
  assert_int_equal(broadcast_consume(broadcast, "live", player, 0, NULL), RTC_OK);
  broadcast_send_opus(broadcast, publisher, 960);
  broadcast_receive(player, CONSUMER_AUDIO);
  size_t len = 0;
  for (int i = 0; i < IN_ONE; i++)
    len += rtcp_write_sr(compound + len, PUBLISHER_AUDIO, 1, 960);
  for (int i = 0; i < COMPOUNDS; i++)
    assert_int_equal(peer_send_rtcp(publisher->peer, compound, len), PEER_OK);
  size_t got = drain_rtcp(player, 200, -1, 300);
  assert_in_range(got, 1, COMPOUNDS);
}

/* However often players ask, the publisher is asked at most twice a second. */
static void keyframe_requests_are_not_passed_on_without_limit(void **state) {
  Broadcast *broadcast = *state;
  HostSession *publisher = host_open_connected(broadcast->host, NULL);
  HostSession *player = host_open_connected(broadcast->host, NULL);
  uint8_t compound[64];
  assert_int_equal(broadcast_publish(broadcast, "live", publisher), RTC_OK);
  assert_int_equal(broadcast_consume(broadcast, "live", player, 0, NULL), RTC_OK);
  broadcast_send_vp8(broadcast, publisher, 3000, true, true);
  broadcast_receive(player, CONSUMER_VIDEO);
  int64_t begin_ms = now_ms();
  size_t len = rtcp_write_pli(compound, CONSUMER_VIDEO, CONSUMER_VIDEO);
  for (int i = 0; i < 500; i++)
    assert_int_equal(peer_send_rtcp(player->peer, compound, len), PEER_OK);
  size_t asked = drain_rtcp(publisher, 206, 1, 300);
  assert_in_range(asked, 1, 2 + (now_ms() - begin_ms) / 500);
}

/* The greatest packets that fit a frame go through, or are dropped; nothing waits for ever. */
static void giant_packets_do_not_stop_a_source(void **state) {
  static const size_t lens[] = {1200, 16000, 65000, 65400, 65450, 65480, 65507};
  Broadcast *broadcast = *state;
  HostSession *publisher = host_open_connected(broadcast->host, NULL);
  HostSession *player = host_open_connected(broadcast->host, NULL);
  static uint8_t packet[RTP_HEADER_LEN + 65507 + 32], frame[65536];
  static const uint8_t payload[65507];
  size_t got;
  assert_int_equal(broadcast_publish(broadcast, "live", publisher), RTC_OK);
  assert_int_equal(broadcast_consume(broadcast, "live", player, 0, NULL), RTC_OK);
  for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
    const RtpHeader header = {.payload_type = PUBLISHER_OPUS,
                              .sequence = (uint16_t)i,
                              .timestamp = 960 * (uint32_t)i,
                              .ssrc = PUBLISHER_AUDIO};
    size_t len = rtp_write(packet, &header, payload, lens[i]);
    assert_int_equal(peer_protect(publisher->peer, false, packet, &len, sizeof packet), PEER_OK);
    assert_int_equal(peer_send_frame(publisher->peer, 0, packet, len), PEER_OK);
    if (peer_receive_frame(player->peer, 0, frame, sizeof frame, &got, 1000) == PEER_OK)
      assert_int_equal(got, len);
    else
      assert_true(lens[i] > 65450);
  }
  broadcast->audio_sequence = 100;
  broadcast_send_opus(broadcast, publisher, 96000);
  broadcast_receive(player, CONSUMER_AUDIO);
  Queued queued = {.connection = player->connection};
  host_run(broadcast->host, look, &queued);
  assert_int_equal(queued.octets, 0);
}

int main(void) {
#define CASE(function, config)                                                                     \
  cmocka_unit_test_prestate_setup_teardown(function, host_setup, host_teardown, (void *)(config))
#define MEDIA(function)                                                                            \
  cmocka_unit_test_setup_teardown(function, broadcast_setup, broadcast_teardown)
  const struct CMUnitTest tests[] = {
      CASE(refused_sockets_do_not_pile_up, &few_strangers),
      CASE(dribbled_first_frame_is_late, &hasty),
      CASE(role_conflicts_are_not_answered_for_ever, NULL),
      CASE(noise_does_not_defer_the_timeout, &impatient),
      CASE(answers_to_a_peer_that_does_not_read_are_bounded, NULL),
      CASE(nomination_may_change_all_the_time, NULL),
      CASE(dtls_floods_end_nothing, NULL),
      CASE(queue_of_a_lost_conn_is_emptied, NULL),
      CASE(handshake_that_can_not_begin_ends_the_session, NULL),
      MEDIA(sender_reports_are_not_multiplied_without_limit),
      MEDIA(keyframe_requests_are_not_passed_on_without_limit),
      MEDIA(giant_packets_do_not_stop_a_source),
  };
  return cmocka_run_group_tests_name("hostile", tests, NULL, NULL);
}
