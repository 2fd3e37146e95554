/* Log-linear buckets, see histogram.h. */
#include "histogram.h"

#include <math.h>

#define SUB_COUNT (UINT64_C(1) << HISTOGRAM_SUB_BITS)

/* Below 2^(SUB_BITS + 1) each value has a bucket of its own; from there on each octave has
 * SUB_COUNT of them: the leading bits of the value. */
static size_t bucket_of(uint64_t value) {
  if (value < SUB_COUNT)
    return (size_t)value;
  unsigned octave = 63u - (unsigned)__builtin_clzll(value);
  if (octave >= HISTOGRAM_MAX_BITS)
    return HISTOGRAM_BUCKETS - 1;
  unsigned shift = octave - HISTOGRAM_SUB_BITS;
  return ((size_t)shift << HISTOGRAM_SUB_BITS) + (size_t)(value >> shift);
}

/* The largest value that falls into this bucket. */
static uint64_t bucket_end(size_t bucket) {
  if (bucket < SUB_COUNT)
    return bucket;
  unsigned shift = (unsigned)(bucket >> HISTOGRAM_SUB_BITS) - 1;
  uint64_t leading = bucket - ((size_t)shift << HISTOGRAM_SUB_BITS);
  return ((leading + 1) << shift) - 1;
}

void histogram_add(Histogram *histogram, uint64_t value) {
  if (histogram->count == 0 || value < histogram->min)
    histogram->min = value;
  if (value > histogram->max)
    histogram->max = value;
  histogram->count++;
  histogram->sum += value;
  histogram->buckets[bucket_of(value)]++;
}

void histogram_merge(Histogram *to, const Histogram *from) {
  if (from->count == 0)
    return;
  if (to->count == 0 || from->min < to->min)
    to->min = from->min;
  if (from->max > to->max)
    to->max = from->max;
  to->count += from->count;
  to->sum += from->sum;
  for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
    to->buckets[i] += from->buckets[i];
}

uint64_t histogram_percentile(const Histogram *histogram, double percent) {
  uint64_t seen = 0;
  uint64_t rank = (uint64_t)ceil((double)histogram->count * percent / 100);
  for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
    seen += histogram->buckets[i];
    if (seen > 0 && seen >= rank) {
      uint64_t end = bucket_end(i);
      return end < histogram->max && i < HISTOGRAM_BUCKETS - 1 ? end : histogram->max;
    }
  }
  return 0;
}

double histogram_mean(const Histogram *histogram) {
  return histogram->count > 0 ? (double)histogram->sum / (double)histogram->count : 0;
}
