/* A step of the walk: one event, then the loop and the peers run until nothing moves, then the
 * library and the model must agree. */
#include "walk/walk.h"

#include "support/descriptors.h"
#include "walk/clock.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STEP_US          RTC_US_PER_MS
#define GIVE_BACK_CHOICE 4
#define QUIET_RUNS       2 /* libuv watches what is new from the next turn on */

void walk_fail(Walk *walk, const char *format, ...) {
  va_list args;
  va_start(args, format);
  vsnprintf(walk->why, walk->why_cap, format, args);
  va_end(args);
  if (walk->tells) {
    printf("\nIt fails: %s\n", walk->why);
    walk_show(walk);
    fflush(stdout);
  }
  _exit(WALK_FAILED);
}

/* -- Until nothing moves -- */

static bool is_busy(const Walk *walk) {
  struct pollfd backend = {.fd = uv_backend_fd(&walk->loop), .events = POLLIN};
  return uv_backend_timeout(&walk->loop) == 0 || poll(&backend, 1, 0) > 0;
}

static void run_loop(Walk *walk) {
  for (int quiet = 0; quiet < QUIET_RUNS && uv_loop_alive(&walk->loop);) {
    uv_run(&walk->loop, UV_RUN_NOWAIT);
    quiet = is_busy(walk) ? 0 : quiet + 1;
  }
}

void walk_settle(Walk *walk) {
  bool moved = true;
  while (moved) {
    run_loop(walk);
    moved = false;
    for (int c = 0; c < MODEL_CONNS; c++) {
      if (model_ended(&walk->model, c))
        walk->conns[c].reading = true; /* at last, to see its end */
      moved |= walk_conn_read(walk, c);
    }
  }
}

/* -- Agreeing -- */

/* What only OpenSSL and the send queue know comes from the library; the model says whether it may
 * be. */
static void take_handshake(Walk *walk, int s) {
  Model *model = &walk->model;
  const WalkSession *session = &walk->sessions[s];
  size_t next = model->sessions[s].told_count;
  if (!model_alive(model, s) || model->sessions[s].keys || session->told_count <= next)
    return;
  if (session->told[next] == RTC_CONNECTION_STATE_CONNECTED &&
      walk_peer_may_connect(&session->peer))
    model_connected(model, s);
  else if (session->told[next] == RTC_CONNECTION_STATE_CLOSED && session->forged &&
           session->peer.certified)
    model_end(model, s, RTC_CLOSE_FINGERPRINT);
}

static void take_unforeseen(Walk *walk) {
  for (size_t i = 0; i < walk->called_count; i++) {
    const WalkCall *call = &walk->called[i];
    if (walk->model.sessions[call->session].told_count < call->told)
      take_handshake(walk, call->session);
    model_called(&walk->model, call->session, MODEL_CALLBACK_KEYFRAME);
  }
  walk->called_count = 0;
  for (int s = 0; s < MODEL_SESSIONS; s++)
    take_handshake(walk, s);
}

static const char *find_difference(Walk *walk) {
  walk_settle(walk);
  take_unforeseen(walk);
  for (int c = 0; c < MODEL_CONNS; c++)
    if (!walk_conn_arrived(walk, c))
      return "octets have not come";
  return walk_check(walk);
}

/* What has ended on both sides makes room. */
static void forget_ended(Walk *walk) {
  for (int c = 0; c < MODEL_CONNS; c++) {
    ModelConn *model = &walk->model.conns[c];
    WalkConn *conn = &walk->conns[c];
    if (model->state != MODEL_CONN_ENDED)
      continue;
    if (conn->eof)
      walk_conn_close(walk, c, false);
    if (conn->fd < 0 && model->held == 0)
      model->state = MODEL_CONN_FREE;
  }
}

static void begin_anew(Walk *walk) {
  for (int s = 0; s < MODEL_SESSIONS; s++) {
    walk->model.sessions[s].told_count = walk->sessions[s].told_count = 0;
    walk->model.sessions[s].notifies = false;
  }
  forget_ended(walk);
  for (int c = 0; c < MODEL_CONNS; c++)
    walk->conns[c].read_all_along = walk->conns[c].reading;
}

/* The kernel may take its time to deliver, on a busy machine: a difference that stays is one. */
static void agree(Walk *walk) {
  const char *why = find_difference(walk);
  int64_t end_us = why ? walk_real_time() + walk->patience_us : 0;
  while (why && walk_real_time() < end_us) {
    usleep(1000);
    why = find_difference(walk);
  }
  if (why)
    walk_fail(walk, "%s", why);
  begin_anew(walk);
}

/* -- Steps -- */

static void set_time(Walk *walk, int64_t now_us) {
  walk->model.now_us = now_us;
  walk_clock_set(now_us);
}

void walk_pass(Walk *walk, int64_t duration_us) {
  int64_t end_us = walk->model.now_us + duration_us;
  for (int64_t next_us; (next_us = model_deadline(&walk->model)) <= end_us;) {
    set_time(walk, next_us);
    model_time_passes(&walk->model);
    agree(walk);
  }
  set_time(walk, end_us);
}

void walk_end_turn(Walk *walk) {
  if (walk->turn_conn == MODEL_NONE)
    return;
  walk->turn_conn = MODEL_NONE;
  walk->turn_flushes = false;
  agree(walk);
  walk_pass(walk, STEP_US);
}

/* In one turn may come: what the host does, or a peer that reads again, and then octets of one TCP
 * conn. The library takes them in this order, as the model does. */
static bool goes_on(const Walk *walk, const WalkEvent *event) {
  return walk_event_is_of_stream(event) && event->conn == walk->turn_conn;
}

/* Each turn has a time of its own, so that no two things are of the same age. */
bool walk_step(Walk *walk, const WalkEvent *event) {
  if (!goes_on(walk, event))
    walk_end_turn(walk);
  if (!walk_play(walk, event))
    return false;
  if (walk->called_count > 0)
    take_unforeseen(walk);
  walk->turn_conn = event->conn;
  walk->turn_flushes |= event->kind == WALK_EVENT_READ || event->kind == WALK_EVENT_SEND;
  if (!event->together || !walk_event_may_begin_turn(event))
    walk_end_turn(walk);
  return true;
}

/* The first loop of a process opens descriptors that libuv keeps. */
static void open_libuvs_own(void) {
  uv_loop_t loop;
  if (uv_loop_init(&loop) == 0)
    uv_loop_close(&loop);
}

void walk_begin(Walk *walk) {
  open_libuvs_own();
  walk->descriptors = descriptors_open();
  walk->turn_conn = MODEL_NONE;
  for (int c = 0; c < MODEL_CONNS; c++)
    walk->conns[c].fd = -1;
  if (uv_loop_init(&walk->loop))
    walk_fail(walk, "no loop could be made");
  set_time(walk, walk_clock_now());
  walk_host_begin(walk, 1);
  agree(walk);
}

static void give_everything_back(Walk *walk) {
  for (int s = 0; s < MODEL_SESSIONS; s++)
    while (walk->model.sessions[s].held > 0)
      walk_step(
          walk,
          &(WalkEvent){.kind = WALK_EVENT_ACT, .session = (uint8_t)s, .choice = GIVE_BACK_CHOICE});
  for (int c = 0; c < MODEL_CONNS; c++)
    while (walk->model.conns[c].held > 0)
      walk_step(walk, &(WalkEvent){.kind = WALK_EVENT_GIVE_BACK_TCP_CONN, .conn = (uint8_t)c});
}

void walk_end(Walk *walk) {
  walk_end_turn(walk);
  walk_step(walk, &(WalkEvent){.kind = WALK_EVENT_CLOSE_SERVER});
  give_everything_back(walk);
  walk_step(walk, &(WalkEvent){.kind = WALK_EVENT_STOP_WORKER});
  walk_host_finish(walk);
  for (int c = 0; c < MODEL_CONNS; c++)
    walk_conn_close(walk, c, true);
  if (uv_loop_close(&walk->loop))
    walk_fail(walk, "the loop has handles at the end");
  if (descriptors_open() != walk->descriptors)
    walk_fail(walk, "descriptors at the end: %zu, not %zu", descriptors_open(), walk->descriptors);
}
