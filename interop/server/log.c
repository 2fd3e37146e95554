/* Log lines of the server, see log.h. */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>

void log_line(const RtcLog *log, RtcLogLevel level, const char *format, ...) {
  char line[512];
  va_list args;
  if (!log->write || level > log->level)
    return;
  va_start(args, format);
  vsnprintf(line, sizeof line, format, args);
  va_end(args);
  for (char *at = line; *at; at++)
    if ((unsigned char)*at < ' ' || *at == 0x7f)
      *at = at[1] ? '?' : '\0';
  log->write(log->arg, level, line);
}
