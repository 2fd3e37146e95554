/* The one error type: every call that can fail returns an RtcError. */
#ifndef RTCTCP_ERROR_H
#define RTCTCP_ERROR_H

#include <rtctcp/export.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RTC_ERROR_MAP(X)                                                                           \
  X(NO_MEMORY, "out of memory")                                                                    \
  X(INVALID_ARGUMENT, "invalid argument")                                                          \
  X(INVALID_STATE, "not possible in this state")                                                   \
  X(EXISTS, "exists already")                                                                      \
  X(NOT_FOUND, "not found")                                                                        \
  X(LIMIT, "a limit is reached")                                                                   \
  X(AGAIN, "would block, or needs more input")                                                     \
  X(TIMEOUT, "deadline passed")                                                                    \
  X(CANCELED, "interrupted")                                                                       \
  X(EOF, "closed by the peer")                                                                     \
  X(CLOSED, "closed")                                                                              \
  X(PROTO, "malformed input")                                                                      \
  X(UNSUPPORTED, "not supported")                                                                  \
  X(AUTH, "authentication failed")                                                                 \
  X(REPLAY, "seen before")                                                                         \
  X(ADDRESS_IN_USE, "address in use")                                                              \
  X(ACCESS, "permission denied")                                                                   \
  X(SYSTEM, "system call failed")                                                                  \
  X(LIBRARY, "a library call failed")

typedef enum RtcError {
  RTC_OK = 0,
#define RTC_ERROR_ENUM(name, text) RTC_ERROR_##name,
  RTC_ERROR_MAP(RTC_ERROR_ENUM)
#undef RTC_ERROR_ENUM
} RtcError;

/* "NO_MEMORY", "OK", ... A static string, whatever the value. Any thread. */
RTC_API const char *rtc_error_name(RtcError error);

/* A short English text. A static string, whatever the value. Any thread. */
RTC_API const char *rtc_error_text(RtcError error);

#ifdef __cplusplus
}
#endif

#endif
