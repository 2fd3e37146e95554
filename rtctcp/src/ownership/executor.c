/* Runs one resource's cycle in a coroutine, and gives the resource back when it ends. */
#include "ownership/executor.h"

#include "runtime/coroutine.h"
#include "runtime/worker_internal.h"

#include <inttypes.h>
#include <stdlib.h>

/* Named by what is awaited. It is freed when that has come. */
typedef enum RtcExecutorState {
  RTC_EXECUTOR_STATE_FIRST_STEP, /* its coroutine's, or an interrupt */
  RTC_EXECUTOR_STATE_CYCLE_END,  /* the cycle runs */
  RTC_EXECUTOR_STATE_END_TASK,   /* interrupted before the first step: the cycle never runs */
} RtcExecutorState;

struct RtcExecutor {
  RtcExecutor **slot;          /* back: in the resource, or in what lives as long */
  RtcWorker *worker;           /* borrowed */
  RtcResourceManager *manager; /* borrowed: it awaits the resource's removal */
  RtcResource *resource;       /* owned: one handle */
  RtcExecutorCycle cycle;
  const char *name;        /* borrowed: static */
  RtcCoroutine *coroutine; /* owned */
  RtcExecutorState state;
  RtcTask end_task; /* of a coroutine that never begins */
  RtcWorkerHolder holder;
};

/* The slot goes first: the handle may be the last one of what it lies in. */
static void finish(RtcExecutor *executor, RtcError result) {
  RTC_LOG(rtc_worker_log(executor->worker), DEBUG, "%s=%" PRIu64 " ends its cycle: %s",
          executor->name, rtc_resource_id(executor->resource), rtc_error_name(result));
  *executor->slot = NULL;
  rtc_coroutine_detach(executor->coroutine);
  rtc_resource_manager_remove(executor->manager, &executor->resource);
  rtc_worker_let_go(executor->worker, &executor->holder);
  free(executor);
}

static RtcError run_coroutine(void *arg) {
  RtcExecutor *executor = arg;
  assert(executor->state == RTC_EXECUTOR_STATE_FIRST_STEP);
  executor->state = RTC_EXECUTOR_STATE_CYCLE_END;
  RtcError result = executor->cycle(executor->resource);
  finish(executor, result);
  return result;
}

static void run_end_task(void *arg) {
  finish(arg, RTC_ERROR_CANCELED);
}

/* The worker interrupts a coroutine itself only when the last holder has let go. */
static void on_stop(void *arg) {
  rtc_executor_interrupt(arg);
}

RtcError rtc_executor_start(RtcExecutor **executor, RtcWorker *worker, RtcResourceManager *manager,
                            RtcResource *resource, const char *name, RtcExecutorCycle cycle) {
  assert(rtc_resource_state(resource) == RTC_RESOURCE_STATE_LIVE);
  RtcExecutor *e = calloc(1, sizeof(*e));
  if (!e)
    return RTC_ERROR_NO_MEMORY;
  *e = (RtcExecutor){
      .slot = executor,
      .worker = worker,
      .manager = manager,
      .cycle = cycle,
      .name = name,
      .end_task = {.run = run_end_task, .arg = e},
      .holder = {.on_stop = on_stop, .arg = e},
  };
  RtcError err = rtc_worker_hold(worker, &e->holder);
  if (err)
    goto free_executor;
  err = rtc_coroutine_spawn(&e->coroutine, worker, name, run_coroutine, e);
  if (err)
    goto let_go;
  e->resource = rtc_resource_ref(resource);
  *executor = e;
  return RTC_OK;

let_go:
  rtc_worker_let_go(worker, &e->holder);
free_executor:
  free(e);
  return err;
}

/* A coroutine that has not begun never begins: the task ends the executor in its stead, later in
 * the turn, as no end comes from inside this call. */
void rtc_executor_interrupt(RtcExecutor *executor) {
  if (!executor)
    return;
  rtc_coroutine_interrupt(executor->coroutine);
  if (executor->state != RTC_EXECUTOR_STATE_FIRST_STEP)
    return;
  executor->state = RTC_EXECUTOR_STATE_END_TASK;
  rtc_worker_at_end_of_turn(executor->worker, &executor->end_task);
}
