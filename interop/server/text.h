/* Text that grows as it is written. A failed allocation sticks: write on, and ask once at the end.
 */
#ifndef SERVER_TEXT_H
#define SERVER_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct Text {
  char *data; /* owned; ends in a NUL once anything was written */
  size_t len; /* without the NUL [octets] */
  size_t cap; /* [octets] */
  bool failed;
} Text; /* begins as {0} */

void text_finish(Text *text);

void text_append(Text *text, const char *data, size_t len);
void text_printf(Text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Takes the text out; the caller frees it. NULL: an allocation had failed, or nothing was written.
 * len  out [octets] */
char *text_take(Text *text, size_t *len);

#endif
