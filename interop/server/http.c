/* The HTTP thread: requests, answers and jobs on libmicrohttpd, see http.h. */
#include "http.h"

#include "log.h"

#include <microhttpd.h>

#include <assert.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONNECTIONS_MAX     512u
#define IDLE_TIMEOUT_S      30u
#define CONNECTION_MEMORY   ((size_t)32 * 1024) /* of a connection: headers and buffers [octets] */
#define DISCARDED_MAX       ((size_t)1024 * 1024) /* of a body that is too large [octets] */
#define BODY_FIRST_CAPACITY ((size_t)4 * 1024)

typedef enum HttpPhase {
  HTTP_STARTING, /* sockets are taken, and their requests answered with 503 */
  HTTP_OPEN,
  HTTP_CLOSED, /* the same, but sockets are not taken */
} HttpPhase;

struct Http {
  HttpConfig config;
  struct MHD_Daemon *daemon; /* owned; NULL: stopped */
  atomic_uint_fast64_t connections_live;
  atomic_uint_fast64_t connections_total;
  pthread_mutex_t mutex; /* of what follows */
  pthread_cond_t idle;   /* jobs or answers has become 0 */
  HttpPhase phase;
  size_t jobs;    /* under way */
  size_t answers; /* to requests with jobs, not all sent */
};

typedef enum HttpRequestState {
  HTTP_REQUEST_BODY,     /* awaits the end of the body */
  HTTP_REQUEST_JOB,      /* awaits http_job_done */
  HTTP_REQUEST_DELIVERY, /* awaits the end of sending */
} HttpRequestState;

struct HttpRequest {
  Http *http;                        /* back */
  struct MHD_Connection *connection; /* borrowed: it lives longer than the request */
  HttpRequestState state;
  const char *method; /* borrowed from MHD */
  const char *path;   /* borrowed from MHD */
  char *body;         /* owned; NULL: nothing has come */
  size_t body_len;    /* of all that has come, kept or not [octets] */
  size_t body_cap;    /* [octets] */
  HttpJob *job;       /* owned; NULL: none */
  unsigned status;
  struct MHD_Response *response; /* owned; NULL: none yet, or out of memory */
};

/* ---- A request's life ------------------------------------------------------------------------ */

static HttpRequest *request_new(Http *http, struct MHD_Connection *connection, const char *path,
                                const char *method) {
  HttpRequest *request = calloc(1, sizeof *request);
  if (!request)
    return NULL;
  request->http = http;
  request->connection = connection;
  request->path = path;
  request->method = method;
  return request;
}

static void count_down(Http *http, size_t *count) {
  pthread_mutex_lock(&http->mutex);
  if (--*count == 0)
    pthread_cond_broadcast(&http->idle);
  pthread_mutex_unlock(&http->mutex);
}

static void on_request_over(void *arg, struct MHD_Connection *connection, void **slot,
                            enum MHD_RequestTerminationCode code) {
  HttpRequest *request = *slot;
  (void)arg;
  (void)connection;
  *slot = NULL;
  if (!request)
    return;
  if (request->job) {
    request->job->destroy(request->job, request->state == HTTP_REQUEST_DELIVERY &&
                                            code == MHD_REQUEST_TERMINATED_COMPLETED_OK);
    count_down(request->http, &request->http->answers);
  }
  if (request->response)
    MHD_destroy_response(request->response);
  free(request->body);
  free(request);
}

static bool body_reserve(HttpRequest *request, size_t len) {
  size_t cap = request->body_cap ? request->body_cap : BODY_FIRST_CAPACITY;
  while (cap < len)
    cap *= 2;
  if (cap == request->body_cap)
    return true;
  char *body = realloc(request->body, cap);
  if (!body)
    return false;
  request->body = body;
  request->body_cap = cap;
  return true;
}

/* A body that is too large is read on, so that the client gets to see the 413; but not for ever. */
static enum MHD_Result take_body(HttpRequest *request, const char *data, size_t len) {
  size_t total = request->body_len + len;
  if (total > DISCARDED_MAX)
    return MHD_NO;
  if (total <= HTTP_BODY_MAX) {
    if (!body_reserve(request, total))
      return MHD_NO;
    memcpy(request->body + request->body_len, data, len);
  }
  request->body_len = total;
  return MHD_YES;
}

static enum MHD_Result deliver(HttpRequest *request) {
  request->state = HTTP_REQUEST_DELIVERY;
  if (!request->response)
    return MHD_NO;
  http_answer_header(request, "X-Content-Type-Options", "nosniff");
  return MHD_queue_response(request->connection, request->status, request->response);
}

static void answer_too_large(HttpRequest *request) {
  http_answer_text(request, MHD_HTTP_CONTENT_TOO_LARGE, "the body is longer than 64 KiB");
}

/* The headers have come. A body that announces itself as too large is not waited for, if its client
 * awaits our word (RFC 9110 section 10.1.1), or if it would not be read to its end anyway. */
static enum MHD_Result begin(HttpRequest *request) {
  const char *length = http_request_header(request, MHD_HTTP_HEADER_CONTENT_LENGTH);
  unsigned long long announced = length ? strtoull(length, NULL, 10) : 0;
  bool asks = http_request_header(request, MHD_HTTP_HEADER_EXPECT) != NULL;
  if (announced <= (asks ? HTTP_BODY_MAX : DISCARDED_MAX))
    return MHD_YES;
  answer_too_large(request);
  return deliver(request);
}

static void answer_not_open(HttpRequest *request) {
  http_answer_text(request, MHD_HTTP_SERVICE_UNAVAILABLE, "the server is starting or stopping");
  http_answer_header(request, MHD_HTTP_HEADER_RETRY_AFTER, HTTP_RETRY_AFTER);
}

static bool is_open(Http *http) {
  pthread_mutex_lock(&http->mutex);
  bool open = http->phase == HTTP_OPEN;
  pthread_mutex_unlock(&http->mutex);
  return open;
}

static enum MHD_Result handle(HttpRequest *request) {
  Http *http = request->http;
  if (request->state == HTTP_REQUEST_JOB)
    request->job->finish(request->job, request);
  else if (request->body_len > HTTP_BODY_MAX)
    answer_too_large(request);
  else if (!is_open(http))
    answer_not_open(request);
  else {
    http->config.route(request, http->config.arg);
    if (request->state == HTTP_REQUEST_JOB)
      return MHD_YES;
  }
  return deliver(request);
}

/* MHD calls this when the headers have come, for each piece of the body, at the end of the body,
 * and when a job is done. */
static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version, const char *data,
                                  size_t *len, void **slot) {
  HttpRequest *request = *slot;
  (void)version;
  if (!request) {
    request = request_new(arg, connection, path, method);
    *slot = request;
    return request ? begin(request) : MHD_NO;
  }
  if (*len > 0) {
    size_t taken = *len;
    *len = 0;
    return take_body(request, data, taken);
  }
  return handle(request);
}

const char *http_request_method(const HttpRequest *request) {
  return request->method;
}

const char *http_request_path(const HttpRequest *request) {
  return request->path;
}

const char *http_request_header(const HttpRequest *request, const char *name) {
  return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

const char *http_request_body(const HttpRequest *request, size_t *len) {
  *len = request->body_len;
  return request->body ? request->body : "";
}

/* ---- Answers --------------------------------------------------------------------------------- */

static void answer(HttpRequest *request, unsigned status, const char *content_type,
                   struct MHD_Response *response) {
  assert(!request->response);
  request->status = status;
  request->response = response;
  if (content_type)
    http_answer_header(request, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
}

/* MHD's parameter is not const, but with these modes it only reads. */
static struct MHD_Response *response_of(const void *data, size_t len,
                                        enum MHD_ResponseMemoryMode mode) {
  union {
    const void *in;
    void *out;
  } cast = {data};
  return MHD_create_response_from_buffer(len, cast.out, mode);
}

void http_answer_static(HttpRequest *request, unsigned status, const char *content_type,
                        const void *data, size_t len) {
  answer(request, status, content_type, response_of(data, len, MHD_RESPMEM_PERSISTENT));
}

void http_answer_empty(HttpRequest *request, unsigned status) {
  http_answer_static(request, status, NULL, "", 0);
}

void http_answer_owned(HttpRequest *request, unsigned status, const char *content_type, char *data,
                       size_t len) {
  if (!data) {
    http_answer_text(request, MHD_HTTP_INTERNAL_SERVER_ERROR, "out of memory");
    return;
  }
  struct MHD_Response *response = MHD_create_response_from_buffer(len, data, MHD_RESPMEM_MUST_FREE);
  if (!response)
    free(data);
  answer(request, status, content_type, response);
}

void http_answer_text(HttpRequest *request, unsigned status, const char *text) {
  char line[512];
  int len = snprintf(line, sizeof line, "%s\n", text);
  size_t used = len < (int)sizeof line ? (size_t)len : sizeof line - 1;
  answer(request, status, "text/plain; charset=utf-8",
         response_of(line, used, MHD_RESPMEM_MUST_COPY));
}

void http_answer_header(HttpRequest *request, const char *name, const char *value) {
  if (request->response && MHD_add_response_header(request->response, name, value) != MHD_YES)
    log_line(&request->http->config.log, RTC_LOG_LEVEL_WARN, "http: header %s was left out", name);
}

/* ---- Jobs ------------------------------------------------------------------------------------ */

bool http_request_suspend(HttpRequest *request, HttpJob *job) {
  Http *http = request->http;
  assert(request->state == HTTP_REQUEST_BODY && !request->job);
  job->request = request;
  request->job = job;
  pthread_mutex_lock(&http->mutex);
  bool open = http->phase == HTTP_OPEN;
  http->answers++;
  if (open)
    http->jobs++;
  pthread_mutex_unlock(&http->mutex);
  if (!open) {
    answer_not_open(request);
    return false;
  }
  request->state = HTTP_REQUEST_JOB;
  MHD_suspend_connection(request->connection);
  return true;
}

void http_job_done(HttpJob *job) {
  Http *http = job->request->http;
  /* From here on the HTTP thread may free job and request; the count comes after, since MHD must
   * not be stopped before. */
  MHD_resume_connection(job->request->connection);
  count_down(http, &http->jobs);
}

static bool wait_for_zero(Http *http, const size_t *count, const struct timespec *deadline) {
  int result = 0;
  pthread_mutex_lock(&http->mutex);
  while (*count > 0 && result == 0)
    result = pthread_cond_timedwait(&http->idle, &http->mutex, deadline);
  bool zero = *count == 0;
  pthread_mutex_unlock(&http->mutex);
  return zero;
}

bool http_wait_idle(Http *http, const struct timespec *deadline) {
  return wait_for_zero(http, &http->jobs, deadline);
}

void http_wait_answered(Http *http, const struct timespec *deadline) {
  (void)wait_for_zero(http, &http->answers, deadline);
}

/* ---- The thread ------------------------------------------------------------------------------ */

static void on_connection(void *arg, struct MHD_Connection *connection, void **slot,
                          enum MHD_ConnectionNotificationCode code) {
  Http *http = arg;
  (void)connection;
  (void)slot;
  if (code == MHD_CONNECTION_NOTIFY_STARTED) {
    atomic_fetch_add(&http->connections_live, 1);
    atomic_fetch_add(&http->connections_total, 1);
  } else {
    atomic_fetch_sub(&http->connections_live, 1);
  }
}

/* MHD's own complaints are about single clients: nothing that an operator must act on. */
__attribute__((format(printf, 2, 0))) static void on_log(void *arg, const char *format,
                                                         va_list args) {
  Http *http = arg;
  char text[256];
  vsnprintf(text, sizeof text, format, args);
  log_line(&http->config.log, RTC_LOG_LEVEL_DEBUG, "http: %s", text);
}

static struct MHD_Daemon *start_daemon(Http *http) {
  return MHD_start_daemon(
      MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC | MHD_USE_NO_LISTEN_SOCKET |
          MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG,
      0, NULL, NULL, on_request, http, MHD_OPTION_EXTERNAL_LOGGER, on_log, http,
      MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, IDLE_TIMEOUT_S,
      MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY, MHD_OPTION_NOTIFY_COMPLETED,
      on_request_over, http, MHD_OPTION_NOTIFY_CONNECTION, on_connection, http, MHD_OPTION_END);
}

/* A batch thread interrupts no other one when it wakes up: it waits until a worker on its core has
 * nothing to do, or has had its share. So media goes first, and requests come to the HTTP thread by
 * the dozen when there are many. A thread begins with its maker's policy. */
static struct MHD_Daemon *start_batch_daemon(Http *http) {
  struct sched_param before, batch = {0};
  int policy;
  bool changed = pthread_getschedparam(pthread_self(), &policy, &before) == 0 &&
                 policy == SCHED_OTHER &&
                 pthread_setschedparam(pthread_self(), SCHED_BATCH, &batch) == 0;
  struct MHD_Daemon *daemon = start_daemon(http);
  if (changed)
    pthread_setschedparam(pthread_self(), policy, &before);
  return daemon;
}

RtcError http_new(Http **http, const HttpConfig *config) {
  pthread_condattr_t attributes;
  Http *made = calloc(1, sizeof *made);
  if (!made)
    return RTC_ERROR_NO_MEMORY;
  made->config = *config;
  pthread_mutex_init(&made->mutex, NULL);
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(&made->idle, &attributes);
  pthread_condattr_destroy(&attributes);
  made->daemon = start_batch_daemon(made);
  if (!made->daemon) {
    http_destroy(made);
    return RTC_ERROR_LIBRARY;
  }
  *http = made;
  return RTC_OK;
}

static void set_phase(Http *http, HttpPhase phase) {
  pthread_mutex_lock(&http->mutex);
  http->phase = phase;
  pthread_mutex_unlock(&http->mutex);
}

void http_open(Http *http) {
  set_phase(http, HTTP_OPEN);
}

void http_close(Http *http) {
  set_phase(http, HTTP_CLOSED);
}

void http_stop(Http *http) {
  assert(http->jobs == 0);
  if (http->daemon)
    MHD_stop_daemon(http->daemon);
  http->daemon = NULL;
}

void http_destroy(Http *http) {
  if (!http)
    return;
  http_stop(http);
  pthread_cond_destroy(&http->idle);
  pthread_mutex_destroy(&http->mutex);
  free(http);
}

void http_add_socket(Http *http, int fd, const struct sockaddr *peer, socklen_t peer_len) {
  pthread_mutex_lock(&http->mutex);
  /* Under the lock: http_stop comes after http_close, so the daemon is there. */
  if (http->phase != HTTP_CLOSED)
    MHD_add_connection(http->daemon, fd, peer, peer_len); /* closes fd when it fails */
  else
    close(fd);
  pthread_mutex_unlock(&http->mutex);
}

void http_stats(const Http *http, HttpStats *stats) {
  stats->connections_live = atomic_load(&http->connections_live);
  stats->connections_total = atomic_load(&http->connections_total);
}
