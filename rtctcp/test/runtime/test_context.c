/* context_*.c: the stack switch, on whichever backend is linked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/context.h"
#include "runtime/sanitizer.h"

#include <stdlib.h>
#include <string.h>

enum { STACK_SIZE = 64 * 1024 };

/* A flow of control with its stack, known to the sanitizers. */
typedef struct Flow {
  void *stack; /* owned */
  RtcContext at;
  RtcFiber fiber;
  unsigned valgrind_id;
} Flow;

static RtcFiber test_fiber;

static void flow_init(Flow *flow, RtcContextEntry entry) {
  flow->stack = malloc(STACK_SIZE);
  assert_non_null(flow->stack);
  flow->valgrind_id = rtc_sanitizer_stack_mapped(flow->stack, STACK_SIZE, 0);
  rtc_fiber_init(&flow->fiber, flow->stack, STACK_SIZE);
  flow->at = rtc_context_make(flow->stack, STACK_SIZE, entry);
}

static void flow_finish(Flow *flow) {
  rtc_fiber_finish(&flow->fiber);
  rtc_sanitizer_stack_unmapped(flow->valgrind_id);
  free(flow->stack);
}

static void *jump_in(Flow *flow, void *arg) {
  rtc_fiber_adopt(&test_fiber);
  rtc_fiber_leave(&test_fiber, &flow->fiber, false);
  RtcJump back = rtc_context_jump(flow->at, arg);
  rtc_fiber_arrive(&test_fiber, &flow->fiber);
  flow->at = back.from;
  return back.arg;
}

static RtcJump jump_out(Flow *flow, RtcContext to, void *arg, bool for_good) {
  rtc_fiber_leave(&flow->fiber, &test_fiber, for_good);
  RtcJump back = rtc_context_jump(to, arg);
  rtc_fiber_arrive(&flow->fiber, &test_fiber);
  return back;
}

typedef struct Adder {
  Flow flow;
  int next;
  int sum;
  bool last;
} Adder;

/* Adds what each jump brings to a sum on its own stack. */
static void add_entry(RtcJump jump) {
  Adder *adder = jump.arg;
  double sum = 0; /* a callee-saved register or a slot of this stack: both must survive */

  rtc_fiber_arrive(&adder->flow.fiber, &test_fiber);
  while (!adder->last) {
    sum += adder->next;
    adder->sum = (int)sum;
    jump = jump_out(&adder->flow, jump.from, adder, false);
    adder = jump.arg;
  }
  jump_out(&adder->flow, jump.from, NULL, true);
  abort();
}

/* A flow goes on where it stopped, with its locals, and arguments travel both ways. */
static void flow_goes_on_where_it_stopped(void **state) {
  Adder adder = {.sum = 0};

  (void)state;
  flow_init(&adder.flow, add_entry);
  for (adder.next = 1; adder.next <= 100; adder.next++)
    assert_ptr_equal(jump_in(&adder.flow, &adder), &adder);
  assert_int_equal(adder.sum, 5050);
  adder.last = true;
  assert_null(jump_in(&adder.flow, &adder));
  flow_finish(&adder.flow);
}

/* Flows on different stacks do not disturb one another. */
static void flows_interleave(void **state) {
  Adder adders[8];

  (void)state;
  memset(adders, 0, sizeof adders);
  for (size_t i = 0; i < 8; i++)
    flow_init(&adders[i].flow, add_entry);
  for (int round = 1; round <= 10; round++) {
    for (size_t i = 0; i < 8; i++) {
      adders[i].next = (int)i;
      jump_in(&adders[i].flow, &adders[i]);
      assert_int_equal(adders[i].sum, (int)i * round);
    }
  }
  for (size_t i = 0; i < 8; i++) {
    adders[i].last = true;
    jump_in(&adders[i].flow, &adders[i]);
    flow_finish(&adders[i].flow);
  }
}

static void address_entry(RtcJump jump) {
  Flow *flow = jump.arg;
  _Alignas(16) char here[16];

  rtc_fiber_arrive(&flow->fiber, &test_fiber);
  memset(here, 1, sizeof here);
  jump_out(flow, jump.from, (void *)((uintptr_t)here), true);
  abort();
}

/* The entry runs near the top of the stack it was given, aligned as the ABI wants it. */
static void entry_runs_on_the_given_stack(void **state) {
  Flow flow;

  (void)state;
  flow_init(&flow, address_entry);
  uintptr_t low = (uintptr_t)flow.stack;
  uintptr_t here = (uintptr_t)jump_in(&flow, &flow);
  if (!RTC_ASAN) /* which may keep locals elsewhere */
    assert_true(here > low + STACK_SIZE - 8192 && here < low + STACK_SIZE);
  assert_int_equal(here % 16, 0);
  flow_finish(&flow);
}

/* The build links one of the two. */
static void backend_is_named(void **state) {
  const char *name = rtc_context_backend();

  (void)state;
  assert_true(strcmp(name, "fcontext") == 0 || strcmp(name, "ucontext") == 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(flow_goes_on_where_it_stopped),
      cmocka_unit_test(flows_interleave),
      cmocka_unit_test(entry_runs_on_the_given_stack),
      cmocka_unit_test(backend_is_named),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
