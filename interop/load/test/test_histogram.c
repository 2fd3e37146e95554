/* Tests of histogram.c: its percentiles against those of the sorted values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../histogram.h"

#include <stdlib.h>

#define VALUES 20000

static int compare(const void *a, const void *b) {
  uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
  return (left > right) - (left < right);
}

/* Values of all sizes up to 2^bits: as many in each octave. */
static uint64_t draw(uint64_t *seed, unsigned bits) {
  *seed = *seed * 6364136223846793005u + 1442695040888963407u;
  return (*seed >> 8) >> (56 - 1 - (*seed >> 3) % bits);
}

/* A percentile is the sorted array's, or above it by less than the width of a bucket. */
static void percentiles_are_those_of_the_sorted_values(void **state) {
  static const double percents[] = {0, 1, 50, 90, 99, 99.9, 100};
  static Histogram histogram;
  uint64_t seed = 1;
  (void)state;
  uint64_t *values = calloc(VALUES, sizeof *values);
  assert_non_null(values);
  histogram = (Histogram){0};
  for (size_t i = 0; i < VALUES; i++) {
    values[i] = draw(&seed, 39);
    histogram_add(&histogram, values[i]);
  }
  qsort(values, VALUES, sizeof *values, compare);
  assert_int_equal(histogram.count, VALUES);
  assert_int_equal(histogram.min, values[0]);
  assert_int_equal(histogram.max, values[VALUES - 1]);
  for (size_t i = 0; i < sizeof percents / sizeof percents[0]; i++) {
    size_t rank = (size_t)(VALUES * percents[i] / 100 + 0.9999);
    uint64_t exact = values[rank > 0 ? rank - 1 : 0];
    uint64_t told = histogram_percentile(&histogram, percents[i]);
    assert_in_range(told, exact, exact + exact / 128);
  }
  free(values);
}

/* Small values are exact, whatever stands beside them. */
static void small_values_are_exact(void **state) {
  static Histogram histogram;
  (void)state;
  histogram = (Histogram){0};
  for (uint64_t value = 1; value <= 100; value++)
    histogram_add(&histogram, value);
  assert_int_equal(histogram_percentile(&histogram, 50), 50);
  assert_int_equal(histogram_percentile(&histogram, 99), 99);
  assert_int_equal(histogram_percentile(&histogram, 100), 100);
  assert_true(histogram_mean(&histogram) == 50.5);
}

/* Two histograms together are the one of all values. */
static void merged_ones_are_one(void **state) {
  static Histogram a, b, all;
  uint64_t seed = 7;
  (void)state;
  a = b = all = (Histogram){0};
  for (size_t i = 0; i < 1000; i++) {
    uint64_t value = draw(&seed, 30);
    histogram_add(i % 3 ? &a : &b, value);
    histogram_add(&all, value);
  }
  histogram_merge(&a, &b);
  assert_memory_equal(&a, &all, sizeof all);
}

/* Nothing, and values beyond the last bucket, are told as well. */
static void the_ends_are_sound(void **state) {
  static Histogram histogram;
  (void)state;
  histogram = (Histogram){0};
  assert_int_equal(histogram_percentile(&histogram, 99), 0);
  assert_true(histogram_mean(&histogram) == 0);
  histogram_add(&histogram, UINT64_MAX);
  histogram_add(&histogram, 0);
  assert_int_equal(histogram_percentile(&histogram, 50), 0);
  assert_int_equal(histogram_percentile(&histogram, 99), UINT64_MAX);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(percentiles_are_those_of_the_sorted_values),
      cmocka_unit_test(small_values_are_exact),
      cmocka_unit_test(merged_ones_are_one),
      cmocka_unit_test(the_ends_are_sound),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
