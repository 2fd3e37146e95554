/* A stream over several workers, with real sessions on each: what its publisher sends reaches every
 * player once and in order, wishes come back, and everything ends well in whatever order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "media/rtc_source_internal.h"
#include "media/source_group.h"
#include "support/farm.h"
#include "support/rtp.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VP8         96
#define VIDEO       UINT32_C(0x0b0b0b02)
#define PLAYER_SSRC UINT32_C(0xc0000001)
#define PLI         1
#define ROUNDS      50

typedef struct Stage {
  Farm farm;
  RtcSourceManager *managers[FARM_WORKERS_MAX]; /* owned */
  uint16_t sequence;                            /* of the next packet that is published */
} Stage;

static const RtcTrack published[] = {{.media = RTC_MEDIA_VIDEO,
                                      .codec = RTC_CODEC_VP8,
                                      .payload_type = VP8,
                                      .clock_rate = 90000,
                                      .pli = true,
                                      .host_data = 42}};
static const RtcTrack played[] = {{.media = RTC_MEDIA_VIDEO,
                                   .codec = RTC_CODEC_VP8,
                                   .payload_type = VP8,
                                   .clock_rate = 90000,
                                   .ssrc = PLAYER_SSRC}};

static void start(Stage *stage, size_t workers) {
  memset(stage, 0, sizeof *stage);
  farm_start(&stage->farm, workers);
  for (size_t i = 0; i < workers; i++)
    assert_int_equal(rtc_source_manager_new(&stage->managers[i], stage->farm.workers[i]), RTC_OK);
  assert_int_equal(rtc_source_managers_join(stage->managers, workers), RTC_OK);
}

/* -- On a worker's thread -- */

typedef struct Call {
  Stage *stage;
  FarmSession *session;
  size_t worker;
  RtcSourceManagerStats stats;
  size_t tracks;
  uint32_t host_data;
  RtcError error;
} Call;

static void do_publish(void *arg) {
  Call *call = arg;
  RtcSource *source;
  RtcSourceManager *manager = call->stage->managers[call->session->worker];
  call->error = rtc_source_manager_fetch_or_create(manager, "live", &source);
  if (call->error)
    return;
  call->error = rtc_source_publish(source, call->session->connection, published, 1);
  rtc_source_unref(&source);
}

static void do_play(void *arg) {
  Call *call = arg;
  RtcSource *source;
  RtcSourceManager *manager = call->stage->managers[call->session->worker];
  call->error = rtc_source_manager_fetch_or_create(manager, "live", &source);
  if (call->error)
    return;
  call->error = rtc_consumer_new(NULL, source, call->session->connection, played, 1);
  rtc_source_unref(&source);
}

static void do_look(void *arg) {
  Call *call = arg;
  const RtcTrack *tracks;
  RtcSource *source = rtc_source_manager_fetch(call->stage->managers[call->worker], "live");
  call->tracks = source ? rtc_source_tracks(source, &tracks) : 0;
  call->host_data = call->tracks ? tracks[0].host_data : 0;
  rtc_source_unref(&source);
}

static void do_stats(void *arg) {
  Call *call = arg;
  rtc_source_manager_stats(call->stage->managers[call->worker], &call->stats);
}

static void do_eliminate(void *arg) {
  Call *call = arg;
  rtc_source_manager_eliminate(call->stage->managers[call->worker], "live");
}

static void do_destroy(void *arg) {
  Call *call = arg;
  rtc_source_manager_destroy(call->stage->managers[call->worker]);
  call->stage->managers[call->worker] = NULL;
}

static RtcError use(Stage *stage, FarmSession *session, void (*fn)(void *arg)) {
  Call call = {.stage = stage, .session = session};
  farm_run_on(stage->farm.workers[session->worker], fn, &call);
  return call.error;
}

static size_t tracks_on(Stage *stage, size_t worker, uint32_t *host_data) {
  Call call = {.stage = stage, .worker = worker};
  farm_run_on(stage->farm.workers[worker], do_look, &call);
  if (host_data)
    *host_data = call.host_data;
  return call.tracks;
}

static RtcSourceManagerStats stats_of(Stage *stage, size_t worker) {
  Call call = {.stage = stage, .worker = worker};
  farm_run_on(stage->farm.workers[worker], do_stats, &call);
  return call.stats;
}

static void close_session(FarmSession *session) {
  farm_run_on(session->farm->workers[session->worker], farm_drop_handle, session);
}

static FarmSession *open_connected(Stage *stage, size_t worker) {
  FarmSession *session = farm_open(&stage->farm, worker);
  farm_connect(session);
  assert_int_equal(peer_bind(session->peer, 0, PEER_USE_CANDIDATE), PEER_OK);
  farm_handshake(session);
  return session;
}

static FarmSession *open_publisher(Stage *stage, size_t worker) {
  FarmSession *session = open_connected(stage, worker);
  assert_int_equal(use(stage, session, do_publish), RTC_OK);
  return session;
}

static FarmSession *open_player(Stage *stage, size_t worker) {
  FarmSession *session = open_connected(stage, worker);
  assert_int_equal(use(stage, session, do_play), RTC_OK);
  return session;
}

/* Waits until nothing but the managers is left, and ends them; the last one may be another's. */
static void end(Stage *stage) {
  for (size_t i = 0; i < stage->farm.session_count; i++)
    if (stage->farm.sessions[i].connection)
      close_session(&stage->farm.sessions[i]);
  for (size_t i = 0; i < stage->farm.worker_count; i++) {
    Call call = {.stage = stage, .worker = i};
    if (!stage->managers[i])
      continue;
    RtcSourceManagerStats stats = stats_of(stage, i);
    assert_int_equal(stats.sources_live, 0);
    assert_int_equal(stats.consumers_live, 0);
    farm_run_on(stage->farm.workers[i], do_destroy, &call);
  }
  farm_end(&stage->farm);
}

/* -- Media -- */

static void publish_packet(Stage *stage, FarmSession *publisher, bool keyframe) {
  uint8_t packet[256];
  const RtpHeader header = {.payload_type = VP8,
                            .sequence = stage->sequence,
                            .timestamp = 3000u * stage->sequence,
                            .ssrc = VIDEO};
  stage->sequence++;
  size_t len = rtp_write_vp8(packet, &header, true, keyframe, 200);
  assert_int_equal(peer_send_rtp(publisher->peer, packet, len), PEER_OK);
}

static RtpHeader receive(FarmSession *player) {
  PeerMedia media;
  RtpHeader header;
  assert_int_equal(peer_receive_kind(player->peer, &media, false, PEER_TIMEOUT_MS), PEER_OK);
  assert_true(rtp_read(media.data, media.len, &header));
  assert_int_equal(header.ssrc, PLAYER_SSRC);
  return header;
}

static void await_pli(FarmSession *publisher) {
  PeerMedia media;
  do
    assert_int_equal(peer_receive_kind(publisher->peer, &media, true, PEER_TIMEOUT_MS), PEER_OK);
  while (!rtcp_contains(media.data, media.len, 206, PLI));
}

/* A keyframe and frames after it, and every player has them all, once, in order, without a gap. */
static void assert_stream_flows(Stage *stage, FarmSession *publisher, FarmSession *const *players,
                                size_t count) {
  enum { FRAMES = 20 };
  uint16_t first[FARM_SESSIONS_MAX];
  uint32_t timestamp[FARM_SESSIONS_MAX];
  for (int i = 0; i < FRAMES; i++)
    publish_packet(stage, publisher, i == 0);
  for (size_t n = 0; n < count; n++) {
    for (uint16_t i = 0; i < FRAMES; i++) {
      RtpHeader header = receive(players[n]);
      if (i == 0) {
        first[n] = header.sequence;
        timestamp[n] = header.timestamp;
      }
      assert_int_equal(header.sequence, (uint16_t)(first[n] + i));
      assert_int_equal(header.timestamp, timestamp[n] + 3000u * i);
    }
  }
}

/* -- Cases -- */

/* Wherever the players are; and what they ask for comes to the publisher. */
static void stream_reaches_every_worker(void **state) {
  Stage stage;
  FarmSession *players[6];
  (void)state;
  start(&stage, 3);
  FarmSession *publisher = open_publisher(&stage, 0);
  for (size_t i = 0; i < 6; i++)
    players[i] = open_player(&stage, i % 3);
  publish_packet(&stage, publisher, false); /* of no use to anybody yet: each wishes for more */
  await_pli(publisher);
  assert_stream_flows(&stage, publisher, players, 6);
  RtcSourceManagerStats out = stats_of(&stage, 0);
  RtcSourceManagerStats in = stats_of(&stage, 1);
  assert_int_equal(out.relayed_out, 2 * 21); /* once a worker, not once a player */
  assert_int_equal(in.relayed_in, 21);
  assert_int_equal(out.relay_dropped, 0);
  assert_in_range(in.relay_batches_in, 1, 21);
  end(&stage);
}

/* A wish of a player far away alone reaches the publisher. */
static void wish_comes_back(void **state) {
  Stage stage;
  (void)state;
  start(&stage, 2);
  FarmSession *publisher = open_publisher(&stage, 0);
  /* Its SSRC is learnt. No keyframe: one that is read after the wish answers it, without a PLI. */
  publish_packet(&stage, publisher, false);
  FarmSession *player = open_player(&stage, 1);
  await_pli(publisher);
  assert_stream_flows(&stage, publisher, &player, 1);
  usleep(600 * 1000); /* it is asked twice a second at most */
  uint8_t compound[64];
  size_t len = rtcp_write_pli(compound, 1, PLAYER_SSRC);
  assert_int_equal(peer_send_rtcp(player->peer, compound, len), PEER_OK);
  await_pli(publisher);
  end(&stage);
}

/* There is one publisher in all; every worker knows what it publishes; another may follow, on
 * whatever worker, and the players stay. */
static void publishers_follow_each_other(void **state) {
  Stage stage;
  FarmSession *players[3];
  uint32_t host_data;
  (void)state;
  start(&stage, 3);
  for (size_t i = 0; i < 3; i++)
    players[i] = open_player(&stage, i);
  for (size_t worker = 0; worker < 3; worker++) {
    assert_int_equal(tracks_on(&stage, (worker + 1) % 3, NULL), 0);
    FarmSession *publisher = open_publisher(&stage, worker);
    FarmSession *late = open_connected(&stage, (worker + 1) % 3);
    assert_int_equal(use(&stage, late, do_publish), RTC_ERROR_EXISTS);
    for (size_t i = 0; i < 3; i++) {
      assert_int_equal(tracks_on(&stage, i, &host_data), 1);
      assert_int_equal(host_data, 42);
    }
    FarmSession *const *all = players;
    uint16_t sequence = stage.sequence;
    stage.sequence = (uint16_t)(sequence + 1000); /* another publisher's own */
    assert_stream_flows(&stage, publisher, all, 3);
    close_session(publisher);
    close_session(late);
    farm_await_state(publisher, RTC_CONNECTION_STATE_CLOSED);
  }
  end(&stage);
}

/* What the publisher has sent before it goes still reaches the players. */
static void last_packets_arrive(void **state) {
  Stage stage;
  FarmGate gate;
  (void)state;
  start(&stage, 2);
  FarmSession *publisher = open_publisher(&stage, 0);
  FarmSession *player = open_player(&stage, 1);
  publish_packet(&stage, publisher, true);
  receive(player);
  farm_close_gate(&gate, stage.farm.workers[1]);
  for (int i = 0; i < 5; i++)
    publish_packet(&stage, publisher, false);
  for (int turn = 0; turn < FARM_DEADLINE_MS && stats_of(&stage, 0).relayed_out < 6; turn++)
    usleep(1000);
  close_session(publisher);
  farm_open_gate(&gate);
  for (int i = 0; i < 5; i++)
    receive(player);
  assert_int_equal(tracks_on(&stage, 1, NULL), 0);
  end(&stage);
}

/* A worker that stands still loses what is too old for it, whole; the others lose nothing, and it
 * goes on with a keyframe. */
static void slow_worker_is_bounded(void **state) {
  Stage stage;
  FarmGate gate;
  (void)state;
  start(&stage, 3);
  FarmSession *publisher = open_publisher(&stage, 0);
  FarmSession *slow = open_player(&stage, 1);
  FarmSession *fine = open_player(&stage, 2);
  publish_packet(&stage, publisher, true);
  receive(slow);
  uint16_t sequence = receive(fine).sequence;
  farm_close_gate(&gate, stage.farm.workers[1]);
  publish_packet(&stage, publisher, false);
  assert_int_equal(receive(fine).sequence, ++sequence);
  usleep(RTC_RELAY_AGE_US + 100 * 1000);
  for (int i = 0; i < 3; i++) {
    publish_packet(&stage, publisher, false);
    assert_int_equal(receive(fine).sequence, ++sequence);
  }
  assert_true(stats_of(&stage, 0).relay_dropped >= 2);
  farm_open_gate(&gate);
  publish_packet(&stage, publisher, false);
  assert_int_equal(receive(fine).sequence, ++sequence);
  uint32_t timestamp = 3000u * stage.sequence;
  publish_packet(&stage, publisher, true);
  assert_int_equal(receive(slow).timestamp, timestamp); /* what came between is of no use */
  end(&stage);
}

/* An eliminated stream's publisher and players are free of it, on every worker. */
static void elimination_reaches_every_worker(void **state) {
  Stage stage;
  Call call = {.stage = &stage, .worker = 2};
  (void)state;
  start(&stage, 3);
  FarmSession *publisher = open_publisher(&stage, 0);
  open_player(&stage, 1);
  farm_run_on(stage.farm.workers[2], do_eliminate, &call);
  for (int turn = 0; turn < FARM_DEADLINE_MS; turn++) {
    if (stats_of(&stage, 0).sources_live + stats_of(&stage, 1).consumers_live == 0)
      break;
    usleep(1000);
  }
  assert_int_equal(use(&stage, publisher, do_publish), RTC_OK); /* anew */
  end(&stage);
}

/* A worker stops in the middle: its players end, the others' play on; then the publisher's does. */
static void worker_stops_in_the_middle(void **state) {
  (void)state;
  for (size_t stops = 0; stops < 2; stops++) {
    Stage stage;
    start(&stage, 3);
    FarmSession *publisher = open_publisher(&stage, 0);
    FarmSession *players[] = {open_player(&stage, 1), open_player(&stage, 2)};
    assert_stream_flows(&stage, publisher, players, 2);
    for (size_t i = 0; i < stage.farm.session_count; i++)
      farm_run_on(stage.farm.workers[stage.farm.sessions[i].worker], farm_unref_handle,
                  &stage.farm.sessions[i]);
    for (int i = 0; i < 20; i++)
      publish_packet(&stage, publisher, i == 0);
    rtc_worker_stop(stage.farm.workers[stops]);
    rtc_worker_join(stage.farm.workers[stops]);
    if (stops == 1) {
      farm_await_state(players[0], RTC_CONNECTION_STATE_CLOSED);
      for (int i = 0; i < 20; i++)
        receive(players[1]);
      assert_stream_flows(&stage, publisher, &players[1], 1);
    }
    rtc_source_manager_destroy(stage.managers[stops]); /* its worker has stopped */
    stage.managers[stops] = NULL;
    rtc_server_close(stage.farm.server, farm_on_closed, &stage.farm);
    farm_await_closed(&stage.farm);
    end(&stage);
  }
}

/* The server closes, or drains, with packets on their way. */
static void server_ends_in_the_middle(void **state) {
  (void)state;
  for (int drains = 0; drains < 2; drains++) {
    Stage stage;
    start(&stage, 2);
    FarmSession *publisher = open_publisher(&stage, 0);
    open_player(&stage, 1);
    for (size_t i = 0; i < stage.farm.session_count; i++)
      farm_run_on(stage.farm.workers[stage.farm.sessions[i].worker], farm_unref_handle,
                  &stage.farm.sessions[i]);
    for (int i = 0; i < 50; i++)
      publish_packet(&stage, publisher, i % 10 == 0);
    if (drains)
      rtc_server_drain(stage.farm.server, 10, farm_on_closed, &stage.farm);
    else
      rtc_server_close(stage.farm.server, farm_on_closed, &stage.farm);
    farm_await_closed(&stage.farm);
    end(&stage);
  }
}

/* Publishers and players come, move and go at random, with packets under way all the time. */
static void churn_leaves_nothing(void **state) {
  Stage stage;
  unsigned seed = 7;
  FarmSession *sessions[6];
  (void)state;
  start(&stage, 3);
  for (size_t i = 0; i < 6; i++)
    sessions[i] = open_connected(&stage, i % 3);
  for (int round = 0; round < ROUNDS; round++) {
    size_t from = (size_t)rand_r(&seed) % 6;
    (void)use(&stage, sessions[from], do_publish);
    for (size_t i = 0; i < 6; i++)
      if (i != from && rand_r(&seed) % 2)
        (void)use(&stage, sessions[i], do_play); /* an SSRC serves once: EXISTS is fine */
    for (int i = 0; i < 10; i++)
      publish_packet(&stage, sessions[from], i == 0);
    Call call = {.stage = &stage, .worker = (size_t)rand_r(&seed) % 3};
    farm_run_on(stage.farm.workers[call.worker], do_eliminate, &call);
  }
  end(&stage);
}

/* A manager alone pays for nobody; who is joined is not joined twice. */
static void joining_is_checked(void **state) {
  RtcSourceManager *managers[2];
  RtcSource *source;
  (void)state;
  for (size_t i = 0; i < 2; i++)
    assert_int_equal(rtc_source_manager_new(&managers[i], NULL), RTC_OK);
  assert_int_equal(rtc_source_managers_join(managers, 0), RTC_ERROR_INVALID_ARGUMENT);
  assert_int_equal(rtc_source_managers_join(managers, 257), RTC_ERROR_INVALID_ARGUMENT);
  assert_int_equal(rtc_source_managers_join(managers, 1), RTC_OK);
  assert_null(managers[0]->member);
  assert_int_equal(rtc_source_manager_fetch_or_create(managers[1], "early", &source), RTC_OK);
  assert_int_equal(rtc_source_managers_join(managers, 2), RTC_ERROR_INVALID_ARGUMENT);
  rtc_source_unref(&source);
  assert_int_equal(rtc_source_managers_join(managers, 2), RTC_OK);
  assert_int_equal(rtc_source_managers_join(managers, 2), RTC_ERROR_INVALID_ARGUMENT);
  rtc_source_manager_destroy(managers[0]);
  rtc_source_manager_destroy(managers[1]);
}

int main(void) {
#define CASE(function) cmocka_unit_test_setup_teardown(function, farm_setup, NULL)
  const struct CMUnitTest tests[] = {
      CASE(stream_reaches_every_worker),  CASE(wish_comes_back),
      CASE(publishers_follow_each_other), CASE(last_packets_arrive),
      CASE(slow_worker_is_bounded),       CASE(elimination_reaches_every_worker),
      CASE(worker_stops_in_the_middle),   CASE(server_ends_in_the_middle),
      CASE(churn_leaves_nothing),         CASE(joining_is_checked),
  };
  return cmocka_run_group_tests_name("source group", tests, NULL, NULL);
}
