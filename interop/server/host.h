/* The host application: its workers, the RTC server on them, and HTTP in front of it. */
#ifndef SERVER_HOST_H
#define SERVER_HOST_H

#include "http.h"
#include "options.h"
#include "sessions.h"

#include <rtctcp/rtctcp.h>

#include <semaphore.h>
#include <stdatomic.h>

#define HOST_WORKERS_MAX OPTIONS_WORKERS_MAX

typedef struct Host Host;

/* One worker and what lives on it. */
typedef struct HostWorker {
  Host *host; /* back */
  unsigned index;
  RtcWorker *worker;         /* owned */
  RtcSourceManager *sources; /* owned. Thread: the worker's */
  Sessions sessions;         /* Thread: the worker's */
} HostWorker;

struct Host {
  const Options *options; /* borrowed */
  RtcLog log;
  Http *http;                           /* owned */
  HostWorker workers[HOST_WORKERS_MAX]; /* their places do not change while they run */
  size_t worker_count;                  /* that were started */
  RtcServer *server;                    /* owned; jobs of HTTP come when it is there */
  sem_t server_closed;                  /* posted by a worker */
  atomic_bool draining;
  atomic_size_t session_count; /* live, on all workers */
  void (*on_drained)(void *arg);
  void *drained_arg; /* borrowed */
};

/* Starts everything. What fails is told on standard error, and nothing is left running.
 * Errors: INVALID_ARGUMENT (an address can't be used), ADDRESS_IN_USE, ACCESS, ... */
RTC_MUST_CHECK RtcError host_start(Host *host, const Options *options);

/* Takes no new sessions, and lets those that live go on, until the last has ended or the options'
 * time for it is over; to be followed by host_stop, then or before. Once.
 * on_drained  on a worker's thread, possibly before this returns; not when host_stop came before */
void host_drain(Host *host, void (*on_drained)(void *arg), void *arg);

/* Is the server draining? Any thread. */
bool host_is_draining(const Host *host);

/* Closes every session and ends everything; frees what host_start made.
 * Errors: TIMEOUT  a worker does not come to its end; threads run on, the process should exit */
RTC_MUST_CHECK RtcError host_stop(Host *host);

/* The worker on which the next session is placed best; NULL: none takes any more. Any thread. */
HostWorker *host_pick_worker(Host *host);

#endif
