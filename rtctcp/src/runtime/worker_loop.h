/* What the runtime's own files see of a worker: its loop, the handles on it, its scheduler. */
#ifndef RTC_RUNTIME_WORKER_LOOP_H
#define RTC_RUNTIME_WORKER_LOOP_H

#include "runtime/scheduler.h"
#include "runtime/worker_internal.h"

#include <uv.h>

uv_loop_t *rtc_worker_loop(const RtcWorker *worker);
RtcScheduler *rtc_worker_scheduler(const RtcWorker *worker);

/* Something waits for the next step: the loop must not block before it. */
void rtc_worker_want_step(RtcWorker *worker);

/* Counts a libuv handle that was just initialised, and takes its data field: the worker has stopped
 * only when all of them are closed. */
void rtc_worker_open_handle(RtcWorker *worker, uv_handle_t *handle);

/* Closes a counted handle and, when libuv has let go of it, frees it.
 * handle  owned: the first member of what malloc gave */
void rtc_worker_close_handle(uv_handle_t *handle);

#endif
