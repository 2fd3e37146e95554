/* HTTP/1.1 by libmicrohttpd, on a thread of its own, over sockets that others accepted.
 *
 * A request has one owner at a time. The HTTP thread owns it, but for the time of a job: from
 * http_request_suspend to http_job_done it belongs to whoever works on it, on whatever thread;
 * the HTTP thread leaves request and job alone meanwhile, even when the client has gone.
 *
 * Thread: the HTTP thread's, in route, finish and destroy, unless a declaration says otherwise. */
#ifndef SERVER_HTTP_H
#define SERVER_HTTP_H

#include <rtctcp/error.h>
#include <rtctcp/log.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <time.h>

#define HTTP_BODY_MAX ((size_t)64 * 1024) /* a request's; more is answered with 413 [octets] */

/* Of a 503. Nobody knows when a session ends or another server takes over: long enough not to add
 * to the load, short enough for somebody who waits. [s] */
#define HTTP_RETRY_AFTER "10"

typedef struct Http Http;
typedef struct HttpRequest HttpRequest;

typedef struct HttpConfig {
  RtcLog log;
  /* Answers the request, or suspends it for a job. Called from http_open to http_close. */
  void (*route)(HttpRequest *request, void *arg);
  void *arg; /* borrowed */
} HttpConfig;

/* Starts the HTTP thread; until http_open it answers all requests with 503. Any thread.
 * Errors: NO_MEMORY, LIBRARY */
RTC_MUST_CHECK RtcError http_new(Http **http, const HttpConfig *config);

/* From here on requests are routed: what routes need must be there. Any thread. */
void http_open(Http *http);
/* No more sockets, no more jobs: other requests are answered with 503. Any thread. */
void http_close(Http *http);
/* Waits for the jobs that are under way. false: some were not done in time. Any thread.
 * deadline  of CLOCK_MONOTONIC */
bool http_wait_idle(Http *http, const struct timespec *deadline);
/* Waits until their answers are sent too; a client that does not read may have none. Any thread. */
void http_wait_answered(Http *http, const struct timespec *deadline);
/* Closes all HTTP connections and ends the thread; no job may be under way. Any other thread. */
void http_stop(Http *http);
/* Frees it, stopped or not. NULL is fine. */
void http_destroy(Http *http);

/* Takes a connected socket over, and closes it in time. Any thread. */
void http_add_socket(Http *http, int fd, const struct sockaddr *peer, socklen_t peer_len);

typedef struct HttpStats {
  uint64_t connections_live;
  uint64_t connections_total;
} HttpStats;
void http_stats(const Http *http, HttpStats *stats); /* any thread */

/* -- A request. Texts are borrowed: valid until it is answered. -- */
const char *http_request_method(const HttpRequest *request);
const char *http_request_path(const HttpRequest *request);
const char *http_request_header(const HttpRequest *request, const char *name); /* NULL: none */
const char *http_request_body(const HttpRequest *request, size_t *len);

/* -- Its answer: given once, then headers may be added. A body of NULL is an empty one. -- */

/* data must stay for good. */
void http_answer_static(HttpRequest *request, unsigned status, const char *content_type,
                        const void *data, size_t len);
/* Takes data, which malloc made. NULL: the answer is 500. */
void http_answer_owned(HttpRequest *request, unsigned status, const char *content_type, char *data,
                       size_t len);
/* text/plain, with a newline added; one line a person can read. */
void http_answer_text(HttpRequest *request, unsigned status, const char *text);
void http_answer_empty(HttpRequest *request, unsigned status);
void http_answer_header(HttpRequest *request, const char *name, const char *value);

/* -- A job: work for a request that is done on another thread. Embedded as the first member. -- */
typedef struct HttpJob {
  HttpRequest *request; /* back */
  /* The job is done: gives the answer. */
  void (*finish)(struct HttpJob *job, HttpRequest *request);
  /* The request is over. delivered: the whole answer went out. */
  void (*destroy)(struct HttpJob *job, bool delivered);
} HttpJob;

/* Gives the job to the request, and both to the caller, who sees to it that http_job_done is called
 * once. false: no jobs are taken now; the request is answered, the job is the request's. */
bool http_request_suspend(HttpRequest *request, HttpJob *job);

/* Gives the job and its request back: finish is called soon. Touch neither any more. Any thread. */
void http_job_done(HttpJob *job);

#endif
