/* Sessions that lose their TCP conn and go on over another one within the grace: DTLS, SRTP and the
 * statistics as they were, no stale media, nothing before the binding response. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/descriptors.h"
#include "support/host.h"
#include "support/rtp.h"
#include "transport/rtc_connection_internal.h"

#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CONNECTING   RTC_CONNECTION_STATE_CONNECTING
#define CONNECTED    RTC_CONNECTION_STATE_CONNECTED
#define DISCONNECTED RTC_CONNECTION_STATE_DISCONNECTED
#define CLOSED       RTC_CONNECTION_STATE_CLOSED

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

#define SSRC_OF_VIDEO  UINT32_C(0x0a0a0a0a)
#define PACKET_PAYLOAD ((size_t)1000) /* of video [octets] */
#define FRAME_PACKETS  10
#define FRAME_TICKS    3000 /* of 90 kHz */

typedef void (*Cut)(RtcPeer *peer, int conn);

static const Cut cuts[] = {peer_rst, peer_fin, peer_close};

static void pause_ms(long ms) {
  const struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
  nanosleep(&time, NULL);
}

static int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void lose(HostSession *session, Cut cut) {
  cut(session->peer, 0);
  host_await_state(session, DISCONNECTED);
}

static void come_back(HostSession *session) {
  assert_int_equal(peer_reconnect(session->peer, 0, PEER_USE_CANDIDATE), PEER_OK);
  assert_int_equal(host_state(session), CONNECTED); /* told before the response goes out */
}

static void assert_handshakes(HostSession *session, uint64_t count) {
  RtcServerStats stats;
  host_stats(session->host, &stats);
  assert_int_equal(stats.handshakes, count);
  assert_int_equal(peer_handshakes(session->peer), 1);
}

/* A host that records no more states than it has room for may begin anew. */
static void forget_states(HostSession *session) {
  pthread_mutex_lock(&session->host->lock);
  session->states[0] = session->states[session->state_count - 1];
  session->state_count = 1;
  pthread_mutex_unlock(&session->host->lock);
}

/* -- Video of the host -- */

typedef struct Video {
  HostSession *session;
  RtcStream *stream; /* borrowed: the Connection's */
  uint32_t frame;    /* that was sent last */
  bool keyframe;     /* the next one is */
  int frames;        /* to send */
  atomic_int wanted; /* keyframes */
} Video;

static void want_keyframe(void *arg) {
  atomic_fetch_add(&((Video *)arg)->wanted, 1);
}

static void add_video(void *arg) {
  Video *video = arg;
  const RtcStreamConfig config = {.media = RTC_MEDIA_VIDEO,
                                  .ssrc = SSRC_OF_VIDEO,
                                  .payload_type = 96,
                                  .clock_rate = 90000,
                                  .on_keyframe_wanted = want_keyframe,
                                  .arg = video};
  assert_int_equal(rtc_connection_add_stream(&video->stream, video->session->connection, &config),
                   RTC_OK);
}

static void send_packet(Video *video, bool start, bool keyframe) {
  uint8_t data[RTP_HEADER_LEN + PACKET_PAYLOAD];
  RtcPacket *packet;
  const RtpHeader header = {.payload_type = 96, .timestamp = video->frame * FRAME_TICKS};
  size_t len = rtp_write_vp8(data, &header, start, keyframe, PACKET_PAYLOAD);
  unsigned flags = (start ? RTC_SEND_FRAME_START : 0u) | (keyframe ? RTC_SEND_KEYFRAME : 0u);
  assert_int_equal(rtc_packet_new(&packet, data, len), RTC_OK);
  assert_int_equal(
      rtc_connection_send_rtp(video->session->connection, video->stream, packet, flags, 0), RTC_OK);
  rtc_packet_unref(&packet);
}

static void send_frames(void *arg) {
  Video *video = arg;
  for (; video->frames > 0; video->frames--) {
    video->frame++;
    for (int i = 0; i < FRAME_PACKETS; i++)
      send_packet(video, i == 0, video->keyframe);
    video->keyframe = false;
  }
}

static void send_video(Video *video, int frames, bool keyframe) {
  video->frames = frames;
  video->keyframe = keyframe;
  host_run(video->session->host, send_frames, video);
}

static void begin_video(Video *video, HostSession *session) {
  *video = (Video){.session = session};
  host_run(session->host, add_video, video);
}

/* The next frame that comes is the one that was sent last, and whole. */
static void assert_last_frame_comes(Video *video) {
  PeerMedia media;
  RtpHeader header;
  for (int i = 0; i < FRAME_PACKETS; i++) {
    assert_int_equal(peer_receive_kind(video->session->peer, &media, false, PEER_TIMEOUT_MS),
                     PEER_OK);
    assert_true(rtp_read(media.data, media.len, &header));
    assert_int_equal(header.ssrc, SSRC_OF_VIDEO);
    assert_int_equal(header.timestamp, video->frame * FRAME_TICKS);
  }
}

/* -- A connected session -- */

/* However the conn went, the session goes on over the next: the same handshake, the same
 * statistics, sequence numbers without a gap. */
static void session_goes_on_over_the_next_conn(void **state) {
  Host *host = *state;
  for (size_t i = 0; i < COUNT_OF(cuts); i++) {
    HostSession *session = host_open_connected(host, NULL);
    RtcConnectionStats stats;
    host_assert_media_flows(session);
    lose(session, cuts[i]);
    come_back(session);
    host_assert_media_flows(session);
    HOST_ASSERT_STATES(session, CONNECTING, CONNECTED, DISCONNECTED, CONNECTED);
    assert_handshakes(session, i + 1);
    host_session_stats(session, &stats);
    assert_int_equal(stats.packets_in, 2);
    assert_int_equal(stats.packets_out, 2);
    assert_int_equal(stats.tcp_conns, 1);
    assert_int_equal(stats.tcp_conns_total, 2);
  }
}

/* A conn that stalls says nothing of it: the new one takes over, and the session never waits. */
static void new_conn_takes_over_from_a_stalled_one(void **state) {
  Host *host = *state;
  HostSession *session = host_open_connected(host, NULL);
  host_assert_media_flows(session);
  assert_int_equal(peer_connect_conn(session->peer, 1, host->address, host->port), PEER_OK);
  assert_int_equal(peer_bind(session->peer, 1, PEER_USE_CANDIDATE), PEER_OK);
  host_assert_media_flows(session);
  assert_int_equal(session->last_conn, 1);
  HOST_ASSERT_STATES(session, CONNECTING, CONNECTED);
  assert_handshakes(session, 1);
  peer_rst(session->peer, 0); /* found dead, later: nothing changes */
  HOST_AWAIT(host, tcp_conns.live, 1);
  host_assert_media_flows(session);
}

/* A host's stream that begins shortly before its sequence numbers wrap. */
static void add_late_stream(void *arg) {
  HostSession *session = arg;
  const RtcStreamConfig config = {
      .media = RTC_MEDIA_AUDIO, .ssrc = 0x01020304, .payload_type = 111, .clock_rate = 48000};
  assert_int_equal(rtc_connection_add_stream(&session->stream, session->connection, &config),
                   RTC_OK);
  session->stream->next_sequence = 65534;
}

static void send_from_peer(HostSession *session, uint16_t sequence) {
  uint8_t packet[128];
  size_t before = host_rtp_count(session);
  const RtpHeader header = {.payload_type = 111, .sequence = sequence, .ssrc = 0x77777777};
  size_t len = rtp_write_opus(packet, &header, 40);
  assert_int_equal(peer_send_rtp(session->peer, packet, len), PEER_OK);
  for (int turn = 0; turn < HOST_DEADLINE_MS && host_rtp_count(session) == before; turn++)
    pause_ms(1);
  assert_int_equal(host_rtp_count(session), before + 1);
}

/* The rollover counters (RFC 3711 section 3.3.1) are the session's, not the conn's: both directions
 * have wrapped before the cut, and still open after it. */
static void rollover_counters_go_on(void **state) {
  HostSession *session = host_open_connected(*state, NULL);
  host_run(session->host, add_late_stream, session);
  for (int i = 0; i < 4; i++) {
    send_from_peer(session, (uint16_t)(65534 + i));
    host_assert_media_out(session);
  }
  assert_int_equal(session->last_sequence, 1);
  lose(session, peer_rst);
  come_back(session);
  send_from_peer(session, 2);
  host_assert_media_out(session);
  assert_int_equal(session->last_sequence, 2);
}

/* What was taken on the old conn is a replay on the new one. */
static void packet_of_the_old_conn_is_a_replay(void **state) {
  HostSession *session = host_open_connected(*state, NULL);
  uint8_t packet[128];
  const RtpHeader header = {.payload_type = 111, .sequence = 9, .ssrc = 5};
  size_t len = rtp_write_opus(packet, &header, 40);
  assert_int_equal(peer_protect(session->peer, false, packet, &len, sizeof packet), PEER_OK);
  assert_int_equal(peer_send_frame(session->peer, 0, packet, len), PEER_OK);
  host_assert_media_in(session);
  lose(session, peer_rst);
  come_back(session);
  assert_int_equal(peer_send_frame(session->peer, 0, packet, len), PEER_OK);
  host_await_drop(session, RTC_DROP_SRTP_REPLAY, 1);
  assert_int_equal(host_rtp_count(session), 2);
}

/* A session may come back any number of times, and keeps nothing of it. */
static void coming_back_often_leaves_nothing(void **state) {
  enum { TIMES = 100 };
  Host *host = *state;
  HostSession *session = host_open_connected(host, NULL);
  RtcConnectionStats stats;
  size_t descriptors = descriptors_open();
  for (size_t i = 0; i < TIMES; i++) {
    forget_states(session);
    lose(session, cuts[i % COUNT_OF(cuts)]);
    come_back(session);
    host_assert_media_flows(session);
  }
  HOST_AWAIT(host, tcp_conns.live, 1);
  HOST_AWAIT(host, tcp_conns.total, TIMES + 1);
  assert_int_equal(descriptors_open(), descriptors);
  host_session_stats(session, &stats);
  assert_int_equal(stats.tcp_conns_total, TIMES + 1);
  assert_int_equal(stats.packets_in, TIMES);
  assert_int_equal(stats.packets_out, TIMES);
  assert_handshakes(session, 1);
}

/* The way back may lead through another listener, from an address of another family. */
static void session_comes_back_by_another_family(void **state) {
  Host *host = *state;
  HostSession *session = host_open_connected(host, NULL);
  lose(session, peer_rst);
  assert_int_equal(peer_connect(session->peer, host->also_address, host->also_port), PEER_OK);
  assert_int_equal(peer_bind(session->peer, 0, PEER_USE_CANDIDATE), PEER_OK);
  host_assert_media_flows(session);
  lose(session, peer_fin);
  assert_int_equal(peer_connect(session->peer, host->address, host->port), PEER_OK);
  assert_int_equal(peer_bind(session->peer, 0, PEER_USE_CANDIDATE), PEER_OK);
  host_assert_media_flows(session);
  assert_handshakes(session, 1);
}

/* -- The first frame, and what waits -- */

typedef struct Sender {
  RtcConnectionObserver observer; /* first */
  HostSession *session;
  Video *video;
} Sender;

/* Inside the callback that tells that the session is back: before the response has left. */
static void send_at_once(RtcConnectionObserver *observer, RtcConnectionState now) {
  Sender *sender = (Sender *)observer;
  static const uint8_t report[8] = {0x80, 201, 0, 1};
  if (now != CONNECTED)
    return;
  sender->video->frames = 3;
  sender->video->keyframe = true;
  send_frames(sender->video);
  assert_int_equal(rtc_connection_send_rtcp(sender->session->connection, report, sizeof report),
                   RTC_OK);
}

static void observe(void *arg) {
  Sender *sender = arg;
  assert_int_equal(rtc_connection_observe(sender->session->connection, &sender->observer), RTC_OK);
}

/* What the host sends as soon as it may comes behind the binding response (the peer says EARLY if
 * not): browsers close a TCP conn that begins with anything else. */
static void response_comes_before_what_is_sent_at_once(void **state) {
  HostSession *session = host_open_connected(*state, NULL);
  Video video;
  begin_video(&video, session);
  Sender sender = {.observer = {.on_state = send_at_once}, .session = session, .video = &video};
  host_run(session->host, observe, &sender);
  for (size_t i = 0; i < COUNT_OF(cuts); i++) {
    lose(session, cuts[i]);
    come_back(session);
    PeerMedia media;
    assert_int_equal(peer_receive_kind(session->peer, &media, true, PEER_TIMEOUT_MS), PEER_OK);
  }
  host_close_connection(session);
}

/* Sends a frame every millisecond, whatever becomes of it. */
typedef struct Pump {
  Video video;
  atomic_bool stop;
} Pump;

static void pump_frame(void *arg) {
  Video *video = arg;
  video->frames = 1;
  video->keyframe = video->frame % 8 == 0;
  send_frames(video);
}

static void *pump(void *arg) {
  Pump *own = arg;
  while (!atomic_load(&own->stop)) {
    host_run(own->video.session->host, pump_frame, &own->video);
    pause_ms(1);
  }
  return NULL;
}

/* The same with a host that never stops sending, and a peer that is far behind: half a frame may
 * have been on its way. What comes then authenticates, and is new. */
static void response_comes_first_under_load(void **state) {
  static Pump own; /* a case that fails leaves its thread */
  const PeerConfig config = {.receive_buffer = 4096};
  HostSession *session = host_open_connected(*state, &config);
  PeerMedia media;
  pthread_t thread;
  begin_video(&own.video, session);
  assert_int_equal(pthread_create(&thread, NULL, pump, &own), 0);
  for (size_t i = 0; i < 12; i++) {
    pause_ms((long)(i % 3 * 10));
    forget_states(session);
    lose(session, cuts[i % COUNT_OF(cuts)]);
    come_back(session);
    assert_int_equal(peer_receive_media(session->peer, &media, PEER_TIMEOUT_MS), PEER_OK);
  }
  atomic_store(&own.stop, true);
  pthread_join(thread, NULL);
  host_close_connection(session);
}

/* A peer that reads nothing, so that most of some video waits. */
static HostSession *open_full(Host *host, Video *video) {
  const PeerConfig config = {.receive_buffer = 4096};
  HostSession *session = host_open_connected(host, &config);
  begin_video(video, session);
  send_video(video, 60, true);
  return session;
}

/* A frame that builds on what was lost is of no use: it is dropped, and a keyframe asked for, with
 * which video begins again. Nothing comes of what waited before. */
static void assert_video_begins_anew(Video *video) {
  RtcConnectionStats before, after;
  int wanted = atomic_load(&video->wanted);
  host_session_stats(video->session, &before);
  send_video(video, 1, false);
  assert_true(atomic_load(&video->wanted) > wanted);
  host_session_stats(video->session, &after);
  assert_int_equal(after.drops[RTC_DROP_AWAIT_KEYFRAME],
                   before.drops[RTC_DROP_AWAIT_KEYFRAME] + FRAME_PACKETS);
  send_video(video, 1, true);
  assert_last_frame_comes(video);
}

/* Media that waited for a conn that was lost is not sent on the next one. */
static void media_of_the_lost_conn_is_dropped(void **state) {
  Video video;
  RtcConnectionStats stats;
  HostSession *session = open_full(*state, &video);
  lose(session, peer_rst);
  host_session_stats(session, &stats);
  assert_true(stats.drops[RTC_DROP_NOT_CONNECTED] + stats.drops[RTC_DROP_QUEUE_LATE] > 0);
  come_back(session);
  assert_video_begins_anew(&video);
  host_close_connection(session);
}

static void join_beside_stalled(HostSession *session) {
  const Host *host = session->host;
  peer_cut_in_after(session->peer, 0, 0); /* it reads nothing more of the stalled conn */
  assert_int_equal(peer_connect_conn(session->peer, 1, host->address, host->port), PEER_OK);
  assert_int_equal(peer_bind(session->peer, 1, PEER_USE_CANDIDATE), PEER_OK);
}

/* Nor is what waited while a conn stalled, be it so new that it might still be of use: the stalled
 * conn has the beginning. A keyframe is asked for at once. */
static void media_of_a_stalled_conn_is_not_sent_on_the_next(void **state) {
  static const long stalls_ms[] = {0, 700}; /* video may wait for 500 ms */
  for (size_t i = 0; i < COUNT_OF(stalls_ms); i++) {
    Video video;
    HostSession *session = open_full(*state, &video);
    pause_ms(stalls_ms[i]);
    join_beside_stalled(session);
    assert_true(atomic_load(&video.wanted) > 0);
    assert_video_begins_anew(&video);
    host_close_connection(session);
    host_forget(session);
  }
}

/* -- The grace -- */

/* The grace is over: CLOSED is told once, also of a handshake that was cut. */
static void session_ends_once_when_the_grace_is_over(void **state) {
  Host *host = *state;
  HostSession *connected = host_open_connected(host, NULL);
  HostSession *shaking = host_open_conn(host, NULL);
  assert_int_equal(peer_bind(shaking->peer, 0, PEER_USE_CANDIDATE), PEER_OK);
  assert_int_equal(peer_handshake_step(shaking->peer, PEER_TIMEOUT_MS), PEER_OK);
  peer_rst(shaking->peer, 0);
  peer_fin(connected->peer, 0);
  host_await_closed(connected, RTC_CLOSE_TCP_LOST);
  host_await_closed(shaking, RTC_CLOSE_TCP_LOST);
  HOST_ASSERT_STATES(connected, CONNECTING, CONNECTED, DISCONNECTED, CLOSED);
  HOST_ASSERT_STATES(shaking, CONNECTING, DISCONNECTED, CLOSED);
  HOST_AWAIT(host, closes[RTC_CLOSE_TCP_LOST], 2);
  assert_int_not_equal(peer_reconnect(connected->peer, 0, PEER_USE_CANDIDATE), PEER_OK);
  HOST_AWAIT(host, tcp_closes[RTC_TCP_CLOSE_NO_SUCH_SESSION], 1);
}

/* Without a grace a cut handshake is the end, as a cut session is. */
static void handshake_without_grace_ends_with_its_conn(void **state) {
  Host *host = *state;
  for (size_t i = 0; i < COUNT_OF(cuts); i++) {
    HostSession *session = host_open_conn(host, NULL);
    assert_int_equal(peer_bind(session->peer, 0, PEER_USE_CANDIDATE), PEER_OK);
    assert_int_equal(peer_handshake_step(session->peer, PEER_TIMEOUT_MS), PEER_OK);
    cuts[i](session->peer, 0);
    host_await_closed(session, RTC_CLOSE_TCP_LOST);
    HOST_ASSERT_STATES(session, CONNECTING, CLOSED);
  }
}

/* The grace of one loss does not reach into the time after it. */
static void grace_ends_when_the_session_is_back(void **state) {
  Host *host = *state;
  HostSession *session = host_open_connected(host, NULL);
  int64_t lost_ms = now_ms();
  lose(session, peer_rst);
  pause_ms(host->config.grace_ms / 4);
  come_back(session);
  int64_t left_ms = lost_ms + host->config.grace_ms + 100 - now_ms();
  pause_ms(left_ms > 0 ? left_ms : 0);
  host_assert_media_flows(session);
  HOST_ASSERT_STATES(session, CONNECTING, CONNECTED, DISCONNECTED, CONNECTED);
}

/* Around the last moment a session is back, or it is closed and the conn refused; never both. */
static void last_moment_decides_for_one_of_both(void **state) {
  Host *host = *state;
  HostSession *sessions[8];
  for (size_t i = 0; i < COUNT_OF(sessions); i++)
    sessions[i] = host_open_connected(host, NULL);
  int64_t lost_ms = now_ms();
  for (size_t i = 0; i < COUNT_OF(sessions); i++)
    lose(sessions[i], peer_rst);
  int64_t left_ms = lost_ms + host->config.grace_ms - 4 - now_ms();
  pause_ms(left_ms > 0 ? left_ms : 0);
  for (size_t i = 0; i < COUNT_OF(sessions); i++) {
    HostSession *session = sessions[i];
    if (peer_reconnect(session->peer, 0, PEER_USE_CANDIDATE) == PEER_OK) {
      host_assert_media_flows(session);
      HOST_ASSERT_STATES(session, CONNECTING, CONNECTED, DISCONNECTED, CONNECTED);
    } else {
      host_await_closed(session, RTC_CLOSE_TCP_LOST);
      HOST_ASSERT_STATES(session, CONNECTING, CONNECTED, DISCONNECTED, CLOSED);
    }
  }
}

/* Keeps the worker busy. */
typedef struct Gate {
  sem_t entered, open;
} Gate;

static void pass_gate(void *arg) {
  Gate *gate = arg;
  sem_post(&gate->entered);
  while (sem_wait(&gate->open) != 0)
    ;
}

/* The end of the grace and the new conn's first frame are seen in the same turn of the loop. */
static void grace_ends_in_the_turn_of_the_first_frame(void **state) {
  Host *host = *state;
  HostSession *session = host_open_connected(host, NULL);
  Gate gate;
  lose(session, peer_rst);
  sem_init(&gate.entered, 0, 0);
  sem_init(&gate.open, 0, 0);
  assert_int_equal(peer_connect(session->peer, host->address, host->port), PEER_OK);
  HOST_AWAIT(host, unauthenticated, 1);
  assert_int_equal(rtc_worker_post(host->worker, pass_gate, &gate), RTC_OK);
  while (sem_wait(&gate.entered) != 0)
    ;
  assert_int_equal(peer_send_request(session->peer, 0, PEER_USE_CANDIDATE), PEER_OK);
  pause_ms(host->config.grace_ms + 50);
  sem_post(&gate.open);
  bool back = peer_await_response(session->peer, 0, PEER_TIMEOUT_MS) == PEER_OK;
  host_await_state(session, back ? CONNECTED : CLOSED);
  HOST_ASSERT_STATES(session, CONNECTING, CONNECTED, DISCONNECTED, back ? CONNECTED : CLOSED);
  sem_destroy(&gate.entered);
  sem_destroy(&gate.open);
}

/* Who can't prove the password does not bring a session back. */
static void strangers_do_not_bring_a_session_back(void **state) {
  static const unsigned flags[] = {PEER_BAD_INTEGRITY, PEER_UNKNOWN_UFRAG, PEER_WRONG_OWN_UFRAG,
                                   PEER_NO_INTEGRITY, PEER_BAD_FINGERPRINT};
  Host *host = *state;
  HostSession *session = host_open_connected(host, NULL);
  lose(session, peer_rst);
  for (size_t i = 0; i < COUNT_OF(flags); i++) {
    assert_int_not_equal(peer_reconnect(session->peer, 0, flags[i] | PEER_USE_CANDIDATE), PEER_OK);
    assert_int_equal(peer_wait_closed(session->peer, 0, PEER_TIMEOUT_MS), PEER_EOF);
    assert_int_equal(host_state(session), DISCONNECTED);
  }
  come_back(session);
  host_assert_media_flows(session);
  HOST_ASSERT_STATES(session, CONNECTING, CONNECTED, DISCONNECTED, CONNECTED);
}

/* Nor does he prolong its grace. */
static void strangers_do_not_prolong_the_grace(void **state) {
  HostSession *session = host_open_connected(*state, NULL);
  peer_rst(session->peer, 0);
  int64_t until_ms = now_ms() + HOST_DEADLINE_MS;
  while (host_state(session) != CLOSED && now_ms() < until_ms) {
    (void)peer_reconnect(session->peer, 0, PEER_BAD_INTEGRITY);
    pause_ms(5);
  }
  host_await_closed(session, RTC_CLOSE_TCP_LOST);
}

int main(void) {
  static HostConfig long_grace = {.grace_ms = 60000, .session_timeout_ms = 120000};
  static HostConfig two_listeners = {.also_listen = "[::1]:0", .grace_ms = 60000};
  static HostConfig two_seconds = {.grace_ms = 2000};
  static HostConfig short_grace = {.grace_ms = 400};
  static HostConfig no_grace = {.grace_ms = -1};
#define CASE(function, config)                                                                     \
  cmocka_unit_test_prestate_setup_teardown(function, host_setup, host_teardown, config)
  const struct CMUnitTest tests[] = {
      CASE(session_goes_on_over_the_next_conn, &long_grace),
      CASE(new_conn_takes_over_from_a_stalled_one, &long_grace),
      CASE(rollover_counters_go_on, &long_grace),
      CASE(packet_of_the_old_conn_is_a_replay, &long_grace),
      CASE(coming_back_often_leaves_nothing, &long_grace),
      CASE(session_comes_back_by_another_family, &two_listeners),
      CASE(response_comes_before_what_is_sent_at_once, &long_grace),
      CASE(response_comes_first_under_load, &long_grace),
      CASE(media_of_the_lost_conn_is_dropped, &long_grace),
      CASE(media_of_a_stalled_conn_is_not_sent_on_the_next, &long_grace),
      CASE(session_ends_once_when_the_grace_is_over, &short_grace),
      CASE(handshake_without_grace_ends_with_its_conn, &no_grace),
      CASE(grace_ends_when_the_session_is_back, &two_seconds),
      CASE(last_moment_decides_for_one_of_both, &short_grace),
      CASE(grace_ends_in_the_turn_of_the_first_frame, &short_grace),
      CASE(strangers_do_not_bring_a_session_back, &long_grace),
      CASE(strangers_do_not_prolong_the_grace, &short_grace),
  };
  return cmocka_run_group_tests_name("coming back", tests, NULL, NULL);
}
