/* Tests of process.c: /proc's files, and this process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../process.h"

#include <unistd.h>

/* The name in the second field is the program's own choice: brackets and spaces are no ends. */
static void stat_is_read_behind_any_name(void **state) {
  uint64_t ticks = 0;
  (void)state;
  assert_true(
      process_parse_stat("12 (a b) R 1 1) S 1 12 12 0 -1 4194304 9 0 0 0 150 42 0 0 20 0", &ticks));
  assert_int_equal(ticks, 192);
  assert_false(process_parse_stat("", &ticks));
  assert_false(process_parse_stat("12 (cat) S 1 12", &ticks));
}

/* A field is found by its whole name, at the beginning of a line. */
static void fields_are_found_by_their_names(void **state) {
  static const char text[] = "Name:\tvoluntary_ctxt_switches: 9\nVmRSS:\t  1712 kB\n"
                             "nonvoluntary_ctxt_switches:\t5\nvoluntary_ctxt_switches:\t77\n";
  uint64_t value;
  (void)state;
  assert_true(process_parse_field(text, "VmRSS", &value));
  assert_int_equal(value, 1712);
  assert_true(process_parse_field(text, "voluntary_ctxt_switches", &value));
  assert_int_equal(value, 77);
  assert_true(process_parse_field(text, "nonvoluntary_ctxt_switches", &value));
  assert_int_equal(value, 5);
  assert_false(process_parse_field(text, "VmRS", &value));
  assert_false(process_parse_field(text, "Name", &value));
}

static void a_live_process_is_read(void **state) {
  ProcessFigures figures;
  (void)state;
  assert_true(process_read(&figures, getpid()));
  assert_true(figures.threads >= 1);
  assert_true(figures.rss > 0 && figures.cpu_ns > 0);
  assert_true(process_rss(getpid()) > 0);
  assert_false(process_read(&figures, 1 << 22)); /* above pid_max */
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(stat_is_read_behind_any_name),
      cmocka_unit_test(fields_are_found_by_their_names),
      cmocka_unit_test(a_live_process_is_read),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
