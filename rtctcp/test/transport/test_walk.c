/* A walk at random over all that can happen to the pair, against a model of it.
 *
 * RTC_WALK_STEPS and RTC_WALK_SEED make it longer, or another one. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "walk/shrink.h"

#define SEED    1
#define STEPS   20000
#define TIME_US INT64_C(5000000) /* a slow machine makes fewer steps, and Valgrind */

static uint64_t number_of(const char *variable, uint64_t otherwise) {
  const char *text = getenv(variable);
  return text && *text ? strtoull(text, NULL, 10) : otherwise;
}

static void tell(const WalkTotals *totals, uint64_t seed) {
  double seconds = (double)totals->took_us / 1e6;
  print_message("%" PRIu64 " steps in %" PRIu64 " walks from seed %" PRIu64 ", %" PRIu64
                " handshakes, %" PRIu64 " excused, %.1f s: %.0f steps/s\n",
                totals->steps, totals->walks, seed, totals->handshakes, totals->excused, seconds,
                (double)totals->steps / seconds);
  for (int kind = 0; kind < WALK_EVENT_COUNT; kind++)
    print_message("  %8" PRIu64 "  %s\n", totals->played[kind], walk_event_text(kind));
}

/* Whatever happens, in whatever order: the library and the model agree after each step, and at the
 * end nothing is left. */
static void library_and_model_agree_after_every_step(void **state) {
  (void)state;
  uint64_t seed = number_of("RTC_WALK_SEED", SEED);
  uint64_t steps = number_of("RTC_WALK_STEPS", 0);
  WalkTotals totals;
  bool agree = walk_run(seed, steps ? steps : STEPS, steps ? 0 : TIME_US, &totals);
  tell(&totals, seed);
  assert_true(agree);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(library_and_model_agree_after_every_step),
  };
  walk_keep_signals();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
