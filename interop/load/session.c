/* The life of a session, see session.h. */
#include "session.h"

#include "clock.h"
#include "offer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define RETRY_NS         (200 * NS_PER_MS)
#define KEYFRAME_WAIT_NS (500 * NS_PER_MS) /* without a keyframe: then it is asked for */

static void post_offer(Session *session);
static void finish(Session *session);

static const Options *options_of(const Session *session) {
  return session->worker->crew->options;
}

static const char *verb_of(const Session *session) {
  return session->plan.role == LOAD_ROLE_PUBLISH ? "WHIP" : "WHEP";
}

/* ---- Failures -------------------------------------------------------------------------------- */

/* Once, however often and wherever it fails. */
static void count_failed(Session *session) {
  if (!session->failed)
    board_count(session->plan.board, session->connected_once ? BOARD_LOST : BOARD_FAILED);
  session->failed = true;
}

static void fail(Session *session, const char *step, const char *why) {
  board_error(session->plan.board, "%s: %s: %s", verb_of(session), step, why);
  count_failed(session);
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
    fail(session, "its stream", rtc_error_text(error));
  else if (session->plan.media)
    publisher_set_pace(session->publisher, PACE_TRICKLE);
}

static void take_connected(Session *session) {
  if (session->connected_once)
    return; /* it came back on another TCP conn */
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
  fail(session, session->connected_once ? "connected, then closed" : "closed while connecting",
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

static void drop_answer(SessionAnswer *answer) {
  free(answer->error);
  free(answer->location);
  free(answer->body);
  *answer = (SessionAnswer){0};
}

/* On the HTTP thread: nobody else has the session while a request of it is under way. */
static void keep_answer(Session *session, const HttpAnswer *answer) {
  session->answer = (SessionAnswer){
      .status = answer->status,
      .error = answer->error ? strdup(answer->error) : NULL,
      .location = answer->location ? strdup(answer->location) : NULL,
      .body = malloc(answer->body_len + 1),
      .body_len = answer->body_len,
  };
  if (session->answer.body)
    memcpy(session->answer.body, answer->body, answer->body_len + 1);
  else
    session->answer.body_len = 0;
}

static bool is_success(const SessionAnswer *answer) {
  return answer->status >= 200 && answer->status < 300;
}

/* "503 Service Unavailable"'s number and the first line that came with it. */
static void describe(const SessionAnswer *answer, char *text, size_t cap) {
  if (answer->error || answer->status == 0)
    snprintf(text, cap, "%s", answer->error ? answer->error : "no answer");
  else
    snprintf(text, cap, "%ld %.*s", answer->status,
             answer->body ? (int)strcspn(answer->body, "\r\n") : 0,
             answer->body ? answer->body : "");
}

static bool ask(Session *session, const char *method, const char *url, const char *body, size_t len,
                void (*on_answer)(void *arg, const HttpAnswer *answer)) {
  const HttpRequest request = {.method = method,
                               .url = url,
                               .body = body,
                               .body_len = len,
                               .on_answer = on_answer,
                               .arg = session};
  return http_client_ask(session->worker->crew->http, &request);
}

/* ---- DELETE ---------------------------------------------------------------------------------- */

static void take_deletion(void *arg) {
  Session *session = arg;
  char why[128];
  bool gone = is_success(&session->answer) || session->answer.status == 404;
  if (!gone) {
    describe(&session->answer, why, sizeof why);
    board_error(session->plan.board, "%s: DELETE: %s", verb_of(session), why);
    board_count(session->plan.board, BOARD_NOT_ENDED);
  }
  finish(session);
}

static void on_deletion(void *arg, const HttpAnswer *answer) {
  Session *session = arg;
  keep_answer(session, answer);
  /* It can't fail but for memory; then the session stays, and the end of the run does not wait. */
  (void)!rtc_worker_post(session->worker->rtc, take_deletion, session);
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
  if (session->location && ask(session, "DELETE", session->location, NULL, 0, on_deletion))
    return;
  /* Later: it may be in one of its own callbacks. */
  if (rtc_worker_post(session->worker->rtc, take_deletion, session) == RTC_OK)
    session->answer.status = 204;
}

static void remove_from_list(Session *session) {
  CrewWorker *worker = session->worker;
  Session *last = worker->sessions[--worker->session_count];
  last->index = session->index;
  worker->sessions[last->index] = last;
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
  drop_answer(&session->answer);
  free(session->location);
  free(session);
  board_count(board, BOARD_ENDED);
}

/* ---- POST ------------------------------------------------------------------------------------ */

/* A player that stalls connects to a relay instead of the server. */
static bool put_relay(Session *session, RtcSdpTransport *remote) {
  for (size_t i = 0; i < remote->candidate_count; i++) {
    RtcCandidate *candidate = &remote->candidates[i];
    if (!candidate->tcp || candidate->tcp_type != RTC_TCP_TYPE_PASSIVE)
      continue;
    session->relay = relay_new(&session->worker->loop, candidate, candidate);
    remote->candidates[0] = *candidate;
    remote->candidate_count = 1;
    return session->relay;
  }
  return false;
}

static void connect_to(Session *session, const char *sdp, size_t len) {
  const char *reason = NULL;
  RtcSdpTransport *remote = malloc(sizeof *remote); /* 4 KiB: not the stack's */
  RtcError error = RTC_ERROR_NO_MEMORY;
  if (remote)
    error = rtc_sdp_transport_parse(remote, sdp, len, &reason);
  if (error == RTC_OK && session->plan.stalls && !put_relay(session, remote)) {
    error = RTC_ERROR_NOT_FOUND;
    reason = "there is no TCP candidate to put a relay before";
  }
  session->state = SESSION_STATE_CONNECTION;
  if (error == RTC_OK)
    error = rtc_connection_connect(session->connection, remote);
  free(remote);
  if (error != RTC_OK && session->state == SESSION_STATE_CONNECTION)
    fail(session, "the answer", reason ? reason : rtc_error_text(error));
}

/* The server does not have the stream (yet), or no room for now. */
static bool is_worth_a_retry(const Session *session) {
  long status = session->answer.status;
  bool passing = session->plan.role == LOAD_ROLE_PLAY && (status == 404 || status == 409);
  uint64_t timeout_ns = seconds_ns(options_of(session)->timeout);
  return !session->end_wanted && (passing || status == 503) &&
         clock_ns() + RETRY_NS < session->begun_ns + timeout_ns;
}

static void take_answer(void *arg) {
  Session *session = arg;
  SessionAnswer answer = session->answer;
  char why[128];
  bool retry = is_worth_a_retry(session);
  session->answer = (SessionAnswer){0};
  session->state = SESSION_STATE_RETRY;
  session->location = answer.location;
  answer.location = NULL;
  if (session->end_wanted) {
    count_failed(session);
    session_end(session);
  } else if (retry) {
    session->retry_ns = clock_ns() + RETRY_NS;
  } else if (answer.status == 201 && session->location && answer.body) {
    connect_to(session, answer.body, answer.body_len);
  } else {
    describe(&answer, why, sizeof why);
    fail(session, "POST", is_success(&answer) ? "its answer has no Location" : why);
  }
  drop_answer(&answer);
}

static void on_answer(void *arg, const HttpAnswer *answer) {
  Session *session = arg;
  keep_answer(session, answer);
  (void)!rtc_worker_post(session->worker->rtc, take_answer, session); /* as in on_deletion */
}

/* The caller frees it. NULL: no memory. */
static char *url_of(const Session *session) {
  const Options *options = options_of(session);
  const char *path =
      session->plan.role == LOAD_ROLE_PUBLISH ? options->whip_path : options->whep_path;
  const char *mark = strstr(path, "%s");
  size_t base_len = strlen(options->url);
  char *url = NULL;
  while (base_len > 0 && options->url[base_len - 1] == '/')
    base_len--;
  if (asprintf(&url, "%.*s%.*s%s%s", (int)base_len, options->url, (int)(mark - path), path,
               session->plan.channel->name, mark + 2) < 0)
    return NULL;
  return url;
}

static RtcError write_offer(const Session *session, char text[LOAD_OFFER_MAX], size_t *len) {
  RtcSdpTransport *local = malloc(sizeof *local);
  if (!local)
    return RTC_ERROR_NO_MEMORY;
  rtc_connection_local_transport(session->connection, local);
  const LoadOffer offer = {
      .local = local,
      .codec = options_of(session)->codec,
      .publishes = session->plan.role == LOAD_ROLE_PUBLISH,
      .ssrc = session->ssrc,
      .id = session->ssrc,
  };
  RtcError error = load_offer_write(text, len, &offer);
  free(local);
  return error;
}

static void post_offer(Session *session) {
  char text[LOAD_OFFER_MAX];
  size_t len = 0;
  RtcError error = write_offer(session, text, &len);
  char *url = error == RTC_OK ? url_of(session) : NULL;
  session->state = SESSION_STATE_ANSWER;
  free(session->location);
  session->location = NULL;
  bool asked = url && ask(session, "POST", url, text, len, on_answer);
  free(url);
  if (asked)
    return;
  session->state = SESSION_STATE_RETRY; /* nothing is under way */
  fail(session, "POST", rtc_error_text(error == RTC_OK ? RTC_ERROR_NO_MEMORY : error));
}

/* ---- The beginning --------------------------------------------------------------------------- */

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
  session->index = worker->session_count;
  worker->sessions[worker->session_count++] = session;
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
    post_offer(session);
  else
    fail(session, "a connection", rtc_error_text(error));
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
      post_offer(session);
    return;
  case SESSION_STATE_CONNECTION:
    if (now_ns - session->begun_ns > seconds_ns(options_of(session)->timeout))
      fail(session, "connecting", "not done within the timeout");
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
