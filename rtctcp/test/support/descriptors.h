/* Counts the open descriptors of the process, to find one that leaked. */
#ifndef RTC_TEST_DESCRIPTORS_H
#define RTC_TEST_DESCRIPTORS_H

#include <stddef.h>

size_t descriptors_open(void);

#endif
