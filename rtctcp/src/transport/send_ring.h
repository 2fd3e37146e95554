/* A first-in-first-out ring of packets that wait to be sent. It holds no memory when it is empty.
 */
#ifndef RTC_TRANSPORT_SEND_RING_H
#define RTC_TRANSPORT_SEND_RING_H

#include <rtctcp/connection.h>

typedef struct RtcSendEntry {
  RtcPacket *packet; /* owned */
  RtcStream *stream; /* borrowed: removing the stream removes its entries; RTCP: NULL */
  int64_t queued_us;
  uint32_t timestamp_offset; /* [stream's clock] */
  unsigned flags;            /* RTC_SEND_* */
} RtcSendEntry;

typedef struct RtcSendRing {
  RtcSendEntry *entries; /* owned; NULL when empty */
  size_t capacity;       /* a power of two, or 0 */
  size_t head;
  size_t count;
} RtcSendRing;

/* The i-th of count, 0 the oldest. Valid until the ring is changed. */
RtcSendEntry *rtc_send_ring_at(const RtcSendRing *ring, size_t i);

/* Takes entry->packet over, on success only. Errors: NO_MEMORY */
RTC_MUST_CHECK RtcError rtc_send_ring_push(RtcSendRing *ring, const RtcSendEntry *entry);

/* Removes the oldest and gives it, with its packet, to the caller. The ring must not be empty. */
RtcSendEntry rtc_send_ring_pop(RtcSendRing *ring);

/* Keeps the entries for which keep says true, in order; the others' packets are unreffed. */
void rtc_send_ring_filter(RtcSendRing *ring, bool (*keep)(const RtcSendEntry *entry, void *arg),
                          void *arg);

#endif
