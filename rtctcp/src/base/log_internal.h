/* How the library itself writes log lines: RTC_LOG(log, WARN, "session=%s ...", ...). */
#ifndef RTC_BASE_LOG_INTERNAL_H
#define RTC_BASE_LOG_INTERNAL_H

#include <rtctcp/log.h>

/* The arguments are evaluated only when the level is on. */
#define RTC_LOG(log, LEVEL, ...)                                                                   \
  do {                                                                                             \
    const RtcLog *rtc_log_ = (log);                                                                \
    if (rtc_log_ && rtc_log_->write && RTC_LOG_LEVEL_##LEVEL <= rtc_log_->level)                   \
      rtc_log_line(rtc_log_, RTC_LOG_LEVEL_##LEVEL, __VA_ARGS__);                                  \
  } while (0)

/* One line of at most 1,023 octets, longer ones are cut; control characters become '?'. */
void rtc_log_line(const RtcLog *log, RtcLogLevel level, const char *format, ...) RTC_PRINTF(3, 4);

#endif
