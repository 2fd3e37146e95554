/* POST of an offer, see whip.h. It is read and its answer is written on the HTTP thread; only what
 * touches sessions runs on their worker. */
#include "whip.h"

#include "answer.h"
#include "fragment.h"
#include "random.h"
#include "replies.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- POST: on the worker --------------------------------------------------------------------- */

typedef struct OpenJob {
  HttpJob job;
  HostWorker *worker; /* borrowed */
  SessionRole role;
  char stream[STREAM_NAME_MAX + 1];
  Offer offer;         /* owned */
  Agreement agreement; /* of a publisher: agreed before the worker is asked */
  /* The worker's results: */
  RtcError error;
  char reason[OFFER_REASON_MAX]; /* "": the error's own text will do */
  char location[LOCATION_MAX];   /* "": no session was opened */
  uint64_t connection_id;
  RtcSdpTransport local;
} OpenJob;

static RtcError give_up(OpenJob *job, RtcError error, const char *reason) {
  snprintf(job->reason, sizeof job->reason, "%s", reason);
  return error;
}

static void on_state(RtcConnection *connection, RtcConnectionState state, void *arg) {
  (void)connection;
  if (state == RTC_CONNECTION_STATE_CLOSED)
    session_remove(arg);
}

/* A Connection, and its place in the table. From here on closing the Connection ends both. */
static RtcError open_session(OpenJob *job, Session **session) {
  char name[sizeof job->stream + 8];
  HostWorker *worker = job->worker;
  RtcError error = sessions_add(session, &worker->sessions, worker->index, job->role, job->stream);
  if (error != RTC_OK)
    return error;
  snprintf(name, sizeof name, "%s/%s", session_role_name(job->role), job->stream);
  RtcConnectionConfig config = {.name = name,
                                .remote = &job->offer.transport,
                                .callbacks = {.on_state = on_state},
                                .arg = *session};
  error = rtc_connection_new(session_connection(*session), worker->host->server, worker->worker,
                             &config);
  if (error != RTC_OK)
    session_remove(*session);
  return error;
}

/* What an ICE restart will need. */
static RtcError remember_ice(const OpenJob *job, Session *session) {
  Text head = {0};
  size_t len;
  SessionIce *ice = session_ice(session);
  snprintf(ice->remote_ufrag, sizeof ice->remote_ufrag, "%s", job->offer.transport.ufrag);
  snprintf(ice->remote_pwd, sizeof ice->remote_pwd, "%s", job->offer.transport.pwd);
  fragment_write_head(&head, &job->offer, &job->agreement);
  ice->fragment_head = text_take(&head, &len);
  return ice->fragment_head ? RTC_OK : RTC_ERROR_NO_MEMORY;
}

/* What the answer needs; or, when the last step failed, the session's end. */
static RtcError settle_session(OpenJob *job, Session *session, RtcError error) {
  RtcConnection *connection = *session_connection(session);
  if (error == RTC_OK)
    error = remember_ice(job, session);
  if (error != RTC_OK) {
    rtc_connection_close(connection); /* removes the session */
    return error;
  }
  snprintf(job->location, sizeof job->location, "%s", session_location(session));
  job->connection_id = rtc_connection_id(connection);
  rtc_connection_local_transport(connection, &job->local);
  return RTC_OK;
}

static RtcError publish(OpenJob *job, RtcSource *source) {
  Session *session;
  const RtcTrack *tracks;
  if (rtc_source_tracks(source, &tracks) > 0)
    return give_up(job, RTC_ERROR_EXISTS, "the stream has a publisher already");
  RtcError error = open_session(job, &session);
  if (error != RTC_OK)
    return error;
  for (size_t i = 0; i < job->agreement.track_count; i++) /* for its players, on every worker */
    job->agreement.tracks[i].host_data = job->agreement.h264_profile;
  error = rtc_source_publish(source, *session_connection(session), job->agreement.tracks,
                             job->agreement.track_count);
  if (error == RTC_ERROR_EXISTS) /* on another worker, meanwhile */
    (void)give_up(job, error, "the stream has a publisher already");
  return settle_session(job, session, error);
}

static RtcError open_publisher(OpenJob *job) {
  RtcSource *source;
  RtcError error = rtc_source_manager_fetch_or_create(job->worker->sources, job->stream, &source);
  if (error != RTC_OK)
    return error;
  error = publish(job, source);
  rtc_source_unref(&source); /* its publisher keeps it */
  return error;
}

/* One SSRC for each track of the answer, none of them 0 or twice. */
static RtcError choose_ssrcs(Agreement *agreement) {
  uint32_t random;
  if (!random_fill(&random, sizeof random))
    return RTC_ERROR_SYSTEM;
  random &= UINT32_MAX - 0xff;
  for (size_t i = 0; i < agreement->track_count; i++)
    agreement->tracks[i].ssrc = random + (uint32_t)i + 1;
  return RTC_OK;
}

static RtcError play(OpenJob *job, RtcSource *source) {
  Session *session;
  const RtcTrack *tracks;
  size_t count = rtc_source_tracks(source, &tracks);
  if (count == 0)
    return give_up(job, RTC_ERROR_NOT_FOUND, "nobody publishes this stream");
  RtcError error = negotiate_player(&job->agreement, &job->offer, tracks, count,
                                    (H264Profile)tracks[0].host_data, job->reason);
  if (error == RTC_OK)
    error = choose_ssrcs(&job->agreement);
  if (error == RTC_OK)
    error = open_session(job, &session);
  if (error != RTC_OK)
    return error;
  error = rtc_consumer_new(NULL, source, *session_connection(session), job->agreement.tracks,
                           job->agreement.track_count);
  return settle_session(job, session, error);
}

static RtcError open_player(OpenJob *job) {
  RtcSource *source = rtc_source_manager_fetch(job->worker->sources, job->stream);
  if (!source)
    return give_up(job, RTC_ERROR_NOT_FOUND, "nobody publishes this stream");
  RtcError error = play(job, source);
  rtc_source_unref(&source);
  return error;
}

static void open_on_worker(void *arg) {
  OpenJob *job = arg;
  job->error = job->role == SESSION_WHIP ? open_publisher(job) : open_player(job);
  http_job_done(&job->job);
}

/* ---- POST: on the HTTP thread ---------------------------------------------------------------- */

static void free_open_job(OpenJob *job) {
  offer_finish(&job->offer);
  free(job);
}

static void abandon_on_worker(void *arg) {
  OpenJob *job = arg;
  Session *session = sessions_find(&job->worker->sessions, job->location);
  if (session)
    rtc_connection_close(*session_connection(session)); /* removes the session */
  free_open_job(job);
}

/* A client that has not got its answer can't use the session, nor end it: a publisher's would keep
 * the stream's name for as long as the session timeout. */
static void destroy_open_job(HttpJob *base, bool delivered) {
  OpenJob *job = (OpenJob *)base;
  bool of_use = job->error == RTC_OK && delivered;
  if (*job->location && !of_use &&
      rtc_worker_post(job->worker->worker, abandon_on_worker, job) == RTC_OK)
    return;
  free_open_job(job);
}

static char *write_answer(const OpenJob *job, size_t *len) {
  Text text = {0};
  AnswerConfig config = {.offer = &job->offer,
                         .agreement = &job->agreement,
                         .local = &job->local,
                         .stream = job->stream,
                         .session_id = job->connection_id,
                         .player = job->role == SESSION_WHEP};
  if (answer_write(&text, &config) != RTC_OK)
    text.failed = true;
  return text_take(&text, len);
}

static void finish_open_job(HttpJob *base, HttpRequest *request) {
  OpenJob *job = (OpenJob *)base;
  size_t len = 0;
  char *sdp = job->error == RTC_OK ? write_answer(job, &len) : NULL;
  if (!sdp && job->error == RTC_OK)
    job->error = RTC_ERROR_NO_MEMORY;
  if (!sdp) {
    replies_error(request, job->error, job->reason);
    return;
  }
  http_answer_owned(request, 201, SDP_TYPE, sdp, len);
  http_answer_header(request, "Location", job->location);
  replies_entity_tag(request, job->local.ufrag);
  replies_add_cors(request);
}

/* Reads the offer, and agrees with a publisher: neither needs the worker. */
static RtcError read_offer(OpenJob *job, HttpRequest *request) {
  size_t len;
  const char *body = http_request_body(request, &len);
  RtcError error = offer_parse(&job->offer, body, len, job->reason);
  if (error == RTC_OK && job->role == SESSION_WHIP)
    error = negotiate_publisher(&job->agreement, &job->offer, job->reason);
  if (error == RTC_OK)
    job->reason[0] = '\0';
  return error;
}

void whip_open(HttpRequest *request, Host *host, SessionRole role, const char *stream) {
  HostWorker *worker = host_pick_worker(host);
  if (!worker || host_is_draining(host)) {
    replies_error(request, RTC_ERROR_CLOSED,
                  "the server takes no new sessions: it is to be stopped");
    return;
  }
  if (!replies_check_type(request, SDP_TYPE, "Accept-Post"))
    return;
  OpenJob *job = calloc(1, sizeof *job);
  if (!job) {
    replies_error(request, RTC_ERROR_NO_MEMORY, "");
    return;
  }
  job->job.finish = finish_open_job;
  job->job.destroy = destroy_open_job;
  job->worker = worker;
  job->role = role;
  snprintf(job->stream, sizeof job->stream, "%s", stream);
  RtcError error = read_offer(job, request);
  if (error != RTC_OK) {
    replies_error(request, error, job->reason);
    free_open_job(job);
    return;
  }
  if (!http_request_suspend(request, &job->job)) {
    replies_add_cors(request);
    return;
  }
  error = rtc_worker_post(job->worker->worker, open_on_worker, job);
  if (error != RTC_OK) { /* else the job is the worker's */
    job->error = error;
    http_job_done(&job->job);
  }
}
