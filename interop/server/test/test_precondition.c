/* Tests of precondition.c: If-Match against one strong entity tag. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../precondition.h"

/* The star and each list with the tag hold; weak, other and malformed ones do not. */
static void if_match_is_compared(void **state) {
  static const struct {
    const char *if_match;
    bool holds;
  } cases[] = {
      {"*", true},
      {" * ", true},
      {"\"*\"", true},
      {"\"0abc\"", true},
      {" \"0abc\"\t", true},
      {"\"x\", \"0abc\"", true},
      {",, \"x\" ,\"0abc\",", true},
      {"W/\"x\", \"0abc\"", true},
      {"\"a, b\", \"0abc\"", true},
      {"", false},
      {" ", false},
      {",", false},
      {"0abc", false},
      {"W/\"0abc\"", false},
      {"w/\"0abc\"", false},
      {"\"0abC\"", false},
      {"\"0ab\"", false},
      {"\"0abcd\"", false},
      {"\"\"", false},
      {"\"0abc", false},
      {"\"", false},
      {"*x", false},
      {"\"*\"x", false},
      {"*, \"x\"", false},
      {"\"x\" \"0abc\"", false},
      {"\"x\"y, \"0abc\"", false},
      {"\"0abc\"y", false},
      {"\"0abc\", x", false},
  };
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    if (precondition_holds(cases[i].if_match, "0abc") != cases[i].holds)
      fail_msg("If-Match: %s", cases[i].if_match);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(if_match_is_compared),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
