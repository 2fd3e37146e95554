/* What each event does: to the library, as its host or its peers, and to the model. */
#include "walk/play.h"

#define HELD_MAX     4
#define SEND_MAX     48 /* packets at once */
#define SEND_LEN_MAX 1100
#define TIME_MAX_MS  300
#define DRAIN_MAX_MS 20000
#define FRAME_BIG    2048
#define FOREIGN_TEXT "GET / HTTP/1.1\r\n"

bool walk_place_is_live(const Place *at) {
  return at->model_conn->state == MODEL_CONN_FIRST_FRAME ||
         at->model_conn->state == MODEL_CONN_PACKETS;
}

bool walk_place_is_unclear(const Place *at) {
  const Walk *walk = at->walk;
  bool armed = false;
  for (int s = 0; s < MODEL_SESSIONS; s++)
    armed |= walk->sessions[s].hooks[MODEL_CALLBACK_KEYFRAME].action != MODEL_ACTION_NOTHING;
  return walk->turn_conn != MODEL_NONE && (walk->turn_flushes || armed);
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
  if (!walk_place_is_live(at) || !at->walk_conn->reading)
    return false;
  at->walk_conn->reading = at->walk_conn->read_all_along = false;
  return true;
}

static bool play_read(Place *at) {
  if (!walk_place_is_live(at) || at->walk_conn->reading)
    return false;
  at->walk_conn->reading = true;
  return true;
}

static bool play_fin(Place *at) {
  if (!walk_place_is_live(at) || walk_place_is_unclear(at))
    return false;
  walk_conn_fin(at->walk, at->conn);
  at->walk_conn->out_len = at->walk_conn->out_sent = 0;
  model_lost(&at->walk->model, at->conn, RTC_TCP_CLOSE_PEER_FIN);
  return true;
}

/* What is not read when a socket is closed would make it a reset. */
static bool play_close_socket(Place *at) {
  if (!walk_place_is_live(at) || !at->walk_conn->reading)
    return false;
  walk_conn_close(at->walk, at->conn, false);
  model_lost(&at->walk->model, at->conn, RTC_TCP_CLOSE_PEER_FIN);
  return true;
}

static bool play_reset(Place *at) {
  if (!walk_place_is_live(at))
    return false;
  walk_conn_close(at->walk, at->conn, true);
  model_lost(&at->walk->model, at->conn, RTC_TCP_CLOSE_SOCKET_ERROR);
  return true;
}

static bool play_rest(Place *at) {
  if (!walk_place_is_live(at) || walk_place_is_unclear(at) || at->walk_conn->out_len == 0)
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
    [WALK_EVENT_BIND] = walk_play_bind,
    [WALK_EVENT_REST] = play_rest,
    [WALK_EVENT_DTLS] = walk_play_dtls,
    [WALK_EVENT_RETRANSMIT] = walk_play_retransmit,
    [WALK_EVENT_MEDIA] = walk_play_media,
    [WALK_EVENT_ODD] = walk_play_odd,
    [WALK_EVENT_FOREIGN] = play_foreign,
    [WALK_EVENT_STOP_READING] = play_stop_reading,
    [WALK_EVENT_READ] = play_read,
    [WALK_EVENT_FIN] = play_fin,
    [WALK_EVENT_CLOSE_SOCKET] = play_close_socket,
    [WALK_EVENT_RESET] = play_reset,
    [WALK_EVENT_CLOSE_NOTIFY] = walk_play_close_notify,
    [WALK_EVENT_FATAL_ALERT] = walk_play_fatal_alert,
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
