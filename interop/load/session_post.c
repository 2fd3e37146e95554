/* From a session's offer to its answer: what session_post_offer begins. */
#include "session_internal.h"

#include "clock.h"
#include "offer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_NS (200 * NS_PER_MS)

static const Options *options_of(const Session *session) {
  return session->worker->crew->options;
}

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
    session_fail(session, "the answer", reason ? reason : rtc_error_text(error));
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
    session_count_failed(session);
    session_end(session);
  } else if (retry) {
    session->retry_ns = clock_ns() + RETRY_NS;
  } else if (answer.status == 201 && session->location && answer.body) {
    connect_to(session, answer.body, answer.body_len);
  } else {
    session_answer_describe(&answer, why, sizeof why);
    session_fail(session, "POST",
                 session_answer_is_success(&answer) ? "its answer has no Location" : why);
  }
  session_answer_drop(&answer);
}

static void on_answer(void *arg, const HttpAnswer *answer) {
  Session *session = arg;
  session_hand_over(session, answer, take_answer);
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

void session_post_offer(Session *session) {
  char text[LOAD_OFFER_MAX];
  size_t len = 0;
  RtcError error = write_offer(session, text, &len);
  char *url = error == RTC_OK ? url_of(session) : NULL;
  session->state = SESSION_STATE_ANSWER;
  free(session->location);
  session->location = NULL;
  bool asked = url && session_ask(session, "POST", url, text, len, on_answer);
  free(url);
  if (asked)
    return;
  session->state = SESSION_STATE_RETRY; /* nothing is under way */
  session_fail(session, "POST", rtc_error_text(error == RTC_OK ? RTC_ERROR_NO_MEMORY : error));
}
