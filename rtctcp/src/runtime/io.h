/* A descriptor on a worker's loop, which one coroutine waits for. */
#ifndef RTC_RUNTIME_IO_H
#define RTC_RUNTIME_IO_H

#include "runtime/coroutine.h"
#include "runtime/worker_internal.h"

enum {
  RTC_IO_READABLE = 1,
  RTC_IO_WRITABLE = 2,
};

typedef struct RtcIo {
  RtcWorker *worker;    /* borrowed */
  RtcCoroutine *waiter; /* borrowed: parked in rtc_io_wait; NULL: nobody */
  unsigned interest;    /* RTC_IO_*: what wakes the waiter */
  unsigned events;      /* RTC_IO_*: what has come since the last wait returned */
  unsigned armed;       /* RTC_IO_*: what the loop watches now */
  void *handle;         /* owned: libuv's, which outlives this value until libuv lets go of it */
} RtcIo;

/* fd stays the caller's; it must be non-blocking, and be closed only after finish.
 * Errors: NO_MEMORY, SYSTEM */
RTC_MUST_CHECK RtcError rtc_io_init(RtcIo *io, RtcWorker *worker, int fd);

/* What wakes the waiter, now and later; a waiter already parked is woken by new interests too. */
void rtc_io_set_interest(RtcIo *io, unsigned interest);

/* Parks the current coroutine until the descriptor is ready for something of its interest.
 * An error or a hang-up of the descriptor counts as both: the next call on it tells.
 * Level-triggered: call it again while there is more to read. The loop goes on watching between
 * two waits, so that a wait a packet costs no system call. An event may be stale therefore: what
 * came since the last wait may have been read already, and the next call says EAGAIN.
 * events  out: RTC_IO_*
 * Yields: yes. Hold a handle of what owns io.
 * Errors: TIMEOUT, CANCELED; INVALID_STATE (finished meanwhile) */
RTC_MUST_CHECK RtcError rtc_io_wait(RtcIo *io, int64_t deadline_us, unsigned *events);

/* Stops watching at once: the fd may be closed now. Wakes a waiter. Fine on a zeroed io, and twice.
 */
void rtc_io_finish(RtcIo *io);

#endif
