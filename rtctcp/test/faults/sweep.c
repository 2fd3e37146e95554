/* The sweep's loop, and its look at what memory is left behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "faults/sweep.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* What a library caches grows for a few lives; a leak grows with each. */
#define LEAK_LIVES 40

static int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The same life again and again: does it leave something behind each time? */
static bool leaks(const Sweep *sweep, const FaultPlan *plan, long blocks) {
  for (int life = 0; life < LEAK_LIVES; life++) {
    long after;
    sweep->live(plan, sweep->arg);
    faults_live_blocks(&after);
    if (after <= blocks)
      return false;
    blocks = after;
  }
  return true;
}

static FaultCount live_and_look(const Sweep *sweep, const FaultPlan *plan) {
  long before = 0;
  long after = 0;
  bool can_tell = faults_live_blocks(&before) && !sweep->may_leak;
  FaultCount count = sweep->live(plan, sweep->arg);
  faults_live_blocks(&after);
  if (can_tell && after > before && leaks(sweep, plan, after))
    fail_msg("%s, call %zu: it leaks", faults_name(plan->point), plan->first);
  return count;
}

static void trace(const FaultPlan *plan) {
  if (getenv("RTC_TEST_FAULT_TRACE"))
    fprintf(stderr, "%s: call %zu\n", faults_name(plan->point), plan->first);
}

static const char *name_of(int error) {
  if (error == FAULT_PARTIAL)
    return "do a part only";
  return error ? strerrorname_np(error) : "fail";
}

static void report(const Sweep *sweep, size_t calls, size_t lives, int64_t begin_ms) {
  const FaultPlan *plan = &sweep->plan;
  char times[32] = "one";
  if (plan->times == FAULT_FOR_EVER)
    snprintf(times, sizeof times, "all from one on");
  else if (plan->times > 1)
    snprintf(times, sizeof times, "%zu", plan->times);
  printf("%s: %s %s: %zu calls a life, %zu lives, every %zu. call, %lld ms\n",
         faults_name(plan->point), times, name_of(plan->error), calls, lives, sweep->stride,
         (long long)(now_ms() - begin_ms));
}

void faults_sweep(const Sweep *given) {
  const char *only = getenv("RTC_TEST_FAULT");
  const char *stride = getenv("RTC_TEST_FAULT_STRIDE");
  Sweep sweep = *given;
  FaultPlan plan = sweep.plan;
  FaultCount count;
  size_t lives = 0;
  size_t calls = 0;
  int64_t begin_ms = now_ms();
  if (!faults_reach(plan.point)) {
    printf("%s: out of reach in this build\n", faults_name(plan.point));
    return;
  }
  if (stride)
    sweep.stride = strtoul(stride, NULL, 10);
  if (sweep.stride == 0)
    sweep.stride = 1;
  plan.first = only ? strtoul(only, NULL, 10) : 1;
  do {
    trace(&plan);
    count = live_and_look(&sweep, &plan);
    calls = count.calls > calls ? count.calls : calls;
    lives++;
    plan.first += sweep.stride;
  } while (count.hits > 0 && !only);
  report(&sweep, calls, lives, begin_ms);
}
