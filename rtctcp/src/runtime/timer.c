/* RtcTimer: a deadline on libuv's timer, which is set again as seldom as can be. */
#include "runtime/timer.h"

#include "runtime/worker_loop.h"

#include <stdlib.h>

/* libuv's part, which outlives the RtcTimer until it is closed. */
typedef struct Alarm {
  uv_timer_t uv;    /* first: it is freed by this pointer */
  RtcTimer *timer;  /* back; NULL: finished */
  int64_t armed_us; /* when it will fire; RTC_NEVER: it will not */
} Alarm;

RtcError rtc_timer_init(RtcTimer *timer, RtcWorker *worker, void (*fire)(void *arg), void *arg) {
  Alarm *alarm = malloc(sizeof *alarm);

  if (!alarm)
    return RTC_ERROR_NO_MEMORY;
  uv_timer_init(rtc_worker_loop(worker), &alarm->uv); /* never fails */
  rtc_worker_open_handle(worker, (uv_handle_t *)&alarm->uv);
  alarm->timer = timer;
  alarm->armed_us = RTC_NEVER;
  *timer = (RtcTimer){
      .worker = worker,
      .fire = fire,
      .arg = arg,
      .deadline_us = RTC_NEVER,
      .handle = alarm,
  };
  return RTC_OK;
}

static void arm(Alarm *alarm);

static void on_alarm(uv_timer_t *uv) {
  Alarm *alarm = (Alarm *)uv;
  RtcTimer *timer = alarm->timer;

  alarm->armed_us = RTC_NEVER;
  if (timer->deadline_us == RTC_NEVER)
    return;
  if (rtc_worker_now(timer->worker) < timer->deadline_us) {
    arm(alarm);
    return;
  }
  timer->deadline_us = RTC_NEVER;
  timer->fire(timer->arg); /* the timer may be gone now */
}

/* libuv counts whole milliseconds of the same clock from the loop's time: rounded up, the alarm is
 * never early. At least one, or an alarm that is set again while it fires would fire for ever. */
static void arm(Alarm *alarm) {
  int64_t deadline_us = alarm->timer->deadline_us;
  int64_t loop_ms = (int64_t)uv_now(alarm->uv.loop);
  int64_t due_ms = deadline_us / RTC_US_PER_MS + (deadline_us % RTC_US_PER_MS > 0);
  int64_t wait_ms = due_ms > loop_ms ? due_ms - loop_ms : 1;

  uv_timer_start(&alarm->uv, on_alarm, (uint64_t)wait_ms, 0);
  alarm->armed_us = deadline_us;
}

void rtc_timer_start(RtcTimer *timer, int64_t deadline_us) {
  Alarm *alarm = timer->handle;

  timer->deadline_us = deadline_us;
  if (deadline_us < alarm->armed_us)
    arm(alarm);
}

void rtc_timer_stop(RtcTimer *timer) {
  timer->deadline_us = RTC_NEVER; /* a timer is mostly started again: the alarm is left to it */
}

bool rtc_timer_running(const RtcTimer *timer) {
  return timer->deadline_us != RTC_NEVER;
}

void rtc_timer_finish(RtcTimer *timer) {
  Alarm *alarm = timer->handle;

  if (!alarm)
    return;
  alarm->timer = NULL;
  timer->handle = NULL;
  timer->deadline_us = RTC_NEVER;
  rtc_worker_close_handle((uv_handle_t *)&alarm->uv);
}
