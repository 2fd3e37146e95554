/* RtcWorker: a loop's turns, and the worker's way from its start to its end. */
#include "runtime/mailbox.h"
#include "runtime/task_queue.h"
#include "runtime/worker_loop.h"

#include <assert.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Named by what is awaited. */
typedef enum WorkerState {
  STATE_STOP,       /* rtc_worker_stop */
  STATE_HOLDERS,    /* that the last holder lets go */
  STATE_COROUTINES, /* the end of the last coroutine, task and letter */
  STATE_HANDLES,    /* that libuv lets go of the last handle */
  STATE_DESTROY,    /* rtc_worker_destroy */
} WorkerState;

struct RtcWorker {
  char *name; /* owned */
  RtcLog log;
  void (*on_stopped)(void *arg);
  void *arg;       /* borrowed: the host's */
  uv_loop_t *loop; /* borrowed: the host's, or own_loop */
  uv_loop_t own_loop;
  pthread_t thread; /* the own one; with a host's loop the one that made the worker */
  bool joined;      /* or there is no own thread */
  WorkerState state;
  atomic_bool stop_wanted;

  RtcMailbox mailbox;
  uv_prepare_t before_poll;
  uv_check_t after_poll;
  uv_idle_t no_wait; /* active: the loop must not block */
  size_t handles;    /* libuv's, that it has not let go of */
  size_t closing;    /* of these, closed by us */

  int64_t now_us;          /* of this step; 0: outside of a step the clock is asked */
  RtcScheduler *scheduler; /* owned */
  RtcTaskQueue tasks;
  RtcWorkerHolder *told;   /* borrowed: holders that know of the stop */
  RtcWorkerHolder *untold; /* borrowed: holders that don't */
  uint64_t posts;
  uint8_t *receive_buffer; /* owned */
  uint8_t *send_buffer;    /* owned */
};

/* ---- Stopping -------------------------------------------------------------------------------- */

static void set_state(RtcWorker *worker, WorkerState state) {
  assert(state == worker->state + 1); /* there is one way, and no way back */
  worker->state = state;
}

RtcError rtc_worker_hold(RtcWorker *worker, RtcWorkerHolder *holder) {
  if (worker->state != STATE_STOP || atomic_load(&worker->stop_wanted))
    return RTC_ERROR_CLOSED;
  holder->next = worker->untold;
  holder->at = &worker->untold;
  if (holder->next)
    holder->next->at = &holder->next;
  worker->untold = holder;
  return RTC_OK;
}

void rtc_worker_let_go(RtcWorker *worker, RtcWorkerHolder *holder) {
  if (!holder->at)
    return;
  *holder->at = holder->next;
  if (holder->next)
    holder->next->at = holder->at;
  holder->next = NULL;
  holder->at = NULL;
  if (worker->state == STATE_HOLDERS)
    rtc_worker_want_step(worker);
}

static void tell_holders(RtcWorker *worker) {
  while (worker->untold) {
    RtcWorkerHolder *holder = worker->untold;
    rtc_worker_let_go(worker, holder);
    holder->next = worker->told;
    holder->at = &worker->told;
    if (holder->next)
      holder->next->at = &holder->next;
    worker->told = holder;
    holder->on_stop(holder->arg); /* may let go, of any holder */
  }
}

static void close_handles(RtcWorker *worker);

/* Goes on with a stop as far as it can. The holders' coroutines do the closing, so what still runs
 * is interrupted only when the last holder has let go. */
static void go_on_stopping(RtcWorker *worker) {
  if (worker->state == STATE_STOP && atomic_load(&worker->stop_wanted)) {
    set_state(worker, STATE_HOLDERS);
    tell_holders(worker);
  }
  if (worker->state == STATE_HOLDERS && !worker->told) {
    set_state(worker, STATE_COROUTINES);
    rtc_scheduler_close(worker->scheduler);
  }
  if (worker->state == STATE_COROUTINES && worker->scheduler->live_count == 0 &&
      rtc_task_queue_is_empty(&worker->tasks) && rtc_mailbox_close_if_empty(&worker->mailbox)) {
    set_state(worker, STATE_HANDLES);
    rtc_scheduler_finish(worker->scheduler);
    close_handles(worker);
    assert(worker->handles == worker->closing); /* else a timer or an io was not finished */
  }
}

void rtc_worker_stop(RtcWorker *worker) {
  atomic_store(&worker->stop_wanted, true);
  rtc_mailbox_wake(&worker->mailbox);
}

/* The last touch: a host may free the worker in its callback. */
static void stopped(RtcWorker *worker) {
  RTC_LOG(&worker->log, DEBUG, "worker=%s stopped", worker->name);
  set_state(worker, STATE_DESTROY);
  if (worker->on_stopped)
    worker->on_stopped(worker->arg);
}

/* ---- Handles --------------------------------------------------------------------------------- */

static bool has_own_loop(const RtcWorker *worker) {
  return worker->loop == &worker->own_loop;
}

void rtc_worker_open_handle(RtcWorker *worker, uv_handle_t *handle) {
  handle->data = worker;
  worker->handles++;
}

static void close_handle(uv_handle_t *handle, uv_close_cb on_closed) {
  RtcWorker *worker = handle->data;

  worker->closing++;
  uv_close(handle, on_closed);
}

static void on_handle_closed(uv_handle_t *handle) {
  RtcWorker *worker = handle->data;

  worker->closing--;
  worker->handles--;
  if (worker->handles == 0 && !has_own_loop(worker))
    stopped(worker); /* an own thread tells when it has left the loop */
}

static void on_heap_handle_closed(uv_handle_t *handle) {
  on_handle_closed(handle);
  free(handle);
}

void rtc_worker_close_handle(uv_handle_t *handle) {
  close_handle(handle, on_heap_handle_closed);
}

static void close_handles(RtcWorker *worker) {
  close_handle((uv_handle_t *)&worker->mailbox.wake, on_handle_closed);
  close_handle((uv_handle_t *)&worker->before_poll, on_handle_closed);
  close_handle((uv_handle_t *)&worker->after_poll, on_handle_closed);
  close_handle((uv_handle_t *)&worker->no_wait, on_handle_closed);
}

/* ---- The turn -------------------------------------------------------------------------------- */

static void on_no_wait(uv_idle_t *idle) {
  (void)idle; /* that it is active is all that it is for */
}

void rtc_worker_want_step(RtcWorker *worker) {
  if (worker->state < STATE_HANDLES && !uv_is_active((uv_handle_t *)&worker->no_wait))
    uv_idle_start(&worker->no_wait, on_no_wait);
}

static void step(RtcWorker *worker) {
  worker->now_us = rtc_clock_now_us();
  rtc_scheduler_run(worker->scheduler);
  rtc_task_queue_run(&worker->tasks);
  worker->now_us = 0;
  if (!worker->scheduler->ready && rtc_task_queue_is_empty(&worker->tasks))
    uv_idle_stop(&worker->no_wait);
  go_on_stopping(worker);
}

static void on_before_poll(uv_prepare_t *prepare) {
  step(prepare->data);
}

static void on_after_poll(uv_check_t *check) {
  step(check->data);
}

static void on_wake(uv_async_t *async) {
  RtcWorker *worker = async->data;

  worker->posts += rtc_mailbox_run(&worker->mailbox);
}

/* ---- Making one ------------------------------------------------------------------------------ */

static void free_memory(RtcWorker *worker) {
  free(worker->send_buffer);
  free(worker->receive_buffer);
  free(worker->scheduler);
  free(worker->name);
  free(worker);
}

static RtcError allocate(RtcWorker **made, const RtcWorkerConfig *config) {
  RtcWorker *worker = calloc(1, sizeof *worker);

  if (!worker)
    return RTC_ERROR_NO_MEMORY;
  worker->name = strdup(config->name ? config->name : "worker");
  worker->scheduler = malloc(sizeof *worker->scheduler);
  worker->receive_buffer = malloc(RTC_WORKER_BUFFER_SIZE);
  worker->send_buffer = malloc(RTC_WORKER_BUFFER_SIZE);
  if (!worker->name || !worker->scheduler || !worker->receive_buffer || !worker->send_buffer) {
    free_memory(worker);
    return RTC_ERROR_NO_MEMORY;
  }
  worker->log = config->log;
  worker->on_stopped = config->on_stopped;
  worker->arg = config->arg;
  rtc_task_queue_init(&worker->tasks);
  atomic_init(&worker->stop_wanted, false);
  rtc_scheduler_init(worker->scheduler, worker, config->stack_size);
  *made = worker;
  return RTC_OK;
}

/* The mailbox can fail, so it comes first: there is nothing to close then. */
static RtcError open_handles(RtcWorker *worker) {
  RtcError error = rtc_mailbox_init(&worker->mailbox, worker->loop, on_wake);

  if (error)
    return error;
  uv_prepare_init(worker->loop, &worker->before_poll);
  uv_check_init(worker->loop, &worker->after_poll);
  uv_idle_init(worker->loop, &worker->no_wait);
  rtc_worker_open_handle(worker, (uv_handle_t *)&worker->mailbox.wake);
  rtc_worker_open_handle(worker, (uv_handle_t *)&worker->before_poll);
  rtc_worker_open_handle(worker, (uv_handle_t *)&worker->after_poll);
  rtc_worker_open_handle(worker, (uv_handle_t *)&worker->no_wait);
  uv_prepare_start(&worker->before_poll, on_before_poll);
  uv_check_start(&worker->after_poll, on_after_poll);
  return RTC_OK;
}

static void *thread_main(void *arg) {
  RtcWorker *worker = arg;
  char name[16]; /* the kernel's limit */

  pthread_mutex_lock(&worker->mailbox.mutex); /* until worker->thread is set */
  pthread_mutex_unlock(&worker->mailbox.mutex);
  snprintf(name, sizeof name, "%.15s", worker->name);
  pthread_setname_np(worker->thread, name);

  uv_run(worker->loop, UV_RUN_DEFAULT);
  int busy = uv_loop_close(worker->loop);
  assert(!busy);
  (void)busy;
  stopped(worker);
  return NULL;
}

/* The process's signals are the host's business: its threads handle them, not ours. What a fault
 * raises stays open, since a blocked one would end the process without a word. */
static void block_signals(sigset_t *before) {
  static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT, SIGPROF};
  sigset_t blocked;

  sigfillset(&blocked);
  for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
    sigdelset(&blocked, faults[i]);
  pthread_sigmask(SIG_BLOCK, &blocked, before);
}

static RtcError start_thread(RtcWorker *worker) {
  sigset_t before;

  block_signals(&before);
  pthread_mutex_lock(&worker->mailbox.mutex);
  int failed = pthread_create(&worker->thread, NULL, thread_main, worker);
  pthread_mutex_unlock(&worker->mailbox.mutex);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return failed ? RTC_ERROR_SYSTEM : RTC_OK;
}

static RtcError start_own_loop(RtcWorker *worker) {
  int failed = uv_loop_init(&worker->own_loop);

  if (failed)
    return failed == UV_ENOMEM ? RTC_ERROR_NO_MEMORY : RTC_ERROR_SYSTEM;
  worker->loop = &worker->own_loop;
  RtcError error = open_handles(worker);
  if (error)
    goto close_loop;
  error = start_thread(worker);
  if (error)
    goto close_mailbox;
  return RTC_OK;

close_mailbox:
  close_handles(worker);
  uv_run(worker->loop, UV_RUN_DEFAULT);
  rtc_mailbox_finish(&worker->mailbox);
close_loop:
  uv_loop_close(&worker->own_loop);
  return error;
}

static RtcError start_on_hosts_loop(RtcWorker *worker, uv_loop_t *loop) {
  worker->loop = loop;
  worker->thread = pthread_self();
  worker->joined = true;
  return open_handles(worker);
}

RtcError rtc_worker_new(RtcWorker **worker, const RtcWorkerConfig *config) {
  RtcWorker *made;
  RtcError error = allocate(&made, config);

  if (error)
    return error;
  error = config->loop ? start_on_hosts_loop(made, config->loop) : start_own_loop(made);
  if (error) {
    free_memory(made);
    return error;
  }
  *worker = made;
  return RTC_OK;
}

void rtc_worker_join(RtcWorker *worker) {
  if (worker->joined)
    return;
  assert(!rtc_worker_is_current(worker));
  pthread_join(worker->thread, NULL);
  worker->joined = true;
}

void rtc_worker_destroy(RtcWorker *worker) {
  if (!worker)
    return;
  rtc_worker_join(worker);
  assert(worker->state == STATE_DESTROY);
  rtc_mailbox_finish(&worker->mailbox);
  free_memory(worker);
}

/* ---- For others to use
 * ------------------------------------------------------------------------------- */

RtcError rtc_worker_post(RtcWorker *worker, void (*fn)(void *arg), void *arg) {
  return rtc_mailbox_post(&worker->mailbox, fn, arg);
}

RtcError rtc_worker_post_letter(RtcWorker *worker, RtcLetter *letter) {
  return rtc_mailbox_deliver(&worker->mailbox, letter);
}

void rtc_worker_at_end_of_turn(RtcWorker *worker, RtcTask *task) {
  rtc_task_queue_add(&worker->tasks, task);
  rtc_worker_want_step(worker);
}

void rtc_worker_cancel_task(RtcWorker *worker, RtcTask *task) {
  rtc_task_queue_cancel(&worker->tasks, task);
}

bool rtc_worker_is_current(const RtcWorker *worker) {
  return pthread_equal(worker->thread, pthread_self());
}

void rtc_worker_stats(const RtcWorker *worker, RtcWorkerStats *stats) {
  const RtcScheduler *scheduler = worker->scheduler;

  *stats = (RtcWorkerStats){
      .coroutines_live = scheduler->live_count,
      .coroutines_total = scheduler->total_count,
      .stacks_pooled = scheduler->stacks.pooled,
      .stack_high_water = scheduler->stacks.high_water,
      .posts = worker->posts,
  };
}

int64_t rtc_worker_now(const RtcWorker *worker) {
  return worker->now_us ? worker->now_us : rtc_clock_now_us();
}

const RtcLog *rtc_worker_log(const RtcWorker *worker) {
  return &worker->log;
}

const char *rtc_worker_name(const RtcWorker *worker) {
  return worker->name;
}

uint8_t *rtc_worker_receive_buffer(RtcWorker *worker) {
  return worker->receive_buffer;
}

uint8_t *rtc_worker_send_buffer(RtcWorker *worker) {
  return worker->send_buffer;
}

uv_loop_t *rtc_worker_loop(const RtcWorker *worker) {
  return worker->loop;
}

RtcScheduler *rtc_worker_scheduler(const RtcWorker *worker) {
  return worker->scheduler;
}
