/* Runs the body of a test as a coroutine of a fresh worker. */
#ifndef RTC_TEST_ON_WORKER_H
#define RTC_TEST_ON_WORKER_H

#include "runtime/coroutine.h"

/* The worker that the current on_worker made; NULL outside of it. */
RtcWorker *the_worker(void);

/* Makes a worker, runs fn(arg) as a coroutine of it, stops and destroys the worker. Asserts that
 * the result is OK, and that no coroutine and no descriptor is left.
 *
 * The worker's loop runs on the calling thread, as a host's loop does: cmocka's asserts work inside
 * fn too, where in a thread of their own they would end the program without a word. */
void on_worker(RtcCoroutineFn fn, void *arg);

#endif
