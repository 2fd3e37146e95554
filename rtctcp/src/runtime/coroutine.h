/* Coroutines of one worker: spawned, stopped and woken on its thread only.
 *
 * A coroutine runs until it parks; nothing interrupts it in between. It wakes in a later step of
 * its worker, never inside the call that made it ready. An interrupt is sticky: from it on, every
 * call that would yield returns CANCELED at once, until the coroutine ends. */
#ifndef RTC_RUNTIME_COROUTINE_H
#define RTC_RUNTIME_COROUTINE_H

#include "base/clock.h"

#include <rtctcp/worker.h>

typedef struct RtcCoroutine RtcCoroutine;

typedef RtcError (*RtcCoroutineFn)(void *arg);

/* Makes a coroutine that begins in the worker's next step. Whoever spawns it must join or detach
 * it, once.
 * name    for the log; a static string
 * Errors: NO_MEMORY, CLOSED (the worker has stopped) */
RTC_MUST_CHECK RtcError rtc_coroutine_spawn(RtcCoroutine **co, RtcWorker *worker, const char *name,
                                            RtcCoroutineFn fn, void *arg);

/* The coroutine that runs now on this worker; NULL: the loop itself runs. */
RtcCoroutine *rtc_coroutine_current(const RtcWorker *worker);

/* Stops the current coroutine until rtc_coroutine_ready, the deadline, or an interrupt.
 * Yields: yes.
 * Errors: TIMEOUT, CANCELED */
RtcError rtc_coroutine_park(RtcWorker *worker, int64_t deadline_us);

/* Wakes a parked coroutine. On one that runs, is ready already, or waits for something else (a
 * sleep, a join, a descriptor) it is remembered: its next park returns at once. Never yields. */
void rtc_coroutine_ready(RtcCoroutine *co);

/* Lets a duration pass. Yields: yes. Errors: CANCELED */
RtcError rtc_coroutine_sleep(RtcWorker *worker, int64_t duration_us);

/* Goes to the end of the ready queue. Yields: yes. Errors: CANCELED */
RtcError rtc_coroutine_yield(RtcWorker *worker);

/* What runs between these two must not yield, which is asserted. They nest. */
void rtc_coroutine_forbid_yield(RtcWorker *worker);
void rtc_coroutine_allow_yield(RtcWorker *worker);

/* Sets the sticky interrupt and wakes the coroutine. One that has not begun never begins: its
 * result is CANCELED. Never yields; on the current coroutine too. */
void rtc_coroutine_interrupt(RtcCoroutine *co);
bool rtc_coroutine_interrupted(const RtcCoroutine *co);

/* Waits for the end of a coroutine, takes its result and frees it. One may not join oneself.
 * Yields: yes, unless it has ended already. Hold nothing that can go meanwhile.
 * Errors: TIMEOUT, CANCELED (the caller was interrupted): it is not joined then; join again or
 *         detach it */
RTC_MUST_CHECK RtcError rtc_coroutine_join(RtcCoroutine *co, int64_t deadline_us, RtcError *result);

/* Nobody will join it: it frees itself when it ends. It may have ended already. */
void rtc_coroutine_detach(RtcCoroutine *co);

#endif
