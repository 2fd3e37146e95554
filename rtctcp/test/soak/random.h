/* A small seeded generator (splitmix64): the same seed and ticket, the same session. */
#ifndef RTC_SOAK_RANDOM_H
#define RTC_SOAK_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

typedef struct SoakRandom {
  uint64_t state;
} SoakRandom;

static inline uint64_t soak_random(SoakRandom *random) {
  uint64_t mixed = random->state += UINT64_C(0x9e3779b97f4a7c15);
  mixed = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
  return mixed ^ mixed >> 31;
}

/* 0 to end - 1 */
static inline unsigned soak_random_below(SoakRandom *random, unsigned end) {
  return (unsigned)(soak_random(random) % end);
}

static inline bool soak_random_percent(SoakRandom *random, unsigned percent) {
  return soak_random_below(random, 100) < percent;
}

#endif
