/* Reads what a process holds; tells whether it grows. */
#include "soak/figures.h"
#include "support/descriptors.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static uint64_t resident(void) {
  unsigned long size = 0, pages = 0;
  FILE *file = fopen("/proc/self/statm", "re");
  if (!file)
    return 0;
  if (fscanf(file, "%lu %lu", &size, &pages) != 2)
    pages = 0;
  fclose(file);
  return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

uint64_t soak_cpu_us(void) {
  struct timespec used;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return (uint64_t)used.tv_sec * 1000000 + (uint64_t)used.tv_nsec / 1000;
}

void soak_figures_of_process(SoakFigures *figures) {
  struct mallinfo2 info = mallinfo2();
  figures->heap = info.uordblks + info.hblkhd;
  figures->rss = resident();
  figures->cpu_us = soak_cpu_us();
  figures->descriptors = descriptors_open();
}

void soak_figures_add_stats(RtcServerStats *sum, const RtcServerStats *stats) {
  /* Its members are counts of 64 bits, all of them. */
  const uint64_t *from = (const uint64_t *)stats;
  uint64_t *to = (uint64_t *)sum;
  for (size_t i = 0; i < sizeof *sum / sizeof *to; i++)
    to[i] += from[i];
}

static uint64_t in_disposal(const RtcCount *count, const uint64_t *closes, size_t reasons) {
  uint64_t closed = 0;
  for (size_t i = 0; i < reasons; i++)
    closed += closes[i];
  return closed - (count->total - count->live);
}

uint64_t soak_connections_in_disposal(const SoakFigures *figures) {
  const RtcServerStats *stats = &figures->server;
  return in_disposal(&stats->connections, stats->closes, RTC_CLOSE_COUNT);
}

uint64_t soak_tcp_conns_in_disposal(const SoakFigures *figures) {
  const RtcServerStats *stats = &figures->server;
  return in_disposal(&stats->tcp_conns, stats->tcp_closes, RTC_TCP_CLOSE_COUNT);
}

bool soak_figures_idle(const SoakFigures *figures, const SoakFigures *idle) {
  const RtcServerStats *stats = &figures->server;
  return stats->connections.live == 0 && stats->tcp_conns.live == 0 &&
         stats->unauthenticated == 0 && stats->pool_lent_octets == 0 &&
         stats->pool_kept_octets == 0 && figures->sources == 0 && figures->consumers == 0 &&
         figures->coroutines == idle->coroutines && figures->descriptors == idle->descriptors;
}

/* -- Growth -- */

#define SAMPLES_MIN 5

bool soak_samples_add(SoakSamples *samples, double sessions, double octets) {
  if (samples->count == samples->cap) {
    size_t cap = samples->cap ? samples->cap * 2 : 64;
    SoakSample *grown = realloc(samples->items, cap * sizeof *grown);
    if (!grown)
      return false;
    samples->items = grown;
    samples->cap = cap;
  }
  samples->items[samples->count++] = (SoakSample){sessions, octets};
  return true;
}

void soak_samples_finish(SoakSamples *samples) {
  free(samples->items);
  *samples = (SoakSamples){0};
}

double soak_samples_least(const SoakSamples *samples) {
  double least = samples->items[0].octets;
  for (size_t i = 1; i < samples->count; i++)
    if (samples->items[i].octets < least)
      least = samples->items[i].octets;
  return least;
}

double soak_samples_most(const SoakSamples *samples) {
  double most = samples->items[0].octets;
  for (size_t i = 1; i < samples->count; i++)
    if (samples->items[i].octets > most)
      most = samples->items[i].octets;
  return most;
}

static int compare(const void *a, const void *b) {
  double left = *(const double *)a, right = *(const double *)b;
  return (left > right) - (left < right);
}

bool soak_samples_slope(const SoakSamples *samples, double *slope) {
  size_t pairs = 0;
  if (samples->count < SAMPLES_MIN)
    return false;
  double *slopes = malloc(samples->count * (samples->count - 1) / 2 * sizeof *slopes);
  if (!slopes)
    return false;
  for (size_t i = 0; i < samples->count; i++) {
    for (size_t j = i + 1; j < samples->count; j++) {
      const SoakSample *from = &samples->items[i], *to = &samples->items[j];
      if (to->sessions > from->sessions)
        slopes[pairs++] = (to->octets - from->octets) / (to->sessions - from->sessions);
    }
  }
  qsort(slopes, pairs, sizeof *slopes, compare);
  bool known = pairs > 0;
  if (known)
    *slope = slopes[pairs / 2];
  free(slopes);
  return known;
}
