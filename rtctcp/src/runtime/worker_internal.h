/* What the library itself sees of a worker. A turn of the loop: events and timers make coroutines
 * ready; the step runs all that are ready; then the end-of-turn tasks run (sends are batched
 * there); then the loop waits again. */
#ifndef RTC_RUNTIME_WORKER_INTERNAL_H
#define RTC_RUNTIME_WORKER_INTERNAL_H

#include "base/clock.h"
#include "base/log_internal.h"

#include <rtctcp/worker.h>

/* The clock; within the step and its tasks, as it was when the step began [us]. */
int64_t rtc_worker_now(const RtcWorker *worker);

/* Borrowed, lives as long as the worker. */
const RtcLog *rtc_worker_log(const RtcWorker *worker);
const char *rtc_worker_name(const RtcWorker *worker);

/* A task that runs once at the end of this turn, after the ready coroutines. Embedded in what it
 * works on; queued at most once at a time. */
typedef struct RtcTask {
  void (*run)(void *arg); /* never yields; may queue tasks again: they run in the next turn */
  void *arg;              /* borrowed */
  struct RtcTask *next;   /* of the worker's queue */
  bool queued;
} RtcTask;

void rtc_worker_at_end_of_turn(RtcWorker *worker, RtcTask *task);
/* Takes it out again; fine when it is not queued. */
void rtc_worker_cancel_task(RtcWorker *worker, RtcTask *task);

/* A letter to the worker: fn(arg) runs once on its thread. Embedded in what it is about, so that to
 * post it takes no memory, and what must happen can't fail for want of it. */
typedef struct RtcLetter {
  void (*fn)(void *arg); /* may free what the letter is embedded in */
  void *arg;             /* borrowed */
  struct RtcLetter *next;
  bool allocated; /* by rtc_worker_post: freed after the call */
} RtcLetter;

/* As rtc_worker_post, with a letter of the caller's, who keeps it until its fn is called.
 * Errors: CLOSED (fn will not run) */
RTC_MUST_CHECK RtcError rtc_worker_post_letter(RtcWorker *worker, RtcLetter *letter);

/* A holder keeps the worker running: rtc_worker_stop calls on_stop once, on the loop, and the
 * worker leaves its loop only when every holder has let go and every coroutine has ended. Until the
 * last holder has let go, coroutines run and are spawned as ever, since they do the closing; then
 * those left are interrupted, and spawn returns CLOSED. */
typedef struct RtcWorkerHolder {
  void (*on_stop)(void *arg); /* never yields */
  void *arg;                  /* borrowed */
  struct RtcWorkerHolder *next;
  struct RtcWorkerHolder **at; /* what points here; NULL: does not hold */
} RtcWorkerHolder;

/* Errors: CLOSED (the worker stops already) */
RTC_MUST_CHECK RtcError rtc_worker_hold(RtcWorker *worker, RtcWorkerHolder *holder);
void rtc_worker_let_go(RtcWorker *worker, RtcWorkerHolder *holder);

/* Two 64 KiB buffers that everybody on the worker shares: contents are lost at the next yield, or
 * when anybody else is called who uses them. */
#define RTC_WORKER_BUFFER_SIZE ((size_t)64 * 1024)
uint8_t *rtc_worker_receive_buffer(RtcWorker *worker);
uint8_t *rtc_worker_send_buffer(RtcWorker *worker);

#endif
