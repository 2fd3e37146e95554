/* A worker's load: sessions that live and are promised, and packets of late. */
#include "transport/load.h"

/* Without packets nothing is measured: what was measured before is no news any more. */
#define STALE_US (10 * RTC_LOAD_INTERVAL_US)

#define RELAXED memory_order_relaxed

void rtc_load_init(RtcLoad *load, int64_t now_us) {
  load->packets = 0;
  load->since_us = now_us;
  atomic_init(&load->closed, false);
  atomic_init(&load->sessions, 0);
  atomic_init(&load->promised, 0);
  atomic_init(&load->packets_per_s, 0);
  atomic_init(&load->measured_us, now_us);
}

/* A promise that was not kept by now is forgotten: hosts may think again. */
void rtc_load_set_sessions(RtcLoad *load, uint64_t sessions) {
  atomic_store_explicit(&load->sessions, (unsigned)sessions, RELAXED);
  atomic_store_explicit(&load->promised, 0, RELAXED);
}

void rtc_load_close(RtcLoad *load) {
  atomic_store_explicit(&load->closed, true, RELAXED);
}

void rtc_load_measure(RtcLoad *load, int64_t now_us) {
  int64_t passed_us = now_us - load->since_us;
  uint64_t rate = load->packets * RTC_US_PER_S / (uint64_t)passed_us;
  atomic_store_explicit(&load->packets_per_s, (unsigned)rate, RELAXED);
  atomic_store_explicit(&load->measured_us, now_us, RELAXED);
  load->packets = 0;
  load->since_us = now_us;
}

void rtc_load_promise(RtcLoad *load) {
  atomic_fetch_add_explicit(&load->promised, 1, RELAXED);
}

uint64_t rtc_load_weigh(const RtcLoad *load, int64_t now_us) {
  if (atomic_load_explicit(&load->closed, RELAXED))
    return UINT64_MAX;
  uint64_t sessions = (uint64_t)atomic_load_explicit(&load->sessions, RELAXED) +
                      atomic_load_explicit(&load->promised, RELAXED);
  bool fresh = now_us - atomic_load_explicit(&load->measured_us, RELAXED) < STALE_US;
  uint64_t rate = fresh ? atomic_load_explicit(&load->packets_per_s, RELAXED) : 0;
  return sessions + rate / RTC_LOAD_PACKETS_PER_SESSION;
}
