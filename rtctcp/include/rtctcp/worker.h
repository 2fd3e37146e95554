/* RtcWorker: one event loop on one thread, with its coroutines and its mailbox.
 *
 * Thread: only rtc_worker_post, rtc_worker_stop and rtc_worker_join may be called from another
 * thread. Everything else of rtctcp runs on the thread of the worker that it belongs to. */
#ifndef RTCTCP_WORKER_H
#define RTCTCP_WORKER_H

#include <rtctcp/error.h>
#include <rtctcp/log.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct uv_loop_s; /* libuv's uv_loop_t */

typedef struct RtcWorker RtcWorker;

typedef struct RtcWorkerConfig {
  const char *name;              /* for the log and the thread's name; copied; NULL: "worker" */
  struct uv_loop_s *loop;        /* borrowed: the host runs it, on the thread that makes the worker.
                                  * NULL: own loop, on an own thread */
  RtcLog log;                    /* copied */
  size_t stack_size;             /* of a coroutine [octets]; 0: the default (64 KiB) */
  void (*on_stopped)(void *arg); /* on the worker's thread, once; NULL: none. With a host's loop,
                                  * rtc_worker_destroy may be called from here on */
  void *arg;                     /* borrowed */
} RtcWorkerConfig;

typedef struct RtcWorkerStats {
  uint64_t coroutines_live;
  uint64_t coroutines_total;
  uint64_t stacks_pooled;    /* mapped stacks that wait for their next coroutine */
  uint64_t stack_high_water; /* deepest use of a stack by a coroutine that has ended [octets] */
  uint64_t posts;            /* messages taken from the mailbox */
} RtcWorkerStats;

/* Makes a worker. With an own loop its thread is running when this returns.
 * Errors: NO_MEMORY, SYSTEM */
RTC_API RTC_MUST_CHECK RtcError rtc_worker_new(RtcWorker **worker, const RtcWorkerConfig *config);

/* Runs fn(arg) once on the worker's thread, in a later turn of its loop; posts of one thread keep
 * their order. Any thread. What was posted before the worker has stopped is run.
 * Errors: NO_MEMORY, CLOSED (the worker has stopped: fn will not run) */
RTC_API RTC_MUST_CHECK RtcError rtc_worker_post(RtcWorker *worker, void (*fn)(void *arg),
                                                void *arg);

/* Begins to stop: what lives on the worker closes itself, every coroutine is interrupted, and when
 * the last has ended the worker leaves the loop. May be called twice. Any thread. */
RTC_API void rtc_worker_stop(RtcWorker *worker);

/* Waits until an own thread has ended; returns at once with a host's loop. Never on the worker's
 * own thread. Any one thread. */
RTC_API void rtc_worker_join(RtcWorker *worker);

/* Frees a worker that has stopped. NULL is fine. */
RTC_API void rtc_worker_destroy(RtcWorker *worker);

/* Is the calling thread the worker's? Any thread. */
RTC_API bool rtc_worker_is_current(const RtcWorker *worker);

RTC_API void rtc_worker_stats(const RtcWorker *worker, RtcWorkerStats *stats);

#ifdef __cplusplus
}
#endif

#endif
