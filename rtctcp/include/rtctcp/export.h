/* Marks what the shared library exports; everything else is hidden. */
#ifndef RTCTCP_EXPORT_H
#define RTCTCP_EXPORT_H

#if defined(__GNUC__)
#define RTC_API                        __attribute__((visibility("default")))
#define RTC_PRINTF(format_at, args_at) __attribute__((format(printf, format_at, args_at)))
#define RTC_MUST_CHECK                 __attribute__((warn_unused_result))
#else
#define RTC_API
#define RTC_PRINTF(format_at, args_at)
#define RTC_MUST_CHECK
#endif

#endif
