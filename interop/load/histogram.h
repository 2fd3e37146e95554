/* A histogram of durations: log-linear buckets, each at most 1/128 of its value wide, so that a
 * percentile is known to 0.8 % whatever its size. Adding costs a few instructions and allocates
 * nothing. Any one thread. */
#ifndef LOAD_HISTOGRAM_H
#define LOAD_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#define HISTOGRAM_SUB_BITS 7  /* 128 buckets an octave */
#define HISTOGRAM_MAX_BITS 40 /* values from 2^40 (18 minutes in ns) on share the last bucket */
#define HISTOGRAM_BUCKETS                                                                          \
  ((size_t)(HISTOGRAM_MAX_BITS - HISTOGRAM_SUB_BITS + 1) << HISTOGRAM_SUB_BITS)

typedef struct Histogram {
  uint64_t count, sum;
  uint64_t min, max; /* exact; 0 when there is no value */
  uint64_t buckets[HISTOGRAM_BUCKETS];
} Histogram; /* begins as {0} */

void histogram_add(Histogram *histogram, uint64_t value);
void histogram_merge(Histogram *to, const Histogram *from);

/* The value that percent of all values are not above: the upper end of its bucket, and never more
 * than the largest value. 0: there is no value. percent: 0 to 100 */
uint64_t histogram_percentile(const Histogram *histogram, double percent);

/* 0: there is no value. */
double histogram_mean(const Histogram *histogram);

#endif
