/* Runs the body of a test as a coroutine of a fresh worker. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/descriptors.h"
#include "support/on_worker.h"

#include <uv.h>

typedef struct Body {
  RtcCoroutineFn fn;
  void *arg; /* borrowed */
  RtcError result;
  bool stopped;
  RtcWorkerStats at_end; /* when the body and all that it left behind had ended */
} Body;

static RtcWorker *running; /* owned by the on_worker that runs */

RtcWorker *the_worker(void) {
  return running;
}

static RtcError run_body(void *arg) {
  Body *body = arg;

  body->result = body->fn(body->arg);
  rtc_worker_stop(running);
  return RTC_OK;
}

static void on_stopped(void *arg) {
  Body *body = arg;

  rtc_worker_stats(running, &body->at_end);
  body->stopped = true;
}

/* The first loop of a process opens descriptors that libuv keeps: they are not ours to count. */
static void open_libuvs_own(void) {
  uv_loop_t loop;

  assert_int_equal(uv_loop_init(&loop), 0);
  assert_int_equal(uv_loop_close(&loop), 0);
}

void on_worker(RtcCoroutineFn fn, void *arg) {
  open_libuvs_own();
  size_t descriptors = descriptors_open();
  Body body = {.fn = fn, .arg = arg, .result = RTC_ERROR_INVALID_STATE};
  RtcCoroutine *co;
  uv_loop_t loop;

  assert_int_equal(uv_loop_init(&loop), 0);
  const RtcWorkerConfig config = {
      .name = "test",
      .loop = &loop,
      .log = {.level = RTC_LOG_LEVEL_WARN, .write = rtc_log_write_stderr},
      .on_stopped = on_stopped,
      .arg = &body,
  };
  assert_int_equal(rtc_worker_new(&running, &config), RTC_OK);
  assert_int_equal(rtc_coroutine_spawn(&co, running, "test", run_body, &body), RTC_OK);
  rtc_coroutine_detach(co);

  uv_run(&loop, UV_RUN_DEFAULT);
  assert_true(body.stopped);
  assert_int_equal(body.at_end.coroutines_live, 0);
  rtc_worker_destroy(running);
  running = NULL;
  assert_int_equal(uv_loop_close(&loop), 0);
  assert_string_equal(rtc_error_name(body.result), "OK");
  assert_int_equal(descriptors_open(), descriptors);
}
