/* A worker's load, as it tells it to all threads, so that new sessions go where there is room. A
 * value inside its shard. */
#ifndef RTC_TRANSPORT_LOAD_H
#define RTC_TRANSPORT_LOAD_H

#include "base/clock.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Threads would share the atomic ones at the cost of a cache miss for each write, so they are
 * written no more often than this. */
#define RTC_LOAD_INTERVAL_US (100 * RTC_US_PER_MS)
/* So many packets a second, in and out, weigh as much as a session that sends none. */
#define RTC_LOAD_PACKETS_PER_SESSION 100

typedef struct RtcLoad {
  /* Thread: the worker's */
  uint64_t packets; /* since then */
  int64_t since_us;
  /* Any thread. Each is of use by itself, so none is ordered with another. */
  atomic_bool closed;        /* it takes no sessions */
  atomic_uint sessions;      /* that live */
  atomic_uint promised;      /* placed here since the worker last told */
  atomic_uint packets_per_s; /* as last measured */
  atomic_llong measured_us;
} RtcLoad;

void rtc_load_init(RtcLoad *load, int64_t now_us);

/* -- Thread: the worker's -- */

void rtc_load_set_sessions(RtcLoad *load, uint64_t sessions);
void rtc_load_close(RtcLoad *load);
void rtc_load_measure(RtcLoad *load, int64_t now_us);

static inline void rtc_load_packets(RtcLoad *load, uint64_t count, int64_t now_us) {
  load->packets += count;
  if (now_us - load->since_us >= RTC_LOAD_INTERVAL_US)
    rtc_load_measure(load, now_us);
}

/* -- Any thread -- */

/* A session is on its way there. */
void rtc_load_promise(RtcLoad *load);

/* In sessions; UINT64_MAX: it takes none. */
uint64_t rtc_load_weigh(const RtcLoad *load, int64_t now_us);

#endif
