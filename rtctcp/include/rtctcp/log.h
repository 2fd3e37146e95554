/* Where log lines go. There is no global log: a worker carries one, and gives it to all it serves.
 */
#ifndef RTCTCP_LOG_H
#define RTCTCP_LOG_H

#include <rtctcp/export.h>

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RTC_LOG_LEVEL_MAP(X)                                                                       \
  X(ERROR, "error") /* the operator must act */                                                    \
  X(WARN, "warn")   /* something was refused or lost */                                            \
  X(INFO, "info")   /* a few lines a session */                                                    \
  X(DEBUG, "debug") /* a few lines an event of a session, never one a packet */

typedef enum RtcLogLevel {
#define RTC_LOG_LEVEL_ENUM(name, text) RTC_LOG_LEVEL_##name,
  RTC_LOG_LEVEL_MAP(RTC_LOG_LEVEL_ENUM)
#undef RTC_LOG_LEVEL_ENUM
} RtcLogLevel;

typedef struct RtcLog {
  RtcLogLevel level; /* lines above this level are not made */
  /* line: one line without its newline, gone after the call. May be called from every worker's
   * thread at once. NULL: no log. */
  void (*write)(void *arg, RtcLogLevel level, const char *line);
  void *arg; /* borrowed */
} RtcLog;

/* "error", "warn", ... */
RTC_API const char *rtc_log_level_name(RtcLogLevel level);

/* Reads a level's name; false: unknown, *level is untouched. */
RTC_API bool rtc_log_level_parse(RtcLogLevel *level, const char *name);

/* A ready RtcLog.write: time, level and line to standard error, one write(2) a line. */
RTC_API void rtc_log_write_stderr(void *arg, RtcLogLevel level, const char *line);

#ifdef __cplusplus
}
#endif

#endif
