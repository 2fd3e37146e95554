/* The server's own log lines, through the same RtcLog as the library's. */
#ifndef SERVER_LOG_H
#define SERVER_LOG_H

#include <rtctcp/log.h>

/* One line, cut at 511 octets; control characters become '?'. Any thread. */
void log_line(const RtcLog *log, RtcLogLevel level, const char *format, ...) RTC_PRINTF(3, 4);

#endif
