/* Counts what a test could leak besides memory: descriptors. */
#ifndef RTC_TEST_DESCRIPTORS_H
#define RTC_TEST_DESCRIPTORS_H

#include <stddef.h>

/* Open descriptors of this process. */
size_t descriptors_open(void);

#endif
