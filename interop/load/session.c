/* The life of a session, see session.h. */
#include "session_internal.h"

#include "clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define KEYFRAME_WAIT_NS (500 * NS_PER_MS) /* without a keyframe: then it is asked for */

static const Options *options_of(const Session *session) {
  return session->worker->crew->options;
}

static const char *verb_of(const Session *session) {
  return session->plan.role == LOAD_ROLE_PUBLISH ? "WHIP" : "WHEP";
}

/* ---- Failures -------------------------------------------------------------------------------- */

void session_count_failed(Session *session) {
  if (!session->failed)
    board_count(session->plan.board, session->connected_once ? BOARD_LOST : BOARD_FAILED);
  session->failed = true;
}

void session_fail(Session *session, const char *step, const char *why) {
  board_error(session->plan.board, "%s: %s: %s", verb_of(session), step, why);
  session_count_failed(session);
  session_end(session);
}

/* From here on nothing more is expected of it. */
static void note_lost(Session *session) {
  const Channel *channel = session->plan.channel;
  uint32_t frame = atomic_load(&channel->next_frame);
  session->lost = true;
  for (Phase phase = PHASE_FIRST; phase < PHASE_AFTER_ALL && session->reception.meters; phase++)
    session->reception.meters[phase].expected_lost +=
        reception_expected(&session->reception, phase, frame);
}

/* ---- The connection's callbacks -------------------------------------------------------------- */

static void start_publishing(Session *session) {
  const Options *options = options_of(session);
  const PublisherConfig config = {
      .loop = &session->worker->loop,
      .connection = session->connection,
      .channel = session->plan.channel,
      .codec = options->codec,
      .ssrc = session->ssrc,
      .size = options->size,
      .rate = options->rate,
      .gop = options->gop,
      .offset = session->plan.offset,
  };
  RtcError error = publisher_new(&session->publisher, &config);
  if (error != RTC_OK)
    session_fail(session, "its stream", rtc_error_text(error));
  else if (session->plan.media)
    publisher_set_pace(session->publisher, PACE_TRICKLE);
}

static void take_connected(Session *session) {
  if (session->state != SESSION_STATE_CONNECTION)
    return; /* it came back on another TCP conn, or was given up just now */
  session->connected_once = true;
  session->state = SESSION_STATE_END;
  session->connected_ns = clock_ns();
  board_connected(session->plan.board, session->connected_ns - session->begun_ns);
  if (session->plan.role == LOAD_ROLE_PUBLISH)
    start_publishing(session);
  if (session->plan.brief)
    session_end(session);
}

static void take_closed(Session *session) {
  if (session->state == SESSION_STATE_DELETION || session->end_wanted)
    return;
  if (session->connected_once)
    note_lost(session);
  session_fail(session,
               session->connected_once ? "connected, then closed" : "closed while connecting",
               rtc_close_name(rtc_connection_close_reason(session->connection)));
}

static void on_state(RtcConnection *connection, RtcConnectionState state, void *arg) {
  (void)connection;
  if (state == RTC_CONNECTION_STATE_CONNECTED)
    take_connected(arg);
  else if (state == RTC_CONNECTION_STATE_CLOSED)
    take_closed(arg);
}

static void on_rtp(RtcConnection *connection, const uint8_t *packet, size_t len, void *arg) {
  Session *session = arg;
  (void)connection;
  bool begun = session->reception.begun;
  reception_take(&session->reception, packet, len, clock_ns());
  if (session->reception.begun && !begun)
    board_count(session->plan.board, BOARD_READY);
}

static void on_rtcp(RtcConnection *connection, const uint8_t *packet, size_t len, void *arg) {
  Session *session = arg;
  (void)connection;
  if (session->publisher && rtcp_asks_keyframe(packet, len))
    publisher_want_keyframe(session->publisher);
}

/* ---- HTTP ------------------------------------------------------------------------------------ */

bool session_ask(Session *session, const char *method, const char *url, const char *body,
                 size_t len, void (*on_answer)(void *arg, const HttpAnswer *answer)) {
  const HttpRequest request = {.method = method,
                               .url = url,
                               .body = body,
                               .body_len = len,
                               .on_answer = on_answer,
                               .arg = session};
  return http_client_ask(session->worker->crew->http, &request);
}

void session_hand_over(Session *session, const HttpAnswer *answer, void (*take)(void *arg)) {
  session_answer_keep(&session->answer, answer);
  RtcError error = rtc_worker_post(session->worker->rtc, take, session);
  if (error != RTC_OK) /* then the session stays, and the end of the run tells so */
    board_error(session->plan.board, "an answer can't be handed over: %s", rtc_error_text(error));
}

/* ---- DELETE ---------------------------------------------------------------------------------- */

static void put_in_list(Session *session, size_t index) {
  session->index = index;
  session->worker->sessions[index] = session;
}

static void remove_from_list(Session *session) {
  CrewWorker *worker = session->worker;
  Session *last = worker->sessions[--worker->session_count];
  put_in_list(last, session->index);
}

static void finish(Session *session) {
  Board *board = session->plan.board;
  session->state = SESSION_STATE_DELETION;
  if (session->connected_once && !session->lost)
    note_lost(session);
  publisher_stop(session->publisher);
  relay_close(session->relay);
  if (session->connection)
    rtc_connection_close(session->connection);
  rtc_connection_unref(&session->connection);
  remove_from_list(session);
  session->worker->foreign += session->reception.foreign;
  session_answer_drop(&session->answer);
  free(session->location);
  free(session);
  board_count(board, BOARD_ENDED);
}

static void take_deletion(void *arg) {
  Session *session = arg;
  char why[128];
  bool gone = session_answer_is_success(&session->answer) || session->answer.status == 404;
  if (!gone) {
    session_answer_describe(&session->answer, why, sizeof why);
    board_error(session->plan.board, "%s: DELETE: %s", verb_of(session), why);
    board_count(session->plan.board, BOARD_NOT_ENDED);
  }
  finish(session);
}

static void on_deletion(void *arg, const HttpAnswer *answer) {
  Session *session = arg;
  session_hand_over(session, answer, take_deletion);
}

void session_end(Session *session) {
  switch (session->state) {
  case SESSION_STATE_ANSWER:
    session->end_wanted = true; /* what it opened has to be deleted */
    return;
  case SESSION_STATE_DELETION:
    return;
  case SESSION_STATE_RETRY:
  case SESSION_STATE_CONNECTION:
  case SESSION_STATE_END:
    break;
  }
  session->state = SESSION_STATE_DELETION;
  if (session->location && session_ask(session, "DELETE", session->location, NULL, 0, on_deletion))
    return;
  /* Later: it may be in one of its own callbacks. */
  if (rtc_worker_post(session->worker->rtc, take_deletion, session) == RTC_OK)
    session->answer.status = 204;
}

/* ---- The beginning --------------------------------------------------------------------------- */

/* Pseudo-random, and the same in every run. */
static size_t any_place(size_t places) {
  const uint32_t golden_ratio = 2654435769u;
  return (size_t)((uint32_t)places * golden_ratio >> 8) % places;
}

/* At any place, as visits go along the list: publishers, which are opened first, would send their
 * reports at once, each to be sent on to all its players. */
static bool add_to_list(Session *session) {
  CrewWorker *worker = session->worker;
  if (worker->session_count == worker->session_cap) {
    size_t cap = worker->session_cap ? 2 * worker->session_cap : 64;
    Session **grown = realloc(worker->sessions, cap * sizeof(Session *));
    if (!grown)
      return false;
    worker->sessions = grown;
    worker->session_cap = cap;
  }
  size_t last = worker->session_count++, place = any_place(worker->session_count);
  if (place != last)
    put_in_list(worker->sessions[place], last);
  put_in_list(session, place);
  return true;
}

static RtcError new_connection(Session *session) {
  const RtcConnectionConfig config = {
      .name = session->plan.channel->name,
      .active = true,
      .setup = options_of(session)->setup,
      .callbacks = {.on_state = on_state, .on_rtp = on_rtp, .on_rtcp = on_rtcp},
      .arg = session,
  };
  return rtc_connection_new(&session->connection, session->worker->crew->server,
                            session->worker->rtc, &config);
}

static void no_room(Board *board) {
  board_error(board, "%s", rtc_error_text(RTC_ERROR_NO_MEMORY));
  board_count(board, BOARD_FAILED);
  board_count(board, BOARD_ENDED);
}

void session_open(CrewWorker *worker, const SessionPlan *plan) {
  Session *session = calloc(1, sizeof *session);
  board_count(plan->board, BOARD_BEGUN);
  if (!session) {
    no_room(plan->board);
    return;
  }
  session->worker = worker;
  session->plan = *plan;
  session->state = SESSION_STATE_RETRY;
  session->begun_ns = clock_ns();
  session->reception.channel = plan->channel;
  session->reception.meters = worker->meters[plan->stalls ? METER_STALLS : METER_READS];
  session->reception.recovery = plan->stalls ? &session->recovery : NULL;
  if (!add_to_list(session)) {
    free(session);
    no_room(plan->board);
    return;
  }
  if (getrandom(&session->ssrc, sizeof session->ssrc, 0) != sizeof session->ssrc)
    session->ssrc = (uint32_t)session->begun_ns;
  session->ssrc |= 1; /* not 0 */
  RtcError error = new_connection(session);
  if (error == RTC_OK)
    session_post_offer(session);
  else
    session_fail(session, "a connection", rtc_error_text(error));
}

/* ---- Visits ---------------------------------------------------------------------------------- */

static void report_reception(Session *session, uint64_t now_ns) {
  uint8_t report[RTCP_LEN_MAX];
  bool keyframe_missing = session->plan.media && !session->reception.begun &&
                          now_ns - session->connected_ns >= KEYFRAME_WAIT_NS;
  bool due = now_ns - session->reported_ns >= seconds_ns(options_of(session)->rtcp_interval);
  if (!due && !keyframe_missing)
    return;
  session->reported_ns = now_ns;
  size_t len =
      rtcp_write_receiver(report, session->ssrc, &session->reception.rtcp, keyframe_missing);
  (void)rtc_connection_send_rtcp(session->connection, report, len); /* the next one will do */
}

static void report_sending(Session *session, uint64_t now_ns) {
  if (!session->publisher ||
      now_ns - session->reported_ns < seconds_ns(options_of(session)->rtcp_interval))
    return;
  session->reported_ns = now_ns;
  publisher_report(session->publisher);
}

void session_visit(Session *session, uint64_t now_ns) {
  switch (session->state) {
  case SESSION_STATE_RETRY:
    if (now_ns >= session->retry_ns)
      session_post_offer(session);
    return;
  case SESSION_STATE_CONNECTION:
    if (now_ns - session->begun_ns > seconds_ns(options_of(session)->timeout))
      session_fail(session, "connecting", "not done within the timeout");
    return;
  case SESSION_STATE_END:
    if (session->plan.role == LOAD_ROLE_PUBLISH)
      report_sending(session, now_ns);
    else
      report_reception(session, now_ns);
    return;
  case SESSION_STATE_ANSWER:   /* HTTP has a timeout of its own */
  case SESSION_STATE_DELETION: /* likewise */
    return;
  }
}
