/* A first-in-first-out ring of packets that wait to be sent. Its memory is a pool's; when it is
 * empty it holds none. */
#ifndef RTC_TRANSPORT_SEND_RING_H
#define RTC_TRANSPORT_SEND_RING_H

#include "runtime/block_pool.h"

#include <rtctcp/connection.h>

#include <assert.h>

typedef struct RtcSendEntry {
  RtcPacket *packet; /* owned */
  RtcStream *stream; /* borrowed: removing the stream removes its entries; RTCP: NULL */
  int64_t queued_us;
  uint32_t timestamp_offset; /* [stream's clock] */
  uint16_t frame;            /* video: the stream's number of it */
  uint16_t flags;            /* RTC_SEND_* */
} RtcSendEntry;

typedef struct RtcSendRing {
  RtcBlockPool *pool;    /* borrowed */
  RtcSendEntry *entries; /* owned: the pool's; NULL when empty */
  size_t capacity;       /* a power of two, or 0 */
  size_t head;
  size_t count;
} RtcSendRing;

void rtc_send_ring_init(RtcSendRing *ring, RtcBlockPool *pool);

/* The i-th of count, 0 the oldest. Valid until the ring is changed. */
static inline RtcSendEntry *rtc_send_ring_at(const RtcSendRing *ring, size_t i) {
  assert(i < ring->count);
  return &ring->entries[(ring->head + i) & (ring->capacity - 1)];
}

/* Takes entry->packet over, on success only. Errors: NO_MEMORY */
RTC_MUST_CHECK RtcError rtc_send_ring_push(RtcSendRing *ring, const RtcSendEntry *entry);

/* Removes the oldest and gives it, with its packet, to the caller. The ring must not be empty. */
RtcSendEntry rtc_send_ring_pop(RtcSendRing *ring);

/* Keeps the entries for which keep says true, in order; the others' packets are unreffed. */
void rtc_send_ring_filter(RtcSendRing *ring, bool (*keep)(const RtcSendEntry *entry, void *arg),
                          void *arg);

#endif
