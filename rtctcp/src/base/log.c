/* Makes log lines, names their levels, and writes them to standard error. */
#include "base/log_internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
  LINE_MAX_LEN = 1023,
  PREFIX_CAP = 64, /* "2024-05-01T12:00:00.123456Z error " */
};

static const char *const level_names[] = {
#define LEVEL_NAME(name, text) [RTC_LOG_LEVEL_##name] = text,
    RTC_LOG_LEVEL_MAP(LEVEL_NAME)
#undef LEVEL_NAME
};

enum { LEVEL_COUNT = sizeof level_names / sizeof level_names[0] };

const char *rtc_log_level_name(RtcLogLevel level) {
  return (size_t)level < LEVEL_COUNT ? level_names[level] : "unknown";
}

bool rtc_log_level_parse(RtcLogLevel *level, const char *name) {
  for (size_t i = 0; i < LEVEL_COUNT; i++) {
    if (strcmp(name, level_names[i]) != 0)
      continue;
    *level = (RtcLogLevel)i;
    return true;
  }
  return false;
}

/* A line may carry what a peer sent: nothing of it may start a new line or drive a terminal. */
static void mask_control_characters(char *line) {
  for (char *c = line; *c; c++) {
    if ((unsigned char)*c < 0x20 || *c == 0x7f)
      *c = '?';
  }
}

void rtc_log_line(const RtcLog *log, RtcLogLevel level, const char *format, ...) {
  char line[LINE_MAX_LEN + 1];
  va_list args;

  va_start(args, format);
  int len = vsnprintf(line, sizeof line, format, args);
  va_end(args);
  if (len < 0)
    return;
  mask_control_characters(line);
  log->write(log->arg, level, line);
}

/* "2024-05-01T12:00:00.123456Z", in UTC, so that lines of several hosts can be merged. */
static void format_time(char *text, size_t cap) {
  struct timespec now;
  struct tm utc;
  char date[32];

  clock_gettime(CLOCK_REALTIME, &now);
  gmtime_r(&now.tv_sec, &utc);
  strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &utc);
  snprintf(text, cap, "%s.%06ldZ", date, now.tv_nsec / 1000);
}

void rtc_log_write_stderr(void *arg, RtcLogLevel level, const char *line) {
  char stamp[PREFIX_CAP];
  char text[PREFIX_CAP + LINE_MAX_LEN + 2];
  int errno_before = errno; /* who logs an error may look at it afterwards */

  (void)arg;
  format_time(stamp, sizeof stamp);
  int made = snprintf(text, sizeof text, "%s %s %s", stamp, rtc_log_level_name(level), line);
  size_t len = made < 0 ? 0 : (size_t)made;
  if (len > sizeof text - 2)
    len = sizeof text - 2;
  text[len] = '\n';
  /* One write: lines of several threads don't mix. There is nowhere to report a failure to. */
  ssize_t written = write(STDERR_FILENO, text, len + 1);
  (void)written;
  errno = errno_before;
}
