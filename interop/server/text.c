/* Growing text, see text.h. */
#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void text_finish(Text *text) {
  free(text->data);
  *text = (Text){0};
}

/* Makes room for len more octets and the NUL. */
static bool text_reserve(Text *text, size_t len) {
  size_t needed = text->len + len + 1;
  if (text->failed)
    return false;
  if (needed <= text->cap)
    return true;
  size_t cap = text->cap ? text->cap : 1024;
  while (cap < needed)
    cap *= 2;
  char *data = realloc(text->data, cap);
  if (!data) {
    text->failed = true;
    return false;
  }
  text->data = data;
  text->cap = cap;
  return true;
}

void text_append(Text *text, const char *data, size_t len) {
  if (!text_reserve(text, len))
    return;
  memcpy(text->data + text->len, data, len);
  text->len += len;
  text->data[text->len] = '\0';
}

void text_printf(Text *text, const char *format, ...) {
  va_list args;
  va_start(args, format);
  int len = vsnprintf(NULL, 0, format, args);
  va_end(args);
  if (len < 0) {
    text->failed = true;
    return;
  }
  if (!text_reserve(text, (size_t)len))
    return;
  va_start(args, format);
  vsnprintf(text->data + text->len, (size_t)len + 1, format, args);
  va_end(args);
  text->len += (size_t)len;
}

char *text_take(Text *text, size_t *len) {
  char *data = NULL;
  if (!text->failed && text->data) {
    data = text->data;
    *len = text->len;
    text->data = NULL;
  }
  text_finish(text);
  return data;
}
