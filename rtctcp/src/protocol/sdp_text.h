/* Pieces of a text: borrowed views that are cut smaller and smaller while SDP is read. */
#ifndef RTC_PROTOCOL_SDP_TEXT_H
#define RTC_PROTOCOL_SDP_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct RtcText {
  const char *at; /* borrowed; not NUL-terminated */
  size_t len;
} RtcText;

/* Cut the next line (without its CRLF or LF), or the next word (between spaces), off the front of
 * rest. False: there is none. */
bool rtc_text_next_line(RtcText *rest, RtcText *line);
bool rtc_text_next_word(RtcText *rest, RtcText *word);

/* Cuts a prefix off, if the text begins with it. */
bool rtc_text_skip(RtcText *text, const char *prefix);

bool rtc_text_equals(RtcText text, RtcText other);
bool rtc_text_is(RtcText text, const char *word);
bool rtc_text_is_any_case(RtcText text, const char *word);

/* A decimal number of at most 10 digits and not above max. */
bool rtc_text_number(RtcText text, uint32_t max, uint32_t *number);

/* At least min ice-chars: letters, digits, '+' and '/' (RFC 8839 section 5.1). */
bool rtc_text_is_ice_chars(RtcText text, size_t min);

/* Copies and terminates. False: it does not fit. */
bool rtc_text_copy(RtcText text, char *out, size_t cap);

#endif
