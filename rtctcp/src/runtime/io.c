/* RtcIo: libuv's poll handle, watched lazily: it is left armed between two waits, and disarmed when
 * an event comes that nobody waits for. */
#include "runtime/io.h"

#include "runtime/scheduler.h"
#include "runtime/worker_loop.h"

#include <assert.h>
#include <stdlib.h>

_Static_assert((unsigned)RTC_IO_READABLE == UV_READABLE && (unsigned)RTC_IO_WRITABLE == UV_WRITABLE,
               "masks are passed through");

enum { BOTH = RTC_IO_READABLE | RTC_IO_WRITABLE };

/* libuv's part, which outlives the RtcIo until it is closed. */
typedef struct Poll {
  uv_poll_t uv; /* first: it is freed by this pointer */
  RtcIo *io;    /* back */
} Poll;

RtcError rtc_io_init(RtcIo *io, RtcWorker *worker, int fd) {
  Poll *poll = malloc(sizeof *poll);

  if (!poll)
    return RTC_ERROR_NO_MEMORY;
  int failed = uv_poll_init(rtc_worker_loop(worker), &poll->uv, fd);
  if (failed) {
    free(poll);
    return failed == UV_ENOMEM ? RTC_ERROR_NO_MEMORY : RTC_ERROR_SYSTEM;
  }
  rtc_worker_open_handle(worker, (uv_handle_t *)&poll->uv);
  poll->io = io;
  *io = (RtcIo){.worker = worker, .handle = poll};
  return RTC_OK;
}

static void on_poll(uv_poll_t *uv, int status, int events);

/* Both calls fail only for a handle that is closing, or a descriptor that another one watches. */
static void arm(RtcIo *io, unsigned events) {
  Poll *poll = io->handle;

  if (events == io->armed)
    return;
  io->armed = events;
  if (events)
    uv_poll_start(&poll->uv, (int)events, on_poll);
  else
    uv_poll_stop(&poll->uv);
}

static void on_poll(uv_poll_t *uv, int status, int events) {
  RtcIo *io = ((Poll *)uv)->io;
  unsigned come = status < 0 ? BOTH : (unsigned)events & BOTH;
  unsigned wanted = io->waiter ? io->interest : 0;

  if (status < 0)
    io->armed = 0; /* libuv has stopped the handle; the next wait arms it again */
  io->events |= come;
  /* The loop is level-triggered: what is left armed and not waited for would make it spin. */
  arm(io, io->armed & ~(come & ~wanted));
  if (come & wanted)
    rtc_coroutine_wake(io->waiter);
}

void rtc_io_set_interest(RtcIo *io, unsigned interest) {
  io->interest = interest;
  /* What came unwanted was disarmed: armed again, it comes again. */
  if (io->waiter && io->handle && (interest & ~io->armed))
    arm(io, interest);
}

static RtcError park(RtcIo *io, int64_t deadline_us) {
  if (io->interest & ~io->armed)
    arm(io, io->interest);
  io->waiter = rtc_coroutine_current(io->worker);
  RtcError error = rtc_coroutine_await(io->waiter, deadline_us);
  io->waiter = NULL;
  return error;
}

RtcError rtc_io_wait(RtcIo *io, int64_t deadline_us, unsigned *events) {
  assert(!io->waiter);
  if (!io->handle)
    return RTC_ERROR_INVALID_STATE;
  if (rtc_coroutine_interrupted(rtc_coroutine_current(io->worker)))
    return RTC_ERROR_CANCELED;
  if (!(io->events & io->interest)) {
    RtcError error = park(io, deadline_us);
    if (error == RTC_ERROR_CANCELED)
      return error;
    if (!io->handle)
      return RTC_ERROR_INVALID_STATE;
    if (!(io->events & io->interest))
      return error ? error : RTC_ERROR_TIMEOUT;
  }
  *events = io->events & io->interest;
  io->events = 0;
  return RTC_OK;
}

void rtc_io_finish(RtcIo *io) {
  Poll *poll = io->handle;

  if (!poll)
    return;
  io->handle = NULL;
  io->armed = 0;
  rtc_worker_close_handle((uv_handle_t *)&poll->uv);
  if (io->waiter)
    rtc_coroutine_wake(io->waiter);
}
