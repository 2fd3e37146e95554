/* Cutting and comparing pieces of a text. */
#include "protocol/sdp_text.h"

#include <string.h>
#include <strings.h>

static RtcText cut(RtcText *rest, size_t len) {
  RtcText front = {rest->at, len};
  rest->at += len;
  rest->len -= len;
  return front;
}

bool rtc_text_next_line(RtcText *rest, RtcText *line) {
  if (rest->len == 0)
    return false;
  const char *newline = memchr(rest->at, '\n', rest->len);
  *line = cut(rest, newline ? (size_t)(newline - rest->at) : rest->len);
  if (newline)
    cut(rest, 1);
  if (line->len > 0 && line->at[line->len - 1] == '\r')
    line->len--;
  return true;
}

bool rtc_text_next_word(RtcText *rest, RtcText *word) {
  while (rest->len > 0 && *rest->at == ' ')
    cut(rest, 1);
  if (rest->len == 0)
    return false;
  const char *space = memchr(rest->at, ' ', rest->len);
  *word = cut(rest, space ? (size_t)(space - rest->at) : rest->len);
  return true;
}

bool rtc_text_skip(RtcText *text, const char *prefix) {
  size_t len = strlen(prefix);
  if (text->len < len || memcmp(text->at, prefix, len) != 0)
    return false;
  cut(text, len);
  return true;
}

bool rtc_text_equals(RtcText text, RtcText other) {
  return text.len == other.len && (text.len == 0 || memcmp(text.at, other.at, text.len) == 0);
}

bool rtc_text_is(RtcText text, const char *word) {
  return rtc_text_equals(text, (RtcText){word, strlen(word)});
}

bool rtc_text_is_any_case(RtcText text, const char *word) {
  return text.len == strlen(word) && strncasecmp(text.at, word, text.len) == 0;
}

bool rtc_text_number(RtcText text, uint32_t max, uint32_t *number) {
  if (text.len == 0 || text.len > 10)
    return false;
  uint64_t sum = 0;
  for (size_t i = 0; i < text.len; i++) {
    if (text.at[i] < '0' || text.at[i] > '9')
      return false;
    sum = sum * 10 + (uint64_t)(text.at[i] - '0');
  }
  if (sum > max)
    return false;
  *number = (uint32_t)sum;
  return true;
}

static bool is_ice_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' ||
         c == '/';
}

bool rtc_text_is_ice_chars(RtcText text, size_t min) {
  if (text.len < min)
    return false;
  for (size_t i = 0; i < text.len; i++)
    if (!is_ice_char(text.at[i]))
      return false;
  return true;
}

bool rtc_text_copy(RtcText text, char *out, size_t cap) {
  if (text.len >= cap)
    return false;
  memcpy(out, text.at, text.len);
  out[text.len] = '\0';
  return true;
}
