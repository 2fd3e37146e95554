/* The walk's host: a worker on the walk's own loop, a server, sessions, and what is done from
 * inside their callbacks. */
#include "walk/walk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GRACE_US        INT64_C(5000000)
#define SMALL_MTU       256
#define PACKET_LEN_MAX  1200
#define RTP_HEADER_LEN  12
#define SAMPLES_OF_20MS 960

/* -- Callbacks -- */

/* The host does once what it has set its mind on. */
static void run_hook(WalkSession *session, ModelCallback callback) {
  ModelHook hook = session->hooks[callback];
  session->hooks[callback] = (ModelHook){0};
  session->walk->acting++;
  walk_host_act(session->walk, hook.target, hook.action);
  session->walk->acting--;
}

static void must_be_called(const WalkSession *session, const RtcConnection *connection) {
  if (session->closed || session->connection != connection)
    walk_fail(session->walk, "a callback after CLOSED");
}

static void on_state(RtcConnection *connection, RtcConnectionState state, void *arg) {
  static const ModelCallback callbacks[] = {
      [RTC_CONNECTION_STATE_CONNECTING] = MODEL_CALLBACK_CONNECTING,
      [RTC_CONNECTION_STATE_CONNECTED] = MODEL_CALLBACK_CONNECTED,
      [RTC_CONNECTION_STATE_DISCONNECTED] = MODEL_CALLBACK_DISCONNECTED,
      [RTC_CONNECTION_STATE_CLOSED] = MODEL_CALLBACK_CLOSED,
  };
  WalkSession *session = arg;
  must_be_called(session, connection);
  if (session->told_count < sizeof session->told / sizeof *session->told)
    session->told[session->told_count++] = state;
  if (state == RTC_CONNECTION_STATE_CLOSED) {
    session->closed = true;
    session->stream = NULL;
  }
  run_hook(session, callbacks[state]);
}

static void on_rtp(RtcConnection *connection, const uint8_t *packet, size_t len, void *arg) {
  WalkSession *session = arg;
  (void)packet;
  (void)len;
  must_be_called(session, connection);
  session->rtp++;
  run_hook(session, MODEL_CALLBACK_RTP);
}

static void on_rtcp(RtcConnection *connection, const uint8_t *packet, size_t len, void *arg) {
  WalkSession *session = arg;
  (void)packet;
  (void)len;
  must_be_called(session, connection);
  session->rtcp++;
  run_hook(session, MODEL_CALLBACK_RTCP);
}

/* When a queue drops, the model can't know: it is told, and acts behind all that it foresees. So
 * must the host, who waits with this hook while he is in another one. */
static void on_keyframe_wanted(void *arg) {
  WalkSession *session = arg;
  Walk *walk = session->walk;
  must_be_called(session, session->connection);
  if (walk->acting > 0 || session->hooks[MODEL_CALLBACK_KEYFRAME].action == MODEL_ACTION_NOTHING)
    return;
  walk->called[walk->called_count++ % 64] =
      (WalkCall){.session = (int)(session - walk->sessions), .told = session->told_count};
  run_hook(session, MODEL_CALLBACK_KEYFRAME);
}

/* -- Sessions -- */

static void take_answer(WalkSession *session, const char *remote_ufrag) {
  WalkIce *ice = &session->ice[session->generation % WALK_GENERATIONS_KEPT];
  RtcSdpTransport local;
  rtc_connection_local_transport(session->connection, &local);
  memcpy(ice->ufrag, local.ufrag, sizeof ice->ufrag);
  memcpy(ice->pwd, local.pwd, sizeof ice->pwd);
  snprintf(ice->remote_ufrag, sizeof ice->remote_ufrag, "%s", remote_ufrag);
}

static void make_offer(const WalkSession *session, RtcSdpTransport *offer) {
  walk_peer_transport(&session->peer, offer);
  snprintf(offer->ufrag, sizeof offer->ufrag, "peer%d", session->generation);
  if (session->forged)
    offer->fingerprints[0].value[0] ^= 1;
}

static RtcError open_session(Walk *walk, WalkSession *session, const WalkEvent *event) {
  if (!walk_peer_init(&session->peer, event->choice % 4 == 0, event->more % 2 ? SMALL_MTU : 0))
    walk_fail(walk, "no peer could be made");
  RtcSdpTransport offer;
  make_offer(session, &offer);
  const RtcConnectionConfig config = {
      .remote = &offer,
      .callbacks = {.on_state = on_state, .on_rtp = on_rtp, .on_rtcp = on_rtcp},
      .arg = session};
  RtcError error = rtc_connection_new(&session->connection, walk->server, walk->worker, &config);
  if (!error)
    take_answer(session, offer.ufrag);
  return error;
}

void walk_host_open(Walk *walk, int index, const WalkEvent *event) {
  WalkSession *session = &walk->sessions[index];
  walk_peer_finish(&session->peer);
  *session = (WalkSession){.walk = walk, .forged = event->choice % 32 == 1};
  RtcError error = open_session(walk, session, event);
  if (error)
    walk_fail(walk, "rtc_connection_new says %s", rtc_error_name(error));
  session->held = 1;
  session->opened = true;
  session->id = rtc_connection_id(session->connection);
  RtcSdpTransport answer;
  rtc_connection_local_transport(session->connection, &answer);
  if (!walk_peer_start(&session->peer, &answer))
    walk_fail(walk, "the peer does not take the answer");
}

void walk_host_open_in_vain(Walk *walk, const WalkEvent *event) {
  WalkSession session = {.walk = walk};
  RtcError error = open_session(walk, &session, event);
  if (error != RTC_ERROR_CLOSED)
    walk_fail(walk, "rtc_connection_new says %s of a server that ends", rtc_error_name(error));
  walk_peer_finish(&session.peer);
}

RtcConnection *walk_host_reach(Walk *walk, int index) {
  WalkSession *session = &walk->sessions[index];
  if (session->held > 0)
    return session->connection;
  if (!session->opened || session->closed)
    return NULL;
  RtcConnection *found = rtc_server_find(walk->server, walk->worker, session->id);
  if (found != session->connection)
    walk_fail(walk, "a live session is not found by its id");
  return found;
}

static void restart_ice(WalkSession *session, RtcConnection *connection) {
  RtcSdpTransport offer;
  session->generation++;
  make_offer(session, &offer);
  RtcError error = rtc_connection_restart_ice(connection, &offer);
  if (error != (session->closed ? RTC_ERROR_CLOSED : RTC_OK))
    walk_fail(session->walk, "rtc_connection_restart_ice says %s", rtc_error_name(error));
  if (error)
    session->generation--;
  else
    take_answer(session, offer.ufrag);
}

static void hold_tcp_conn(Walk *walk, RtcTcpConn *tcp) {
  for (int c = 0; tcp && c < MODEL_CONNS; c++)
    if (walk_conn_find(walk, c) == tcp)
      walk->conns[c].tcp = rtc_tcp_conn_ref(tcp);
}

void walk_host_act(Walk *walk, int index, ModelAction action) {
  WalkSession *session = &walk->sessions[index];
  RtcConnection *connection = walk_host_reach(walk, index);
  RtcTcpConn *tcp = connection ? rtc_connection_tcp_conn(connection) : NULL;
  if (!connection)
    return;
  switch (action) {
  case MODEL_ACTION_CLOSE:
    rtc_connection_close(connection);
    return;
  case MODEL_ACTION_CLOSE_TCP_CONN:
    if (tcp)
      rtc_tcp_conn_close(tcp);
    return;
  case MODEL_ACTION_GIVE_BACK:
    if (session->held > 0) {
      session->held--;
      rtc_connection_unref(&connection);
    }
    return;
  case MODEL_ACTION_HOLD:
    session->held++;
    rtc_connection_ref(connection);
    return;
  case MODEL_ACTION_HOLD_TCP_CONN:
    hold_tcp_conn(walk, tcp);
    return;
  case MODEL_ACTION_RESTART:
    restart_ice(session, connection);
    return;
  case MODEL_ACTION_SEND:
    walk_host_send(walk, index, 1, PACKET_LEN_MAX, false);
    return;
  case MODEL_ACTION_NOTHING:
  case MODEL_ACTIONS:
    return;
  }
}

/* -- Media -- */

static bool add_stream(WalkSession *session, RtcConnection *connection) {
  const RtcStreamConfig config = {.media = session->video ? RTC_MEDIA_VIDEO : RTC_MEDIA_AUDIO,
                                  .ssrc = 1 + session->ssrcs,
                                  .payload_type = 96,
                                  .clock_rate = 90000,
                                  .on_keyframe_wanted = on_keyframe_wanted,
                                  .arg = session};
  if (session->stream)
    return true;
  RtcError error = rtc_connection_add_stream(&session->stream, connection, &config);
  if (error != RTC_OK && error != RTC_ERROR_LIMIT)
    walk_fail(session->walk, "rtc_connection_add_stream says %s", rtc_error_name(error));
  session->ssrcs++;
  return error == RTC_OK;
}

static RtcError send_one(WalkSession *session, RtcConnection *connection, size_t len, bool rtcp,
                         unsigned flags) {
  uint8_t data[PACKET_LEN_MAX] = {0x80, rtcp ? 201 : 96};
  RtcPacket *packet;
  if (rtcp) {
    data[3] = 1; /* a receiver report of 8 octets */
    return rtc_connection_send_rtcp(connection, data, 8);
  }
  if (rtc_packet_new(&packet, data, len))
    return RTC_ERROR_NO_MEMORY;
  RtcError error =
      rtc_connection_send_rtp(connection, session->stream, packet, flags, SAMPLES_OF_20MS);
  rtc_packet_unref(&packet);
  return error;
}

/* A frame of count packets. A callback may close the session meanwhile. */
void walk_host_send(Walk *walk, int index, unsigned count, size_t len, bool rtcp) {
  WalkSession *session = &walk->sessions[index];
  RtcConnection *connection = walk_host_reach(walk, index);
  for (unsigned i = 0; connection && i < count && !session->closed; i++) {
    unsigned flags = i == 0 ? RTC_SEND_FRAME_START : 0;
    if (session->ssrcs % 2)
      flags |= RTC_SEND_KEYFRAME;
    if (!rtcp && !add_stream(session, connection))
      return;
    session->pushed++;
    RtcError error =
        send_one(session, connection, len < RTP_HEADER_LEN ? RTP_HEADER_LEN : len, rtcp, flags);
    if (error)
      walk_fail(walk, "a packet is refused: %s", rtc_error_name(error));
  }
}

/* -- Server and worker -- */

static void take_foreign(int fd, const struct sockaddr *peer, socklen_t peer_len, void *arg) {
  (void)peer;
  (void)peer_len;
  (void)arg;
  close(fd);
}

static void on_closed(void *arg) {
  Walk *walk = arg;
  if (walk->server_closed)
    walk_fail(walk, "on_closed is called twice");
  walk->server_closed = true;
}

static void on_stopped(void *arg) {
  ((Walk *)arg)->worker_stopped = true;
}

/* RTC_TEST_LOG=1 shows the library's lines of a walk that tells. */
static RtcLog log_of(const Walk *walk) {
  bool shows = walk->tells && getenv("RTC_TEST_LOG");
  return (RtcLog){.level = RTC_LOG_LEVEL_DEBUG, .write = shows ? rtc_log_write_stderr : NULL};
}

static void make_worker(Walk *walk) {
  const RtcWorkerConfig config = {
      .loop = &walk->loop, .log = log_of(walk), .on_stopped = on_stopped, .arg = walk};
  if (rtc_worker_new(&walk->worker, &config))
    walk_fail(walk, "no worker could be made");
  walk->worker_stopped = false;
}

void walk_host_begin(Walk *walk, unsigned choice) {
  static const char *const listen[] = {"127.0.0.1:0"};
  bool takes = choice % 2;
  RtcServerConfig config;
  if (!walk->worker)
    make_worker(walk);
  model_begin(&walk->model, choice % 4 ? GRACE_US : 0, takes);
  rtc_server_config_init(&config);
  config.workers = &walk->worker;
  config.worker_count = 1;
  config.listen = listen;
  config.listen_count = 1;
  config.first_frame_timeout_ms = (uint32_t)(walk->model.first_frame_us / RTC_US_PER_MS);
  config.session_timeout_ms = (uint32_t)(walk->model.session_us / RTC_US_PER_MS);
  config.reconnect_grace_ms = (uint32_t)(walk->model.grace_us / RTC_US_PER_MS);
  config.unauthenticated_max = MODEL_STRANGERS_MAX;
  config.unauthenticated_per_address_max = MODEL_STRANGERS_PER_ADDRESS_MAX;
  config.on_foreign_socket = takes ? take_foreign : NULL;
  walk->server_closed = walk->close_called = false;
  RtcError error = rtc_server_new(&walk->server, &config, NULL);
  if (error)
    walk_fail(walk, "rtc_server_new says %s", rtc_error_name(error));
  walk->shard = rtc_server_shard_of_worker(walk->server, walk->worker);
}

void walk_host_close(Walk *walk) {
  rtc_server_close(walk->server, on_closed, walk);
}

void walk_host_drain(Walk *walk, uint32_t deadline_ms) {
  rtc_server_drain(walk->server, deadline_ms, on_closed, walk);
}

void walk_host_finish(Walk *walk) {
  for (int s = 0; s < MODEL_SESSIONS; s++) {
    walk_peer_finish(&walk->sessions[s].peer);
    walk->sessions[s] = (WalkSession){0};
  }
  /* A worker that has stopped has closed the server's share: this is told at once. */
  if (!walk->model.close_asked)
    walk_host_close(walk);
  if (!walk->server_closed)
    walk_fail(walk, "the server has gone, and on_closed was not called");
  walk->handshakes += walk->shard->stats.handshakes;
  rtc_server_destroy(walk->server);
  walk->server = NULL;
  walk->shard = NULL;
  if (!walk->model.worker_stops)
    return;
  if (!walk->worker_stopped)
    walk_fail(walk, "nothing is left, and the worker has not stopped");
  rtc_worker_destroy(walk->worker);
  walk->worker = NULL;
}
