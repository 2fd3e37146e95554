/* What the library itself sees of a packet. */
#ifndef RTC_BASE_PACKET_INTERNAL_H
#define RTC_BASE_PACKET_INTERNAL_H

#include <rtctcp/packet.h>

#include <stdatomic.h>

struct RtcPacket {
  atomic_uint handles;
  atomic_uint note; /* see rtc_packet_note */
  size_t len;
  uint8_t data[];
};

/* What a reader has found out of the octets, so that the next one need not; 0: nothing yet. As the
 * octets do not change, all who look find the same, and it does not matter who notes it last. */
static inline uint32_t rtc_packet_note(RtcPacket *packet) {
  return atomic_load_explicit(&packet->note, memory_order_relaxed);
}

static inline void rtc_packet_set_note(RtcPacket *packet, uint32_t note) {
  atomic_store_explicit(&packet->note, note, memory_order_relaxed);
}

#endif
