/* log.c: lines, levels, and the writer to standard error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef struct Captured {
  int lines;
  RtcLogLevel level;
  char line[4096];
} Captured;

static void capture(void *arg, RtcLogLevel level, const char *line) {
  Captured *captured = arg;

  captured->lines++;
  captured->level = level;
  assert_true(strlen(line) < sizeof captured->line);
  memcpy(captured->line, line, strlen(line) + 1);
}

/* A line is formatted and arrives with its level. */
static void line_arrives_with_its_level(void **state) {
  Captured captured = {0};
  const RtcLog log = {.level = RTC_LOG_LEVEL_INFO, .write = capture, .arg = &captured};

  (void)state;
  RTC_LOG(&log, WARN, "session=%s port=%d", "abc", 8080);
  assert_int_equal(captured.lines, 1);
  assert_int_equal(captured.level, RTC_LOG_LEVEL_WARN);
  assert_string_equal(captured.line, "session=abc port=8080");
}

static int evaluated(int *times) {
  return ++*times;
}

/* What is above the level costs nothing: its arguments are not even evaluated. */
static void line_above_the_level_is_not_made(void **state) {
  Captured captured = {0};
  const RtcLog log = {.level = RTC_LOG_LEVEL_WARN, .write = capture, .arg = &captured};
  const RtcLog silent = {.level = RTC_LOG_LEVEL_DEBUG};
  const RtcLog *none = NULL;
  int times = 0;

  (void)state;
  RTC_LOG(&log, INFO, "%d", evaluated(&times));
  RTC_LOG(&silent, ERROR, "%d", evaluated(&times));
  RTC_LOG(none, ERROR, "%d", evaluated(&times));
  assert_int_equal(captured.lines, 0);
  assert_int_equal(times, 0);
}

/* A line is cut at 1,023 octets, and one of just that length is not. */
static void long_line_is_cut(void **state) {
  static const struct {
    size_t len;
    size_t logged;
  } cases[] = {{0, 0}, {1022, 1022}, {1023, 1023}, {1024, 1023}, {3000, 1023}};
  Captured captured = {0};
  const RtcLog log = {.level = RTC_LOG_LEVEL_INFO, .write = capture, .arg = &captured};
  char text[3001];

  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    memset(text, 'x', sizeof text);
    text[cases[i].len] = '\0';
    RTC_LOG(&log, INFO, "%s", text);
    assert_int_equal(strlen(captured.line), cases[i].logged);
  }
}

/* What a peer sent can neither start a line of its own nor drive the terminal; UTF-8 passes. */
static void control_characters_are_masked(void **state) {
  Captured captured = {0};
  const RtcLog log = {.level = RTC_LOG_LEVEL_INFO, .write = capture, .arg = &captured};

  (void)state;
  RTC_LOG(&log, INFO, "a\nb\rc\td\x1b[31m\x01\x1f\x7f \xc3\xa9");
  assert_string_equal(captured.line, "a?b?c?d?[31m??? \xc3\xa9");
}

/* Every level's name reads back as the level; anything else changes nothing. */
static void levels_are_named_and_parsed(void **state) {
  static const char *const bad[] = {"", "Error", "warning", "debug ", "4"};

  (void)state;
  for (int level = RTC_LOG_LEVEL_ERROR; level <= RTC_LOG_LEVEL_DEBUG; level++) {
    RtcLogLevel parsed = (RtcLogLevel)100;
    assert_true(rtc_log_level_parse(&parsed, rtc_log_level_name((RtcLogLevel)level)));
    assert_int_equal(parsed, level);
  }
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    RtcLogLevel parsed = RTC_LOG_LEVEL_INFO;
    assert_false(rtc_log_level_parse(&parsed, bad[i]));
    assert_int_equal(parsed, RTC_LOG_LEVEL_INFO);
  }
  assert_string_equal(rtc_log_level_name((RtcLogLevel)77), "unknown");
}

/* Calls the writer with standard error led to a pipe, and gives what one read returns. */
static size_t written_to_stderr(const char *line, char *text, size_t cap) {
  int pipe_fds[2];
  int saved = dup(STDERR_FILENO);

  assert_int_equal(pipe(pipe_fds), 0);
  assert_true(saved >= 0 && dup2(pipe_fds[1], STDERR_FILENO) >= 0);
  errno = ENOTTY;
  rtc_log_write_stderr(NULL, RTC_LOG_LEVEL_WARN, line);
  int errno_after = errno;
  assert_true(dup2(saved, STDERR_FILENO) >= 0);
  assert_int_equal(errno_after, ENOTTY);

  ssize_t len = read(pipe_fds[0], text, cap - 1);
  assert_true(len > 0);
  text[len] = '\0';
  close(saved);
  close(pipe_fds[0]);
  close(pipe_fds[1]);
  return (size_t)len;
}

/* "2024-05-01T12:00:00.123456Z warn hello": a UTC time, the level, the line; errno is kept. */
static void stderr_line_has_time_and_level(void **state) {
  char text[256];
  int year, month, day, hour, minute, second, micros;
  char rest[64];

  (void)state;
  written_to_stderr("hello there", text, sizeof text);
  int fields = sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d.%6dZ %63[^\n]", &year, &month, &day, &hour,
                      &minute, &second, &micros, rest);
  assert_int_equal(fields, 8);
  assert_true(year >= 2024 && month <= 12 && day <= 31 && hour < 24 && minute < 60);
  assert_string_equal(rest, "warn hello there");
  assert_int_equal(text[strlen(text) - 1], '\n');
}

/* The longest line comes out whole, and its newline with it. */
static void stderr_line_holds_the_longest_line(void **state) {
  char line[1024];
  char text[2048];

  (void)state;
  memset(line, 'y', sizeof line - 1);
  line[sizeof line - 1] = '\0';
  size_t len = written_to_stderr(line, text, sizeof text);
  assert_memory_equal(text + len - 1024, line, 1023);
  assert_int_equal(text[len - 1], '\n');
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(line_arrives_with_its_level),
      cmocka_unit_test(line_above_the_level_is_not_made),
      cmocka_unit_test(long_line_is_cut),
      cmocka_unit_test(control_characters_are_masked),
      cmocka_unit_test(levels_are_named_and_parsed),
      cmocka_unit_test(stderr_line_has_time_and_level),
      cmocka_unit_test(stderr_line_holds_the_longest_line),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
