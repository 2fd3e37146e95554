/* What each event does: to the library, as its host or its peers, and to the model. */
#include "walk/walk.h"

#include "support/stun_message.h"

#include <stdio.h>
#include <string.h>

#define HELD_MAX        4
#define SEND_MAX        48 /* packets at once */
#define SEND_LEN_MAX    1100
#define MEDIA_LEN_MAX   1000
#define TIME_MAX_MS     300
#define DRAIN_MAX_MS    20000
#define FRAME_BIG       2048
#define FOREIGN_TEXT    "GET / HTTP/1.1\r\n"
#define PEER_PRIORITY   0x6e7f1e00 /* with the lowest octet left to the events */
#define STUN_LAST_OCTET 1

/* One conn, with the session that it is attached to, or that the event names. */
typedef struct Place {
  Walk *walk;
  const WalkEvent *event;
  int conn, session;
  ModelConn *model_conn;
  ModelSession *model_session;
  WalkConn *walk_conn;
  WalkSession *walk_session;
} Place;

static bool is_live(const Place *at) {
  return at->model_conn->state == MODEL_CONN_FIRST_FRAME ||
         at->model_conn->state == MODEL_CONN_PACKETS;
}

/* The model can't tell what comes of this frame: before it, in the same turn, a send queue may call
 * the host, who acts. */
static bool is_unclear(const Place *at) {
  const Walk *walk = at->walk;
  bool armed = false;
  for (int s = 0; s < MODEL_SESSIONS; s++)
    armed |= walk->sessions[s].hooks[MODEL_CALLBACK_KEYFRAME].action != MODEL_ACTION_NOTHING;
  return walk->turn_conn != MODEL_NONE && (walk->turn_flushes || armed);
}

/* A new frame can begin. */
static bool can_begin(const Place *at) {
  return is_live(at) && !is_unclear(at) && at->walk_conn->out_len == 0 &&
         at->model_conn->owed_count < MODEL_OWED_MAX - 1;
}

static bool can_serve(const Place *at) {
  return can_begin(at) && at->model_conn->state == MODEL_CONN_PACKETS;
}

static void send_frame(const Place *at, const ModelFrame *frame, const uint8_t *packet,
                       size_t len) {
  walk_conn_send(at->walk, at->conn, frame, packet, len, at->event->cut);
}

/* -- The host -- */

static bool play_open(Place *at) {
  if (model_reachable(&at->walk->model, at->event->session) || !at->walk->model.open)
    return false;
  if (at->walk->model.draining) {
    walk_host_open_in_vain(at->walk, at->event);
    return true;
  }
  walk_host_open(at->walk, at->event->session, at->event);
  model_open(&at->walk->model, at->event->session);
  return true;
}

/* While a server closes, only that matters which it still waits for. */
static ModelAction action_of(const Place *at) {
  return at->walk->model.open ? walk_event_action(at->event) : MODEL_ACTION_GIVE_BACK;
}

static bool may_act(const Place *at, int session, ModelAction action) {
  const Model *model = &at->walk->model;
  const ModelSession *s = &model->sessions[session];
  if (action == MODEL_ACTION_NOTHING || !model_reachable(model, session))
    return false;
  if (action == MODEL_ACTION_GIVE_BACK)
    return s->held > 0;
  if (action == MODEL_ACTION_HOLD)
    return s->held < HELD_MAX;
  if (action == MODEL_ACTION_HOLD_TCP_CONN)
    return s->selected != MODEL_NONE && model->conns[s->selected].held < HELD_MAX;
  return true;
}

static bool play_act(Place *at) {
  int session = at->event->session;
  ModelAction action = action_of(at);
  if (!may_act(at, session, action))
    return false;
  model_act(&at->walk->model, session, action);
  walk_host_act(at->walk, session, action);
  return true;
}

static bool play_hook(Place *at) {
  int session = at->event->session;
  ModelCallback callback = walk_event_callback(at->event);
  ModelSession *model = &at->walk->model.sessions[session];
  if (!model_alive(&at->walk->model, session) ||
      model->hooks[callback].action != MODEL_ACTION_NOTHING)
    return false;
  model->hooks[callback] = walk_event_hook(at->event);
  at->walk->sessions[session].hooks[callback] = walk_event_hook(at->event);
  return true;
}

static bool play_send(Place *at) {
  const WalkEvent *event = at->event;
  WalkSession *session = &at->walk->sessions[event->session];
  if (!model_alive(&at->walk->model, event->session))
    return false;
  if (!session->stream)
    session->video = event->choice & 1;
  size_t len = event->choice & 2 ? SEND_LEN_MAX : event->more % SEND_LEN_MAX;
  walk_host_send(at->walk, event->session, 1 + event->more % SEND_MAX, len, event->choice % 8 == 0);
  return true;
}

static bool play_remove_stream(Place *at) {
  WalkSession *session = &at->walk->sessions[at->event->session];
  if (!model_alive(&at->walk->model, at->event->session) || !session->stream)
    return false;
  rtc_connection_remove_stream(session->connection, &session->stream);
  return true;
}

static bool play_close_tcp_conn(Place *at) {
  if (at->model_conn->held == 0)
    return false;
  model_close_tcp_conn(&at->walk->model, at->conn);
  rtc_tcp_conn_close(at->walk_conn->tcp);
  return true;
}

static bool play_give_back_tcp_conn(Place *at) {
  RtcTcpConn *tcp = at->walk_conn->tcp;
  if (at->model_conn->held == 0)
    return false;
  if (--at->model_conn->held == 0)
    at->walk_conn->tcp = NULL;
  rtc_tcp_conn_unref(&tcp);
  return true;
}

/* -- Sockets -- */

static bool play_connect(Place *at) {
  int address = at->event->choice % MODEL_ADDRESSES;
  if (at->model_conn->state != MODEL_CONN_FREE || !at->walk->model.open)
    return false;
  model_accept(&at->walk->model, at->conn, address);
  walk_conn_connect(at->walk, at->conn, address);
  return true;
}

static bool play_stop_reading(Place *at) {
  if (!is_live(at) || !at->walk_conn->reading)
    return false;
  at->walk_conn->reading = at->walk_conn->read_all_along = false;
  return true;
}

static bool play_read(Place *at) {
  if (!is_live(at) || at->walk_conn->reading)
    return false;
  at->walk_conn->reading = true;
  return true;
}

static bool play_fin(Place *at) {
  if (!is_live(at) || is_unclear(at))
    return false;
  walk_conn_fin(at->walk, at->conn);
  at->walk_conn->out_len = at->walk_conn->out_sent = 0;
  model_lost(&at->walk->model, at->conn, RTC_TCP_CLOSE_PEER_FIN);
  return true;
}

/* What is not read when a socket is closed would make it a reset. */
static bool play_close_socket(Place *at) {
  if (!is_live(at) || !at->walk_conn->reading)
    return false;
  walk_conn_close(at->walk, at->conn, false);
  model_lost(&at->walk->model, at->conn, RTC_TCP_CLOSE_PEER_FIN);
  return true;
}

static bool play_reset(Place *at) {
  if (!is_live(at))
    return false;
  walk_conn_close(at->walk, at->conn, true);
  model_lost(&at->walk->model, at->conn, RTC_TCP_CLOSE_SOCKET_ERROR);
  return true;
}

static bool play_rest(Place *at) {
  if (!is_live(at) || is_unclear(at) || at->walk_conn->out_len == 0)
    return false;
  walk_conn_send_rest(at->walk, at->conn);
  return true;
}

/* Before the first frame: HTTP. After a frame that was answered: a frame too long for a stranger.
 */
static bool play_foreign(Place *at) {
  static const uint8_t too_long[] = {FRAME_BIG >> 8, 1};
  bool first = at->walk_conn->octets_out == 0;
  if (at->model_conn->state != MODEL_CONN_FIRST_FRAME || at->walk_conn->out_len > 0)
    return false;
  if (first)
    walk_conn_send_raw(at->walk, at->conn, FOREIGN_TEXT, sizeof FOREIGN_TEXT - 1);
  else
    walk_conn_send_raw(at->walk, at->conn, too_long, sizeof too_long);
  model_lost(&at->walk->model, at->conn,
             first ? RTC_TCP_CLOSE_FOREIGN : RTC_TCP_CLOSE_FIRST_FRAME_MALFORMED);
  return true;
}

/* -- STUN -- */

/* An attached conn speaks of its own session, mostly. */
static int bind_session(const Place *at) {
  bool other = walk_event_bind(at->event) == WALK_BIND_OTHER;
  return at->model_conn->state == MODEL_CONN_PACKETS && !other ? at->session : at->event->session;
}

static ModelFrame bind_frame(const Place *at, int session) {
  const ModelSession *s = &at->walk->model.sessions[session];
  WalkBind way = walk_event_bind(at->event);
  ModelFrame frame = {.kind = MODEL_FRAME_BIND,
                      .session = session,
                      .serial = way == WALK_BIND_UNKNOWN ? 0 : s->serial,
                      .generation = s->current,
                      .wrong_password = way == WALK_BIND_WRONG_PASSWORD,
                      .controlled = way == WALK_BIND_CONTROLLED,
                      .nominates = walk_event_nominates(at->event),
                      .priority = walk_event_priority(at->event)};
  if (way == WALK_BIND_PENDING && s->pending != MODEL_NONE)
    frame.generation = s->pending;
  if (way == WALK_BIND_OLD && s->generation > 0)
    frame.generation = s->generation - 1;
  return frame;
}

static void write_request(const Place *at, const ModelFrame *frame, StunPacket *request) {
  const WalkIce *ice =
      &at->walk->sessions[frame->session].ice[frame->generation % WALK_GENERATIONS_KEPT];
  uint8_t number[8] = {PEER_PRIORITY >> 24, PEER_PRIORITY >> 16 & 0xff, PEER_PRIORITY >> 8 & 0xff,
                       (uint8_t)frame->priority};
  char username[2 * RTC_SDP_CREDENTIAL_MAX];
  snprintf(username, sizeof username, "%s:%s", frame->serial ? ice->ufrag : "000nobody",
           ice->remote_ufrag);
  stun_begin(request, STUN_TYPE_BINDING_REQUEST);
  stun_add_text(request, STUN_USERNAME, username);
  stun_add(request, STUN_PRIORITY, number, 4);
  stun_add(request, frame->controlled ? STUN_ICE_CONTROLLED : STUN_ICE_CONTROLLING, number, 8);
  if (frame->nominates)
    stun_add(request, STUN_USE_CANDIDATE, NULL, 0);
  stun_add_integrity(request, frame->wrong_password ? "another" : ice->pwd);
  stun_add_fingerprint(request);
}

static bool play_bind(Place *at) {
  int session = bind_session(at);
  StunPacket request;
  if (!can_begin(at) || !at->walk->model.sessions[session].used)
    return false;
  ModelFrame frame = bind_frame(at, session);
  if (frame.generation > at->walk->sessions[session].generation)
    return false; /* a callback of this turn will make them */
  write_request(at, &frame, &request);
  send_frame(at, &frame, request.octets, request.len);
  return true;
}

/* -- DTLS -- */

static bool play_dtls(Place *at) {
  WalkPeer *peer = &at->walk_session->peer;
  const WalkDatagram *datagram = can_serve(at) ? walk_peer_next(peer) : NULL;
  if (!datagram)
    return false;
  const ModelFrame frame = {
      .kind = MODEL_FRAME_DTLS, .flight = peer->flight_number, .datagram = peer->next++};
  send_frame(at, &frame, datagram->data, datagram->len);
  return true;
}

static bool play_retransmit(Place *at) {
  WalkPeer *peer = &at->walk->sessions[at->event->session].peer;
  if (!model_alive(&at->walk->model, at->event->session) || peer->next == 0)
    return false;
  walk_peer_retransmit(peer);
  return true;
}

/* In clear an alert is heard until the ChangeCipherSpec has come; sealed, when there are keys. */
static bool play_alert(Place *at, bool fatal) {
  WalkPeer *peer = &at->walk_session->peer;
  uint8_t record[WALK_MEDIA_MAX];
  if (!can_serve(at) || at->model_session->keys != walk_peer_connected(peer))
    return false;
  if (!at->model_session->keys && peer->final && (peer->next > 0 || peer->delivered))
    return false;
  const ModelFrame frame = {.kind = fatal ? MODEL_FRAME_FATAL_ALERT : MODEL_FRAME_CLOSE_NOTIFY};
  size_t len = walk_peer_alert(peer, fatal, record);
  walk_conn_send(at->walk, at->conn, &frame, record, len, 0);
  return true;
}

static bool play_close_notify(Place *at) {
  return play_alert(at, false);
}

static bool play_fatal_alert(Place *at) {
  return play_alert(at, true);
}

/* -- Media -- */

static bool play_media(Place *at) {
  WalkPeer *peer = &at->walk_session->peer;
  uint8_t packet[WALK_MEDIA_MAX];
  bool rtcp = at->event->choice % 4 == 0;
  if (!can_serve(at) || !walk_peer_connected(peer))
    return false;
  const ModelFrame frame = {.kind = rtcp ? MODEL_FRAME_RTCP : MODEL_FRAME_RTP};
  size_t len = walk_peer_media(peer, rtcp, at->event->more % MEDIA_LEN_MAX, packet);
  send_frame(at, &frame, packet, len);
  if (!rtcp && at->walk_conn->out_len == 0 && at->model_session->keys) {
    memcpy(peer->media, packet, len);
    peer->media_len = len;
  }
  return true;
}

/* -- Odd frames -- */

static bool send_odd(const Place *at, ModelFrameKind kind, const uint8_t *packet, size_t len) {
  send_frame(at, &(ModelFrame){.kind = kind}, packet, len);
  return true;
}

static bool send_odd_stun(const Place *at, ModelFrameKind kind) {
  StunPacket packet;
  stun_begin(&packet, kind == MODEL_FRAME_INDICATION ? STUN_TYPE_BINDING_INDICATION
                                                     : STUN_TYPE_BINDING_REQUEST);
  stun_add_fingerprint(&packet);
  if (kind == MODEL_FRAME_BAD_STUN)
    packet.octets[packet.len - STUN_LAST_OCTET] ^= 1;
  return send_odd(at, kind, packet.octets, packet.len);
}

static bool send_odd_media(const Place *at) {
  WalkPeer *peer = &at->walk_session->peer;
  uint8_t packet[WALK_MEDIA_MAX];
  if (at->model_conn->state != MODEL_CONN_PACKETS)
    return false;
  if (at->event->choice & 8 && peer->media_len > 0)
    return send_odd(at, MODEL_FRAME_REPLAYED_MEDIA, peer->media, peer->media_len);
  size_t len = walk_peer_media(peer, false, at->event->more % MEDIA_LEN_MAX, packet);
  packet[len - 1] ^= 1;
  return send_odd(at, MODEL_FRAME_FORGED_MEDIA, packet, len);
}

/* An indication behind a frame that has ended the TCP conn, or behind what has waited for the peer:
 * it says nothing to anybody. */
static bool may_add_indication(const Place *at) {
  return at->walk->turn_conn == at->conn && at->model_conn->state != MODEL_CONN_FIRST_FRAME &&
         at->walk_conn->fd >= 0 && !at->walk_conn->fin && at->walk_conn->out_len == 0 &&
         at->event->cut == 0;
}

static bool play_odd(Place *at) {
  static const uint8_t zeros[RTC_FRAME_LEN_MAX];
  uint8_t packet[64] = {0};
  if (!can_begin(at))
    return may_add_indication(at) && send_odd_stun(at, MODEL_FRAME_INDICATION);
  switch (at->event->choice % 8) {
  case 0:
    return send_odd_stun(at, MODEL_FRAME_INDICATION);
  case 1:
    return send_odd_stun(at, MODEL_FRAME_BAD_STUN);
  case 2:
    packet[0] = 22;
    return send_odd(at, MODEL_FRAME_BAD_DTLS, packet, sizeof packet);
  case 3:
  case 4:
    return send_odd_media(at);
  case 5:
    return send_odd(at, MODEL_FRAME_UNKNOWN, packet, 0);
  case 6:
    packet[0] = 0x50;
    return send_odd(at, MODEL_FRAME_UNKNOWN, packet, sizeof packet);
  default: /* as long as can be; of too few octets for STUN, or of its type and nothing else */
    if (at->model_conn->state != MODEL_CONN_PACKETS)
      return send_odd(at, MODEL_FRAME_UNKNOWN, zeros, 19);
    memcpy(packet, zeros, sizeof packet);
    return send_odd(at, MODEL_FRAME_BAD_STUN, zeros, FRAME_BIG + at->event->more % 60000u);
  }
}

/* -- Time, and the server -- */

static bool play_time(Place *at) {
  walk_pass(at->walk, (1 + at->event->more % TIME_MAX_MS) * RTC_US_PER_MS);
  return true;
}

static bool play_deadline(Place *at) {
  int64_t deadline_us = model_deadline(&at->walk->model);
  if (deadline_us == MODEL_NEVER)
    return false;
  walk_pass(at->walk, deadline_us - at->walk->model.now_us);
  return true;
}

static bool play_silence(Place *at) {
  walk_pass(at->walk, at->walk->model.session_us);
  return true;
}

static bool play_drain(Place *at) {
  Model *model = &at->walk->model;
  uint32_t deadline_ms = at->event->more % DRAIN_MAX_MS;
  if (!model->open || model->close_asked)
    return false;
  model->close_asked = true;
  model_drain(model, model->now_us + (int64_t)deadline_ms * RTC_US_PER_MS);
  walk_host_drain(at->walk, deadline_ms);
  return true;
}

static bool play_close_server(Place *at) {
  Walk *walk = at->walk;
  if (walk->close_called || walk->server_closed)
    return false;
  walk->close_called = true;
  walk->model.close_asked = true;
  model_close(&walk->model);
  walk_host_close(walk);
  return true;
}

static bool play_stop_worker(Place *at) {
  Walk *walk = at->walk;
  if (walk->model.worker_stops)
    return false;
  walk->model.worker_stops = true;
  model_close(&walk->model);
  rtc_worker_stop(walk->worker);
  return true;
}

static bool play_renew(Place *at) {
  if (!model_gone(&at->walk->model))
    return false;
  walk_host_finish(at->walk);
  walk_host_begin(at->walk, at->event->choice);
  return true;
}

/* -- All of them -- */

static bool (*const plays[])(Place *at) = {
    [WALK_EVENT_OPEN] = play_open,
    [WALK_EVENT_CONNECT] = play_connect,
    [WALK_EVENT_BIND] = play_bind,
    [WALK_EVENT_REST] = play_rest,
    [WALK_EVENT_DTLS] = play_dtls,
    [WALK_EVENT_RETRANSMIT] = play_retransmit,
    [WALK_EVENT_MEDIA] = play_media,
    [WALK_EVENT_ODD] = play_odd,
    [WALK_EVENT_FOREIGN] = play_foreign,
    [WALK_EVENT_STOP_READING] = play_stop_reading,
    [WALK_EVENT_READ] = play_read,
    [WALK_EVENT_FIN] = play_fin,
    [WALK_EVENT_CLOSE_SOCKET] = play_close_socket,
    [WALK_EVENT_RESET] = play_reset,
    [WALK_EVENT_CLOSE_NOTIFY] = play_close_notify,
    [WALK_EVENT_FATAL_ALERT] = play_fatal_alert,
    [WALK_EVENT_SEND] = play_send,
    [WALK_EVENT_REMOVE_STREAM] = play_remove_stream,
    [WALK_EVENT_ACT] = play_act,
    [WALK_EVENT_HOOK] = play_hook,
    [WALK_EVENT_CLOSE_TCP_CONN] = play_close_tcp_conn,
    [WALK_EVENT_GIVE_BACK_TCP_CONN] = play_give_back_tcp_conn,
    [WALK_EVENT_TIME] = play_time,
    [WALK_EVENT_DEADLINE] = play_deadline,
    [WALK_EVENT_SILENCE] = play_silence,
    [WALK_EVENT_DRAIN] = play_drain,
    [WALK_EVENT_CLOSE_SERVER] = play_close_server,
    [WALK_EVENT_STOP_WORKER] = play_stop_worker,
    [WALK_EVENT_RENEW] = play_renew,
};

static Place place_of(const Walk *walk, const WalkEvent *event) {
  Walk *w = (Walk *)walk;
  int attached = w->model.conns[event->conn].session;
  bool serves = w->model.conns[event->conn].state == MODEL_CONN_PACKETS;
  int session = serves ? attached : event->session;
  return (Place){.walk = w,
                 .event = event,
                 .conn = event->conn,
                 .session = session,
                 .model_conn = &w->model.conns[event->conn],
                 .model_session = &w->model.sessions[session],
                 .walk_conn = &w->conns[event->conn],
                 .walk_session = &w->sessions[session]};
}

bool walk_play(Walk *walk, const WalkEvent *event) {
  Place place = place_of(walk, event);
  return plays[event->kind](&place);
}
