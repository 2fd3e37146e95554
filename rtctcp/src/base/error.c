/* Names and texts of RtcError. */
#include <rtctcp/error.h>

#include <stddef.h>

typedef struct ErrorWords {
  const char *name; /* borrowed: static */
  const char *text; /* borrowed: static */
} ErrorWords;

static const ErrorWords error_words[] = {[RTC_OK] = {"OK", "no error"},
#define ERROR_WORDS(name, text) [RTC_ERROR_##name] = {#name, text},
                                         RTC_ERROR_MAP(ERROR_WORDS)
#undef ERROR_WORDS
};

static const ErrorWords *words_of(RtcError error) {
  static const ErrorWords unknown = {"UNKNOWN", "unknown error"};
  size_t at = (size_t)error; /* what was negative is out of the table too */

  return at < sizeof error_words / sizeof error_words[0] ? &error_words[at] : &unknown;
}

const char *rtc_error_name(RtcError error) {
  return words_of(error)->name;
}

const char *rtc_error_text(RtcError error) {
  return words_of(error)->text;
}
