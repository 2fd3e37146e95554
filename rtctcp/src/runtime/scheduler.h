/* The coroutines of one worker: which are alive, which are ready, and which runs. */
#ifndef RTC_RUNTIME_SCHEDULER_H
#define RTC_RUNTIME_SCHEDULER_H

#include "runtime/context.h"
#include "runtime/coroutine.h"
#include "runtime/sanitizer.h"
#include "runtime/stack.h"

typedef struct RtcScheduler {
  RtcWorker *worker;        /* back */
  RtcCoroutine *current;    /* borrowed: the one that runs; NULL: the loop */
  RtcCoroutine *ready;      /* borrowed: the first of the queue */
  RtcCoroutine *ready_last; /* borrowed */
  size_t ready_count;
  RtcCoroutine *live;  /* borrowed: the list of all that have not ended */
  RtcCoroutine *spare; /* owned: ended and forgotten ones, for the next spawn */
  size_t spare_count;
  RtcContext loop; /* borrowed: where the loop stopped, while a coroutine runs */
  RtcFiber loop_fiber;
  RtcStackPool stacks;
  uint64_t live_count;
  uint64_t total_count;
  unsigned yield_forbidden; /* how many forbid it now */
  size_t unjoined_count;    /* ended, and neither joined nor detached yet */
  bool closed;              /* nothing is spawned any more */
} RtcScheduler;

void rtc_scheduler_init(RtcScheduler *scheduler, RtcWorker *worker, size_t stack_size);

/* Frees the spare ones and the pooled stacks, and closes their timers. None may be alive, or
 * await its join. */
void rtc_scheduler_finish(RtcScheduler *scheduler);

/* Runs every coroutine that is ready now, once. Those that become ready meanwhile wait for the next
 * call, so that the loop gets its turn. */
void rtc_scheduler_run(RtcScheduler *scheduler);

/* Interrupts all, and refuses new ones. */
void rtc_scheduler_close(RtcScheduler *scheduler);

/* Parks the current coroutine for an event of the runtime's own: rtc_coroutine_ready does not end
 * this wait, it is remembered. Errors: TIMEOUT, CANCELED */
RtcError rtc_coroutine_await(RtcCoroutine *co, int64_t deadline_us);

/* Ends the await. Fine when it has ended already. */
void rtc_coroutine_wake(RtcCoroutine *co);

#endif
