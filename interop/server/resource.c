/* PATCH and DELETE of a session, see resource.h. A fragment is read and an answer is written on the
 * HTTP thread; only what touches the session runs on its worker. */
#include "resource.h"

#include "fragment.h"
#include "precondition.h"
#include "replies.h"

#include <stdlib.h>
#include <string.h>

/* Whatever is done to a session: found by its Location, on its worker. */
typedef struct ResourceJob {
  HttpJob job;
  HostWorker *worker;   /* borrowed */
  const char *location; /* borrowed: of the request */
  RtcError error;       /* NOT_FOUND: there is no such session */
  void (*act)(struct ResourceJob *job, Session *session);
} ResourceJob;

/* ---- The way to the worker and back ---------------------------------------------------------- */

static void act_on_worker(void *arg) {
  ResourceJob *job = arg;
  Session *session = sessions_find(&job->worker->sessions, job->location);
  job->error = session ? RTC_OK : RTC_ERROR_NOT_FOUND;
  if (session)
    job->act(job, session);
  http_job_done(&job->job);
}

static void destroy_job(HttpJob *base, bool delivered) {
  (void)delivered;
  free(base);
}

/* A zeroed job of this size for the session's worker. NULL: the request is answered. */
static ResourceJob *new_job(HttpRequest *request, Host *host, const char *id, size_t size) {
  unsigned worker;
  if (!session_id_worker(id, &worker) || worker >= host->worker_count) {
    replies_no_session(request);
    return NULL;
  }
  ResourceJob *job = calloc(1, size);
  if (!job) {
    replies_error(request, RTC_ERROR_NO_MEMORY, "");
    return NULL;
  }
  job->job.destroy = destroy_job;
  job->worker = &host->workers[worker];
  job->location = http_request_path(request);
  return job;
}

static void send_job(HttpRequest *request, ResourceJob *job) {
  if (!http_request_suspend(request, &job->job)) {
    replies_add_cors(request);
    return;
  }
  RtcError error = rtc_worker_post(job->worker->worker, act_on_worker, job);
  if (error != RTC_OK) { /* else the job is the worker's */
    job->error = error;
    http_job_done(&job->job);
  }
}

static void answer_error(HttpRequest *request, RtcError error) {
  if (error == RTC_ERROR_NOT_FOUND)
    replies_no_session(request);
  else
    replies_error(request, error, "");
}

/* ---- PATCH: on the worker -------------------------------------------------------------------- */

typedef enum PatchResult {
  PATCH_TRICKLED,
  PATCH_RESTARTED,     /* unless the job has an error */
  PATCH_UNCONDITIONAL, /* without If-Match */
  PATCH_OUTDATED,      /* If-Match names another ICE session */
  PATCH_HALF,          /* one of ufrag and pwd is new, the other is not */
} PatchResult;

typedef struct PatchJob {
  ResourceJob base;
  const char *if_match; /* borrowed: of the request; NULL: none */
  Fragment fragment;
  /* The worker's results: */
  PatchResult result;
  RtcSdpTransport local; /* after a restart */
  char *head;            /* owned: what the answer to a restart begins with; NULL: none */
} PatchJob;

/* Gives the job what the answer to a restart tells. */
static PatchResult tell_ice(PatchJob *job, Session *session) {
  job->head = strdup(session_ice(session)->fragment_head);
  if (!job->head)
    job->base.error = RTC_ERROR_NO_MEMORY;
  rtc_connection_local_transport(*session_connection(session), &job->local);
  return PATCH_RESTARTED;
}

/* When it fails, the ICE session is the one before. */
static PatchResult restart(PatchJob *job, Session *session) {
  RtcSdpTransport remote = {0};
  SessionIce *ice = session_ice(session);
  strcpy(remote.ufrag, job->fragment.ufrag);
  strcpy(remote.pwd, job->fragment.pwd);
  job->base.error = rtc_connection_restart_ice(*session_connection(session), &remote);
  if (job->base.error != RTC_OK)
    return PATCH_RESTARTED;
  strcpy(ice->remote_ufrag, remote.ufrag);
  strcpy(ice->remote_pwd, remote.pwd);
  return tell_ice(job, session);
}

static PatchResult patch(PatchJob *job, Session *session) {
  RtcSdpTransport local;
  const SessionIce *ice = session_ice(session);
  const Fragment *fragment = &job->fragment;
  if (!job->if_match)
    return PATCH_UNCONDITIONAL;
  rtc_connection_local_transport(*session_connection(session), &local);
  if (!precondition_holds(job->if_match, local.ufrag))
    return PATCH_OUTDATED;
  if (!*fragment->ufrag)
    return PATCH_TRICKLED;
  bool same_ufrag = strcmp(fragment->ufrag, ice->remote_ufrag) == 0;
  bool same_pwd = strcmp(fragment->pwd, ice->remote_pwd) == 0;
  if (same_ufrag != same_pwd)
    return PATCH_HALF;
  if (!same_ufrag)
    return restart(job, session);
  /* To trickle one names the ICE session. This is a restart again, whose answer got lost. */
  return precondition_is_any(job->if_match) ? tell_ice(job, session) : PATCH_TRICKLED;
}

static void patch_session(ResourceJob *base, Session *session) {
  PatchJob *job = (PatchJob *)base;
  job->result = patch(job, session);
}

/* ---- PATCH: on the HTTP thread --------------------------------------------------------------- */

static void destroy_patch(HttpJob *base, bool delivered) {
  PatchJob *job = (PatchJob *)base;
  (void)delivered;
  free(job->head);
  free(job);
}

static void answer_restart(HttpRequest *request, const PatchJob *job) {
  Text text = {0};
  size_t len = 0;
  if (fragment_write(&text, job->head, &job->local) != RTC_OK)
    text.failed = true;
  char *body = text_take(&text, &len);
  if (!body) {
    replies_error(request, RTC_ERROR_NO_MEMORY, "");
    return;
  }
  http_answer_owned(request, 200, FRAGMENT_TYPE, body, len);
  replies_entity_tag(request, job->local.ufrag);
  replies_add_cors(request);
}

static void answer_patch(HttpRequest *request, const PatchJob *job) {
  switch (job->result) {
  case PATCH_TRICKLED:
    http_answer_empty(request, 204);
    replies_add_cors(request);
    break;
  case PATCH_RESTARTED:
    answer_restart(request, job);
    break;
  case PATCH_UNCONDITIONAL:
    replies_text(request, 428, "If-Match is missing: the ETag of the ICE session, or * to restart");
    break;
  case PATCH_OUTDATED:
    replies_text(request, 412, "If-Match is not the ETag of the current ICE session");
    break;
  case PATCH_HALF:
    replies_text(request, 400, "an ICE restart changes both of a=ice-ufrag and a=ice-pwd");
    break;
  }
}

static void finish_patch(HttpJob *base, HttpRequest *request) {
  const PatchJob *job = (const PatchJob *)base;
  if (job->base.error != RTC_OK)
    answer_error(request, job->base.error);
  else
    answer_patch(request, job);
}

void resource_patch(HttpRequest *request, Host *host, const char *id) {
  size_t len;
  const char *reason;
  const char *body = http_request_body(request, &len);
  if (!replies_check_type(request, FRAGMENT_TYPE, "Accept-Patch"))
    return;
  PatchJob *job = (PatchJob *)new_job(request, host, id, sizeof *job);
  if (!job)
    return;
  job->base.job.finish = finish_patch;
  job->base.job.destroy = destroy_patch;
  job->base.act = patch_session;
  job->if_match = http_request_header(request, "If-Match");
  if (fragment_parse(&job->fragment, body, len, &reason) == RTC_OK) {
    send_job(request, &job->base);
    return;
  }
  replies_error(request, RTC_ERROR_PROTO, reason);
  free(job);
}

/* ---- DELETE ---------------------------------------------------------------------------------- */

/* Whatever If-Match says: a DELETE is about no ICE session (RFC 9725 section 4.3.1). */
static void delete_session(ResourceJob *job, Session *session) {
  (void)job;
  rtc_connection_close(*session_connection(session)); /* removes the session */
}

static void finish_delete(HttpJob *base, HttpRequest *request) {
  const ResourceJob *job = (const ResourceJob *)base;
  if (job->error != RTC_OK) {
    answer_error(request, job->error);
    return;
  }
  http_answer_empty(request, 200);
  replies_add_cors(request);
}

void resource_delete(HttpRequest *request, Host *host, const char *id) {
  ResourceJob *job = new_job(request, host, id, sizeof *job);
  if (!job)
    return;
  job->job.finish = finish_delete;
  job->act = delete_session;
  send_job(request, job);
}
