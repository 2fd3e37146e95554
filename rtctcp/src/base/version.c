/* The version of the linked library. */
#include <rtctcp/version.h>

const char *rtc_version(void) {
  return RTC_VERSION;
}
