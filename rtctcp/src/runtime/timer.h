/* A one-shot timer on a worker's loop; a value inside its owner, who may go as soon as it has
 * called finish. Resolution: the loop's, 1 ms, never early. */
#ifndef RTC_RUNTIME_TIMER_H
#define RTC_RUNTIME_TIMER_H

#include "runtime/worker_internal.h"

typedef struct RtcTimer {
  RtcWorker *worker;       /* borrowed */
  void (*fire)(void *arg); /* never yields; may start, stop or finish the timer */
  void *arg;               /* borrowed */
  int64_t deadline_us;     /* RTC_NEVER: not running */
  void *handle;            /* owned: libuv's, which outlives this value until libuv lets go of it */
} RtcTimer;

/* Errors: NO_MEMORY */
RTC_MUST_CHECK RtcError rtc_timer_init(RtcTimer *timer, RtcWorker *worker, void (*fire)(void *arg),
                                       void *arg);

/* Runs it to this deadline, whatever it ran to before. Cheap when the deadline only moves away, as
 * an idle timeout's does: the loop's timer is left, and set again when it fires early. */
void rtc_timer_start(RtcTimer *timer, int64_t deadline_us);
void rtc_timer_stop(RtcTimer *timer);
bool rtc_timer_running(const RtcTimer *timer);

/* Fine on a zeroed timer, and twice. */
void rtc_timer_finish(RtcTimer *timer);

#endif
