/* The model's rules: which event leads from which state to which. */
#include "walk/model.h"

#include <string.h>

#define SESSION_CONNS_MAX 4
#define EARLY_FRAMES_MAX  4

static void close_server(Model *model, RtcClose close);

/* -- TCP conns -- */

static void release(Model *model, int conn, RtcTcpClose close) {
  ModelConn *c = &model->conns[conn];
  c->state = MODEL_CONN_ENDED;
  c->close = close;
  c->session = MODEL_NONE;
  c->restarted = false;
  model->tcp_closes[close]++;
}

static void select_conn(Model *model, ModelSession *s, int conn) {
  s->selected = conn;
  for (int c = 0; c < MODEL_CONNS; c++)
    if (s->conns & 1u << c)
      model->conns[c].contends = false;
}

static void detach(Model *model, int conn, RtcTcpClose close) {
  ModelSession *s = &model->sessions[model->conns[conn].session];
  s->conns &= ~(1u << conn);
  if (s->selected == conn)
    s->selected = MODEL_NONE;
  release(model, conn, close);
}

/* The one that was heard least or most lately, but the selected one. */
static int find_standby(const Model *model, const ModelSession *s, bool latest) {
  int found = MODEL_NONE;
  for (int c = 0; c < MODEL_CONNS; c++) {
    if (!(s->conns & 1u << c) || c == s->selected)
      continue;
    int64_t heard_us = model->conns[c].heard_us;
    if (found == MODEL_NONE || (heard_us > model->conns[found].heard_us) == latest)
      found = c;
  }
  return found;
}

static void attach(Model *model, int session, int conn) {
  ModelSession *s = &model->sessions[session];
  if (__builtin_popcount(s->conns) == SESSION_CONNS_MAX)
    detach(model, find_standby(model, s, false), RTC_TCP_CLOSE_REPLACED);
  s->conns |= 1u << conn;
  model->conns[conn].state = MODEL_CONN_PACKETS;
  model->conns[conn].session = session;
}

static bool is_full(const Model *model, int address) {
  int all = 0, of_address = 0;
  for (int c = 0; c < MODEL_CONNS; c++) {
    if (model->conns[c].state != MODEL_CONN_FIRST_FRAME)
      continue;
    all++;
    of_address += model->conns[c].address == address;
  }
  return all >= MODEL_STRANGERS_MAX || of_address >= MODEL_STRANGERS_PER_ADDRESS_MAX;
}

void model_accept(Model *model, int conn, int address) {
  bool full = is_full(model, address);
  model->conns[conn] = (ModelConn){.state = MODEL_CONN_FIRST_FRAME,
                                   .session = MODEL_NONE,
                                   .address = address,
                                   .heard_us = model->now_us,
                                   .serial = ++model->accepted};
  if (full)
    release(model, conn, RTC_TCP_CLOSE_REFUSED);
}

/* -- Sessions -- */

void model_called(Model *model, int session, ModelCallback callback) {
  ModelHook hook = model->sessions[session].hooks[callback];
  model->sessions[session].hooks[callback] = (ModelHook){0};
  model_act(model, hook.target, hook.action);
}

static void set_state(Model *model, int session, RtcConnectionState state) {
  static const ModelCallback callbacks[] = {
      [RTC_CONNECTION_STATE_CONNECTING] = MODEL_CALLBACK_CONNECTING,
      [RTC_CONNECTION_STATE_CONNECTED] = MODEL_CALLBACK_CONNECTED,
      [RTC_CONNECTION_STATE_DISCONNECTED] = MODEL_CALLBACK_DISCONNECTED,
      [RTC_CONNECTION_STATE_CLOSED] = MODEL_CALLBACK_CLOSED,
  };
  ModelSession *s = &model->sessions[session];
  s->state = state;
  if (s->told_count < sizeof s->told / sizeof *s->told)
    s->told[s->told_count++] = state;
  model_called(model, session, callbacks[state]);
}

static bool any_alive(const Model *model) {
  for (int s = 0; s < MODEL_SESSIONS; s++)
    if (model_alive(model, s))
      return true;
  return false;
}

void model_end(Model *model, int session, RtcClose close) {
  ModelSession *s = &model->sessions[session];
  if (!model_alive(model, session))
    return;
  s->close = close;
  s->notifies = s->keys && s->selected != MODEL_NONE && close != RTC_CLOSE_PEER_ALERT;
  s->last_conn = s->selected;
  model->closes[close]++;
  for (int c = 0; c < MODEL_CONNS; c++)
    if (s->conns & 1u << c)
      detach(model, c, RTC_TCP_CLOSE_SESSION);
  s->pending = MODEL_NONE;
  s->deadline_us = MODEL_NEVER;
  set_state(model, session, RTC_CONNECTION_STATE_CLOSED);
  if (model->draining && !any_alive(model))
    model_close(model);
}

void model_open(Model *model, int session) {
  model->sessions[session] = (ModelSession){.used = true,
                                            .serial = ++model->serials,
                                            .held = 1,
                                            .selected = MODEL_NONE,
                                            .deadline_us = model->now_us + model->session_us,
                                            .pending = MODEL_NONE};
}

void model_lost(Model *model, int conn, RtcTcpClose close) {
  int session = model->conns[conn].session;
  if (session == MODEL_NONE) {
    release(model, conn, close);
    return;
  }
  ModelSession *s = &model->sessions[session];
  detach(model, conn, close);
  if (s->conns) {
    if (s->selected == MODEL_NONE)
      select_conn(model, s, find_standby(model, s, true));
    return;
  }
  if (close == RTC_TCP_CLOSE_SILENCE) {
    model_end(model, session, RTC_CLOSE_TIMEOUT);
  } else if (model->grace_us == 0) {
    model_end(model, session, RTC_CLOSE_TCP_LOST);
  } else {
    s->deadline_us = model->now_us + model->grace_us;
    set_state(model, session, RTC_CONNECTION_STATE_DISCONNECTED);
  }
}

void model_connected(Model *model, int session) {
  model->sessions[session].keys = true;
  model->sessions[session].deadline_us = MODEL_NEVER;
  set_state(model, session, RTC_CONNECTION_STATE_CONNECTED);
}

/* -- Frames -- */

static void owe(ModelConn *c, int code) {
  if (c->owed_count < MODEL_OWED_MAX)
    c->owed[c->owed_count++] = code;
}

/* Are these the credentials of a live session? */
static bool is_known(const Model *model, const ModelFrame *frame) {
  const ModelSession *s = &model->sessions[frame->session];
  return model_alive(model, frame->session) && s->serial == frame->serial &&
         (frame->generation == s->current || frame->generation == s->pending);
}

static void complete_restart(Model *model, ModelSession *s) {
  s->current = s->pending;
  s->pending = MODEL_NONE;
  for (int c = 0; c < MODEL_CONNS; c++) {
    if ((s->conns & 1u << c) && !model->conns[c].restarted)
      detach(model, c, RTC_TCP_CLOSE_ICE_RESTART);
    else if (s->conns & 1u << c)
      model->conns[c].restarted = false;
  }
}

static void resume(Model *model, int session) {
  ModelSession *s = &model->sessions[session];
  s->deadline_us = s->keys ? MODEL_NEVER : model->now_us + 2 * model->session_us;
  set_state(model, session,
            s->keys ? RTC_CONNECTION_STATE_CONNECTED : RTC_CONNECTION_STATE_CONNECTING);
}

static bool outranks(const ModelConn *a, const ModelConn *b) {
  return a->priority != b->priority ? a->priority > b->priority : a->serial > b->serial;
}

/* A nominated conn takes over if it outranks the selected one, or is nominated twice without a
 * nomination of the selected one in between. */
static void nominate(Model *model, int conn, unsigned priority, bool restarted) {
  ModelConn *c = &model->conns[conn];
  ModelSession *s = &model->sessions[c->session];
  c->priority = priority;
  if (s->selected == conn || restarted || c->contends || outranks(c, &model->conns[s->selected]))
    select_conn(model, s, conn);
  else
    c->contends = true;
}

static void bound(Model *model, int conn, const ModelFrame *frame) {
  ModelConn *c = &model->conns[conn];
  ModelSession *s = &model->sessions[c->session];
  bool restarted = frame->generation == s->pending;
  c->heard_us = model->now_us;
  c->restarted |= restarted;
  owe(c, 0);
  if (s->selected == MODEL_NONE)
    select_conn(model, s, conn);
  if (frame->nominates)
    nominate(model, conn, frame->priority, restarted);
  if (restarted && frame->nominates)
    complete_restart(model, s);
  if (s->state == RTC_CONNECTION_STATE_NEW || s->state == RTC_CONNECTION_STATE_DISCONNECTED)
    resume(model, c->session);
}

static void first_bind(Model *model, int conn, const ModelFrame *frame) {
  ModelConn *c = &model->conns[conn];
  if (!is_known(model, frame)) {
    owe(c, 401);
    release(model, conn, model->draining ? RTC_TCP_CLOSE_DRAIN : RTC_TCP_CLOSE_NO_SUCH_SESSION);
  } else if (frame->wrong_password) {
    owe(c, 401);
    release(model, conn, RTC_TCP_CLOSE_FIRST_FRAME_UNAUTHENTICATED);
  } else if (frame->controlled) {
    owe(c, 487);
  } else {
    attach(model, frame->session, conn);
    bound(model, conn, frame);
  }
}

static void first_frame(Model *model, int conn, const ModelFrame *frame) {
  if (++model->conns[conn].early_frames > EARLY_FRAMES_MAX)
    release(model, conn, RTC_TCP_CLOSE_FIRST_FRAME_UNAUTHENTICATED);
  else if (frame->kind == MODEL_FRAME_BIND)
    first_bind(model, conn, frame);
  else if (frame->kind == MODEL_FRAME_INDICATION)
    release(model, conn, RTC_TCP_CLOSE_FIRST_FRAME_UNAUTHENTICATED);
  else
    release(model, conn, RTC_TCP_CLOSE_FIRST_FRAME_MALFORMED);
}

static void bind_again(Model *model, int conn, const ModelFrame *frame) {
  ModelConn *c = &model->conns[conn];
  bool own = frame->session == c->session && is_known(model, frame);
  if (!own || frame->wrong_password) {
    owe(c, 401);
    model->sessions[c->session].drops[RTC_DROP_STUN]++;
  } else if (frame->controlled) {
    owe(c, 487);
  } else {
    bound(model, conn, frame);
  }
}

static void media(Model *model, int conn, const ModelFrame *frame) {
  ModelConn *c = &model->conns[conn];
  ModelSession *s = &model->sessions[c->session];
  if (!s->keys) {
    s->drops[RTC_DROP_EARLY_MEDIA]++;
  } else if (frame->kind == MODEL_FRAME_FORGED_MEDIA) {
    s->drops[RTC_DROP_SRTP_AUTH]++;
  } else if (frame->kind == MODEL_FRAME_REPLAYED_MEDIA) {
    s->drops[RTC_DROP_SRTP_REPLAY]++;
  } else {
    bool rtcp = frame->kind == MODEL_FRAME_RTCP;
    c->heard_us = model->now_us;
    if (c->contends)
      select_conn(model, s, conn);
    s->rtp += !rtcp;
    s->rtcp += rtcp;
    model_called(model, c->session, rtcp ? MODEL_CALLBACK_RTCP : MODEL_CALLBACK_RTP);
  }
}

void model_frame(Model *model, int conn, const ModelFrame *frame) {
  int session = model->conns[conn].session;
  if (model->conns[conn].state == MODEL_CONN_ENDED)
    return;
  if (session == MODEL_NONE) {
    first_frame(model, conn, frame);
    return;
  }
  uint64_t *drops = model->sessions[session].drops;
  switch (frame->kind) {
  case MODEL_FRAME_BIND:
    bind_again(model, conn, frame);
    return;
  case MODEL_FRAME_BAD_STUN:
    drops[RTC_DROP_STUN]++;
    return;
  case MODEL_FRAME_UNKNOWN:
    drops[RTC_DROP_UNKNOWN_PACKET]++;
    return;
  case MODEL_FRAME_CLOSE_NOTIFY:
    model_end(model, session, RTC_CLOSE_PEER);
    return;
  case MODEL_FRAME_FATAL_ALERT:
    model_end(model, session, RTC_CLOSE_PEER_ALERT);
    return;
  case MODEL_FRAME_INDICATION: /* proves nothing, and asks nothing */
  case MODEL_FRAME_DTLS:       /* what comes of it, OpenSSL knows */
  case MODEL_FRAME_BAD_DTLS:
    return;
  case MODEL_FRAME_RTP:
  case MODEL_FRAME_RTCP:
  case MODEL_FRAME_FORGED_MEDIA:
  case MODEL_FRAME_REPLAYED_MEDIA:
    media(model, conn, frame);
    return;
  }
}

/* -- The host -- */

void model_close_tcp_conn(Model *model, int conn) {
  ModelConn *c = &model->conns[conn];
  int session = c->session;
  if (c->state != MODEL_CONN_PACKETS)
    return;
  model_end(model, session, RTC_CLOSE_HOST);
  model->tcp_closes[RTC_TCP_CLOSE_SESSION]--; /* its own reason was there first */
  model->tcp_closes[RTC_TCP_CLOSE_HOST]++;
  c->close = RTC_TCP_CLOSE_HOST;
}

void model_act(Model *model, int session, ModelAction action) {
  ModelSession *s = &model->sessions[session];
  if (!model_reachable(model, session))
    return;
  switch (action) {
  case MODEL_ACTION_CLOSE:
    model_end(model, session, RTC_CLOSE_HOST);
    return;
  case MODEL_ACTION_CLOSE_TCP_CONN:
    if (s->selected != MODEL_NONE)
      model_close_tcp_conn(model, s->selected);
    return;
  case MODEL_ACTION_GIVE_BACK:
    if (s->held > 0)
      s->held--;
    return;
  case MODEL_ACTION_HOLD:
    s->held++;
    return;
  case MODEL_ACTION_HOLD_TCP_CONN:
    if (s->selected != MODEL_NONE)
      model->conns[s->selected].held++;
    return;
  case MODEL_ACTION_RESTART:
    if (!model_alive(model, session))
      return;
    for (int c = 0; c < MODEL_CONNS; c++)
      if (s->conns & 1u << c)
        model->conns[c].restarted = false;
    s->pending = ++s->generation;
    return;
  case MODEL_ACTION_NOTHING:
  case MODEL_ACTION_SEND:
  case MODEL_ACTIONS:
    return;
  }
}

/* -- The server -- */

void model_begin(Model *model, int64_t grace_us, bool takes_foreign) {
  *model = (Model){.now_us = model->now_us,
                   .serials = model->serials,
                   .first_frame_us = INT64_C(10000000),
                   .session_us = INT64_C(30000000),
                   .grace_us = grace_us,
                   .takes_foreign = takes_foreign,
                   .open = true,
                   .drain_us = MODEL_NEVER};
}

/* Sessions in the order of their opening, then what is left of TCP conns. */
static void close_server(Model *model, RtcClose close) {
  if (!model->open)
    return;
  model->open = false;
  model->drain_us = MODEL_NEVER;
  for (unsigned serial = 1; serial <= model->serials; serial++)
    for (int s = 0; s < MODEL_SESSIONS; s++)
      if (model->sessions[s].used && model->sessions[s].serial == serial)
        model_end(model, s, close);
  for (int c = 0; c < MODEL_CONNS; c++)
    if (model->conns[c].state == MODEL_CONN_FIRST_FRAME)
      release(model, c, RTC_TCP_CLOSE_WORKER_STOP);
}

void model_close(Model *model) {
  close_server(model, RTC_CLOSE_WORKER_STOP);
}

void model_drain(Model *model, int64_t deadline_us) {
  model->draining = true;
  model->drain_us = deadline_us;
  for (unsigned serial = 1; serial <= model->serials; serial++)
    for (int s = 0; s < MODEL_SESSIONS; s++)
      if (model->sessions[s].serial == serial && model_alive(model, s) &&
          model->sessions[s].state == RTC_CONNECTION_STATE_NEW)
        model_end(model, s, RTC_CLOSE_DRAIN);
  if (!any_alive(model))
    model_close(model);
}

/* -- Time -- */

static int64_t conn_deadline(const Model *model, int conn) {
  const ModelConn *c = &model->conns[conn];
  if (c->state == MODEL_CONN_FIRST_FRAME)
    return c->heard_us + model->first_frame_us;
  return c->state == MODEL_CONN_PACKETS ? c->heard_us + model->session_us : MODEL_NEVER;
}

static int64_t session_deadline(const Model *model, int session) {
  return model_alive(model, session) ? model->sessions[session].deadline_us : MODEL_NEVER;
}

int64_t model_deadline(const Model *model) {
  int64_t next_us = model->drain_us;
  for (int c = 0; c < MODEL_CONNS; c++)
    if (conn_deadline(model, c) < next_us)
      next_us = conn_deadline(model, c);
  for (int s = 0; s < MODEL_SESSIONS; s++)
    if (session_deadline(model, s) < next_us)
      next_us = session_deadline(model, s);
  return next_us;
}

static void session_waited_in_vain(Model *model, int session) {
  static const RtcClose reasons[] = {
      [RTC_CONNECTION_STATE_NEW] = RTC_CLOSE_NEVER_CONNECTED,
      [RTC_CONNECTION_STATE_CONNECTING] = RTC_CLOSE_TIMEOUT,
      [RTC_CONNECTION_STATE_DISCONNECTED] = RTC_CLOSE_TCP_LOST,
  };
  model_end(model, session, reasons[model->sessions[session].state]);
}

void model_time_passes(Model *model) {
  for (int s = 0; s < MODEL_SESSIONS; s++)
    if (session_deadline(model, s) <= model->now_us)
      session_waited_in_vain(model, s);
  for (int c = 0; c < MODEL_CONNS; c++)
    if (conn_deadline(model, c) <= model->now_us)
      model_lost(model, c,
                 model->conns[c].state == MODEL_CONN_PACKETS ? RTC_TCP_CLOSE_SILENCE
                                                             : RTC_TCP_CLOSE_FIRST_FRAME_LATE);
  if (model->drain_us <= model->now_us)
    close_server(model, RTC_CLOSE_DRAIN);
}
