/* Tests of options.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../options.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define ARGS_MAX 32
#define URL      "http://127.0.0.1:8080"

/* words: divided by single spaces */
static OptionsResult parse(Options *options, const char *words) {
  static char text[512]; /* static: options borrow from it */
  char *argv[ARGS_MAX] = {"rtctcp-load"}, *save = NULL;
  int argc = 1;
  strncpy(text, words, sizeof text - 1);
  for (char *word = strtok_r(text, " ", &save); word && argc < ARGS_MAX - 1;
       word = strtok_r(NULL, " ", &save))
    argv[argc++] = word;
  return options_parse(options, argc, argv);
}

/* What is refused is told on standard error: not among the tests' own lines. */
static OptionsResult parse_quietly(Options *options, const char *words) {
  int kept = dup(STDERR_FILENO), none = open("/dev/null", O_WRONLY);
  dup2(none, STDERR_FILENO);
  OptionsResult result = parse(options, words);
  dup2(kept, STDERR_FILENO);
  close(kept);
  close(none);
  return result;
}

/* The command of the benchmark comes out as it was meant. */
static void options_are_taken(void **state) {
  Options options;
  (void)state;
  assert_int_equal(parse(&options, "fan-out --players 50 --packets 3 --rate 12.5 --size 500 "
                                   "--seconds 2 --pid 1234 --json --codec vp8 " URL),
                   OPTIONS_RUN);
  assert_int_equal(options.mode, LOAD_MODE_FAN_OUT);
  assert_int_equal(options.publishers, 1);
  assert_int_equal(options.players, 50);
  assert_int_equal(options.packets, 3);
  assert_true(options.rate == 12.5);
  assert_int_equal(options.size, 500);
  assert_int_equal(options.pid, 1234);
  assert_int_equal(options.codec, STREAM_CODEC_VP8);
  assert_true(options.json && !options.quiet && !options.pinned);
  assert_string_equal(options.url, URL);
}

/* Each mode has the sessions, and the RTCP, that it needs. */
static void modes_have_defaults_of_their_own(void **state) {
  Options options;
  (void)state;
  assert_int_equal(parse(&options, "idle " URL), OPTIONS_RUN);
  assert_int_equal(options.publishers, 1);
  assert_int_equal(options.sessions, 100);
  assert_true(options.rtcp_interval == 5);
  assert_int_equal(parse(&options, "churn --role publish --rtcp 2 " URL), OPTIONS_RUN);
  assert_int_equal(options.publishers, 0);
  assert_int_equal(options.sessions, 0);
  assert_true(options.rtcp_interval == 2);
  assert_int_equal(parse(&options, "many --publishers 4 --slow 3 " URL), OPTIONS_RUN);
  assert_int_equal(options.publishers, 4);
  assert_int_equal(options.slow, 0);
}

static void wrong_arguments_are_refused(void **state) {
  static const char *const wrong[] = {
      "",
      "fan-out",
      URL,
      "fan-in " URL,
      "fan-out ftp://127.0.0.1",
      "fan-out " URL " more",
      "fan-out --players 0 " URL,
      "fan-out --players -1 " URL,
      "fan-out --players 1x " URL,
      "fan-out --size 99 " URL,
      "fan-out --size 9000 " URL,
      "fan-out --rate 0 " URL,
      "fan-out --rate nan " URL,
      "fan-out --seconds inf " URL,
      "fan-out --codec av1 " URL,
      "fan-out --cpus 1- " URL,
      "fan-out --whip-path /whip " URL,
      "fan-out --whip-path /%s/%n " URL,
      "fan-out --whip-path whip/%s " URL,
      "fan-out --stream a/b " URL,
      "fan-out --nonsense " URL,
      "many --publishers 1000 --players 1000 " URL,
      "slow --players 2 --slow 2 " URL,
      "idle --sessions 0 " URL,
  };
  (void)state;
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    Options options;
    if (parse_quietly(&options, wrong[i]) != OPTIONS_WRONG)
      fail_msg("taken: %s", wrong[i]);
  }
}

static void cpus_are_listed(void **state) {
  cpu_set_t cpus;
  (void)state;
  assert_true(options_parse_cpus("0-2,5", &cpus));
  assert_int_equal(CPU_COUNT(&cpus), 4);
  assert_true(CPU_ISSET(0, &cpus) && CPU_ISSET(2, &cpus) && CPU_ISSET(5, &cpus));
  assert_true(options_parse_cpus("1", &cpus));
  assert_int_equal(CPU_COUNT(&cpus), 1);
  static const char *const wrong[] = {"", ",", "1,", "a", "2-1", "1-", "-1", "1024", "0;1"};
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
    assert_false(options_parse_cpus(wrong[i], &cpus));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(options_are_taken),
      cmocka_unit_test(modes_have_defaults_of_their_own),
      cmocka_unit_test(wrong_arguments_are_refused),
      cmocka_unit_test(cpus_are_listed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
