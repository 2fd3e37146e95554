/* An executor binds one resource to one coroutine: it holds a handle for as long as the coroutine
 * runs, and gives it to the manager when the cycle ends, however it ends: by return, by error, by
 * interrupt, or interrupted before its first step (then the cycle is never entered). It frees
 * itself. A worker that stops interrupts it. */
#ifndef RTC_OWNERSHIP_EXECUTOR_H
#define RTC_OWNERSHIP_EXECUTOR_H

#include "ownership/resource_manager.h"

typedef struct RtcExecutor RtcExecutor;

/* The work of the coroutine. Yields: yes. */
typedef RtcError (*RtcExecutorCycle)(RtcResource *resource);

/* Starts the coroutine; it begins in the worker's next step.
 * executor  out, and kept up to date: *executor is set to NULL when the coroutine has ended, so a
 *           resource may hold the pointer in itself. Must live as long as the resource.
 * resource  borrowed, live in this manager: the executor takes a handle of its own
 * name      of the coroutine, static
 * Errors:   NO_MEMORY, CLOSED: no handle is held, and nothing was given to the manager */
RTC_MUST_CHECK RtcError rtc_executor_start(RtcExecutor **executor, RtcWorker *worker,
                                           RtcResourceManager *manager, RtcResource *resource,
                                           const char *name, RtcExecutorCycle cycle);

/* Ends the cycle at its next yield. Fine twice, fine from the cycle itself, NULL is fine. */
void rtc_executor_interrupt(RtcExecutor *executor);

#endif
