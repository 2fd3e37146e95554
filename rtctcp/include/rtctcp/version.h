/* The version, as the Makefile and the pkg-config file read it from here. */
#ifndef RTCTCP_VERSION_H
#define RTCTCP_VERSION_H

#include <rtctcp/export.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RTC_VERSION_MAJOR 0
#define RTC_VERSION_MINOR 1
#define RTC_VERSION_PATCH 0
#define RTC_VERSION       "0.1.0"

/* The version of the library that is linked. */
RTC_API const char *rtc_version(void);

#ifdef __cplusplus
}
#endif

#endif
