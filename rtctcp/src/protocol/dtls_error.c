/* OpenSSL's error queue, read for the library's own errors and log. */
#include "protocol/dtls_internal.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>

/* OpenSSL does not always say that memory is what it lacked: "init fail", or nothing at all. malloc
 * does, in errno. */
void rtc_dtls_clear_library_error(void) {
  ERR_clear_error();
  errno = 0;
}

RtcError rtc_dtls_library_error(char *text, size_t cap) {
  bool no_memory = errno == ENOMEM;
  const char *data = NULL;
  int flags = 0;
  unsigned long code = ERR_get_error_all(NULL, NULL, NULL, &data, &flags);
  const char *reason = ERR_reason_error_string(code);
  bool has_data = data && *data && (flags & ERR_TXT_STRING);
  snprintf(text, cap, "%s%s%s", reason ? reason : "unknown error", has_data ? ": " : "",
           has_data ? data : "");
  for (; code != 0; code = ERR_get_error())
    no_memory = no_memory || ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE;
  return no_memory ? RTC_ERROR_NO_MEMORY : RTC_ERROR_LIBRARY;
}

bool rtc_dtls_library_error_is_peer_alert(void) {
  unsigned long code = ERR_peek_error();
  int reason = ERR_GET_REASON(code);
  return ERR_GET_LIB(code) == ERR_LIB_SSL && reason >= SSL_AD_REASON_OFFSET &&
         reason <= SSL_AD_REASON_OFFSET + UINT8_MAX;
}
