/* RtcCoroutine: its life from spawn to join, and the scheduler that switches to it. */
#include "runtime/coroutine.h"

#include "runtime/timer.h"
#include "runtime/worker_loop.h"

#include <assert.h>
#include <stdlib.h>

enum {
  SPARE_MAX = 128, /* as many as there are pooled stacks */
};

/* Named by what is awaited. */
typedef enum CoroutineState {
  STATE_FIRST_STEP, /* in the ready queue; its function has not been entered */
  STATE_READY,      /* in the ready queue */
  STATE_RUNNING,
  STATE_PARKED,   /* rtc_coroutine_ready, the deadline or an interrupt */
  STATE_AWAITING, /* rtc_coroutine_wake, the deadline or an interrupt */
  STATE_ENDED,    /* its join or detach */
} CoroutineState;

struct RtcCoroutine {
  RtcScheduler *scheduler; /* back */
  const char *name;        /* borrowed: static */
  RtcCoroutineFn fn;
  void *arg; /* borrowed */
  CoroutineState state;
  bool interrupted;     /* sticky */
  bool detached;        /* nobody will join it */
  bool ready_once_more; /* made ready while it was not parked: the next park returns at once */
  RtcError woken_with;  /* what ended the last wait */
  RtcError result;      /* in ENDED */
  RtcContext context;   /* borrowed: lives on the stack; where it stopped */
  RtcStack *stack;      /* owned; NULL in ENDED */
  RtcFiber fiber;
  RtcTimer deadline;    /* of the one thing it waits for; kept from life to life */
  RtcCoroutine *joiner; /* borrowed: awaits our end; NULL: nobody */
  RtcCoroutine *next;   /* of the ready queue, or of the spare ones */
  RtcCoroutine *newer;  /* of the live list */
  RtcCoroutine *older;  /* of the live list */
};

/* ---- The lists ------------------------------------------------------------------------------- */

static void enqueue(RtcCoroutine *co, CoroutineState state) {
  RtcScheduler *scheduler = co->scheduler;

  co->state = state;
  co->next = NULL;
  if (scheduler->ready)
    scheduler->ready_last->next = co;
  else
    scheduler->ready = co;
  scheduler->ready_last = co;
  scheduler->ready_count++;
  rtc_worker_want_step(scheduler->worker);
}

static RtcCoroutine *dequeue(RtcScheduler *scheduler) {
  RtcCoroutine *co = scheduler->ready;

  scheduler->ready = co->next;
  scheduler->ready_count--;
  return co;
}

static void enlist(RtcScheduler *scheduler, RtcCoroutine *co) {
  co->newer = NULL;
  co->older = scheduler->live;
  if (co->older)
    co->older->newer = co;
  scheduler->live = co;
  scheduler->live_count++;
  scheduler->total_count++;
}

static void delist(RtcScheduler *scheduler, RtcCoroutine *co) {
  if (co->newer)
    co->newer->older = co->older;
  else
    scheduler->live = co->older;
  if (co->older)
    co->older->newer = co->newer;
  scheduler->live_count--;
}

/* ---- Waking ---------------------------------------------------------------------------------- */

static void wake(RtcCoroutine *co, RtcError with) {
  if (co->state != STATE_PARKED && co->state != STATE_AWAITING)
    return;
  rtc_timer_stop(&co->deadline);
  co->woken_with = with;
  enqueue(co, STATE_READY);
}

static void on_deadline(void *arg) {
  wake(arg, RTC_ERROR_TIMEOUT);
}

void rtc_coroutine_wake(RtcCoroutine *co) {
  wake(co, RTC_OK);
}

void rtc_coroutine_ready(RtcCoroutine *co) {
  if (co->state == STATE_PARKED)
    wake(co, RTC_OK);
  else
    co->ready_once_more = true;
}

void rtc_coroutine_interrupt(RtcCoroutine *co) {
  co->interrupted = true;
  wake(co, RTC_ERROR_CANCELED);
}

bool rtc_coroutine_interrupted(const RtcCoroutine *co) {
  return co->interrupted;
}

/* ---- Switching ------------------------------------------------------------------------------- */

/* From the current coroutine back to the loop; returns in a later step. */
static void switch_to_loop(RtcCoroutine *co, bool for_good) {
  RtcScheduler *scheduler = co->scheduler;

  rtc_fiber_leave(&co->fiber, &scheduler->loop_fiber, for_good);
  scheduler->loop = rtc_context_jump(scheduler->loop, NULL).from;
  rtc_fiber_arrive(&co->fiber, &scheduler->loop_fiber);
}

/* The first frame of every coroutine. */
static void entry(RtcJump jump) {
  RtcCoroutine *co = jump.arg;

  co->scheduler->loop = jump.from;
  rtc_fiber_arrive(&co->fiber, &co->scheduler->loop_fiber);
  co->result = co->fn(co->arg);
  co->state = STATE_ENDED;
  switch_to_loop(co, true);
  abort(); /* nobody jumps to an ended coroutine */
}

/* From the loop to a coroutine; returns when it has stopped again. */
static void switch_to(RtcScheduler *scheduler, RtcCoroutine *co) {
  scheduler->current = co;
  co->state = STATE_RUNNING;
  rtc_fiber_adopt(&scheduler->loop_fiber);
  rtc_fiber_leave(&scheduler->loop_fiber, &co->fiber, false);
  co->context = rtc_context_jump(co->context, co).from;
  rtc_fiber_arrive(&scheduler->loop_fiber, &co->fiber);
  scheduler->current = NULL;
}

static RtcError wait_in(RtcCoroutine *co, CoroutineState state, int64_t deadline_us) {
  assert(co && co->state == STATE_RUNNING && !co->scheduler->yield_forbidden);
  if (co->interrupted)
    return RTC_ERROR_CANCELED;
  if (deadline_us != RTC_NEVER)
    rtc_timer_start(&co->deadline, deadline_us);
  co->state = state;
  switch_to_loop(co, false);
  return co->interrupted ? RTC_ERROR_CANCELED : co->woken_with;
}

RtcError rtc_coroutine_await(RtcCoroutine *co, int64_t deadline_us) {
  return wait_in(co, STATE_AWAITING, deadline_us);
}

RtcError rtc_coroutine_park(RtcWorker *worker, int64_t deadline_us) {
  RtcCoroutine *co = rtc_coroutine_current(worker);

  assert(co);
  if (co->ready_once_more && !co->interrupted) {
    co->ready_once_more = false;
    return RTC_OK;
  }
  return wait_in(co, STATE_PARKED, deadline_us);
}

RtcError rtc_coroutine_sleep(RtcWorker *worker, int64_t duration_us) {
  /* The clock itself, not the turn's: this turn may have taken long. */
  int64_t now_us = rtc_clock_now_us();
  int64_t until_us = duration_us < RTC_NEVER - now_us ? now_us + duration_us : RTC_NEVER;
  RtcError error = rtc_coroutine_await(rtc_coroutine_current(worker), until_us);

  return error == RTC_ERROR_TIMEOUT ? RTC_OK : error;
}

RtcError rtc_coroutine_yield(RtcWorker *worker) {
  RtcCoroutine *co = rtc_coroutine_current(worker);

  assert(co && !co->scheduler->yield_forbidden);
  if (co->interrupted)
    return RTC_ERROR_CANCELED;
  enqueue(co, STATE_READY);
  switch_to_loop(co, false);
  return co->interrupted ? RTC_ERROR_CANCELED : RTC_OK;
}

void rtc_coroutine_forbid_yield(RtcWorker *worker) {
  rtc_worker_scheduler(worker)->yield_forbidden++;
}

void rtc_coroutine_allow_yield(RtcWorker *worker) {
  RtcScheduler *scheduler = rtc_worker_scheduler(worker);

  assert(scheduler->yield_forbidden > 0);
  scheduler->yield_forbidden--;
}

/* ---- Beginning and end ----------------------------------------------------------------------- */

static void destroy(RtcCoroutine *co) {
  rtc_timer_finish(&co->deadline);
  free(co);
}

static RtcError take_block(RtcScheduler *scheduler, RtcCoroutine **taken) {
  RtcCoroutine *co = scheduler->spare;

  if (co) {
    scheduler->spare = co->next;
    scheduler->spare_count--;
    *taken = co;
    return RTC_OK;
  }
  co = calloc(1, sizeof *co);
  if (!co)
    return RTC_ERROR_NO_MEMORY;
  RtcError error = rtc_timer_init(&co->deadline, scheduler->worker, on_deadline, co);
  if (error) {
    free(co);
    return error;
  }
  *taken = co;
  return RTC_OK;
}

/* The coroutine has ended, and its result was taken or is wanted by nobody. */
static void give_block(RtcCoroutine *co) {
  RtcScheduler *scheduler = co->scheduler;

  scheduler->unjoined_count--;
  if (scheduler->closed || scheduler->spare_count >= SPARE_MAX) {
    destroy(co);
    return;
  }
  co->next = scheduler->spare;
  scheduler->spare = co;
  scheduler->spare_count++;
}

RtcError rtc_coroutine_spawn(RtcCoroutine **co, RtcWorker *worker, const char *name,
                             RtcCoroutineFn fn, void *arg) {
  RtcScheduler *scheduler = rtc_worker_scheduler(worker);
  RtcCoroutine *made;
  RtcStack *stack;

  assert(rtc_worker_is_current(worker));
  if (scheduler->closed)
    return RTC_ERROR_CLOSED;
  RtcError error = rtc_stack_pool_take(&scheduler->stacks, &stack);
  if (error)
    return error;
  error = take_block(scheduler, &made);
  if (error) {
    rtc_stack_pool_give(&scheduler->stacks, stack);
    return error;
  }

  RtcTimer deadline = made->deadline;
  *made = (RtcCoroutine){
      .scheduler = scheduler,
      .name = name,
      .fn = fn,
      .arg = arg,
      .context = rtc_context_make(stack->low, stack->size, entry),
      .stack = stack,
      .deadline = deadline,
  };
  rtc_fiber_init(&made->fiber, stack->low, stack->size);
  enlist(scheduler, made);
  enqueue(made, STATE_FIRST_STEP);
  *co = made;
  return RTC_OK;
}

/* The coroutine has ended, and the loop runs again: nobody stands on its stack any more. */
static void retire(RtcScheduler *scheduler, RtcCoroutine *co) {
  RTC_LOG(rtc_worker_log(scheduler->worker), DEBUG, "coroutine=%s ended: %s", co->name,
          rtc_error_name(co->result));
  rtc_fiber_finish(&co->fiber);
  rtc_stack_pool_give(&scheduler->stacks, co->stack);
  co->stack = NULL;
  delist(scheduler, co);
  if (co->joiner)
    rtc_coroutine_wake(co->joiner);
  scheduler->unjoined_count++;
  if (co->detached)
    give_block(co);
}

RtcError rtc_coroutine_join(RtcCoroutine *co, int64_t deadline_us, RtcError *result) {
  if (co->state != STATE_ENDED) {
    RtcCoroutine *joiner = co->scheduler->current;
    assert(joiner != co && !co->joiner && !co->detached);
    co->joiner = joiner;
    RtcError error = rtc_coroutine_await(joiner, deadline_us);
    co->joiner = NULL;
    if (co->state != STATE_ENDED)
      return error;
  }
  *result = co->result;
  give_block(co);
  return RTC_OK;
}

void rtc_coroutine_detach(RtcCoroutine *co) {
  assert(!co->joiner && !co->detached);
  co->detached = true;
  if (co->state == STATE_ENDED)
    give_block(co);
}

RtcCoroutine *rtc_coroutine_current(const RtcWorker *worker) {
  return rtc_worker_scheduler(worker)->current;
}

/* ---- The scheduler --------------------------------------------------------------------------- */

void rtc_scheduler_init(RtcScheduler *scheduler, RtcWorker *worker, size_t stack_size) {
  *scheduler = (RtcScheduler){.worker = worker};
  rtc_stack_pool_init(&scheduler->stacks, stack_size);
}

void rtc_scheduler_finish(RtcScheduler *scheduler) {
  assert(scheduler->live_count == 0 && scheduler->unjoined_count == 0);
  while (scheduler->spare) {
    RtcCoroutine *co = scheduler->spare;
    scheduler->spare = co->next;
    destroy(co);
  }
  rtc_stack_pool_finish(&scheduler->stacks);
}

void rtc_scheduler_run(RtcScheduler *scheduler) {
  assert(!scheduler->current);
  for (size_t left = scheduler->ready_count; left > 0; left--) {
    RtcCoroutine *co = dequeue(scheduler);
    if (co->state == STATE_FIRST_STEP && co->interrupted) {
      co->result = RTC_ERROR_CANCELED;
      co->state = STATE_ENDED;
    } else {
      switch_to(scheduler, co);
    }
    if (co->state == STATE_ENDED)
      retire(scheduler, co);
  }
}

void rtc_scheduler_close(RtcScheduler *scheduler) {
  scheduler->closed = true;
  for (RtcCoroutine *co = scheduler->live; co; co = co->older)
    rtc_coroutine_interrupt(co);
}
