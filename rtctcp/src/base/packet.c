/* RtcPacket: one allocation that holds the count, the length and the octets. */
#include "base/packet_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

RtcError rtc_packet_new(RtcPacket **packet, const uint8_t *data, size_t len) {
  if (len > SIZE_MAX - sizeof(RtcPacket))
    return RTC_ERROR_NO_MEMORY;
  RtcPacket *made = malloc(sizeof *made + len);
  if (!made)
    return RTC_ERROR_NO_MEMORY;

  atomic_init(&made->handles, 1);
  atomic_init(&made->note, 0);
  made->len = len;
  if (len > 0)
    memcpy(made->data, data, len);
  *packet = made;
  return RTC_OK;
}

RtcPacket *rtc_packet_ref(RtcPacket *packet) {
  if (packet) {
    /* Relaxed is enough: the caller's own handle keeps the packet alive. */
    unsigned before = atomic_fetch_add_explicit(&packet->handles, 1, memory_order_relaxed);
    assert(before > 0);
    (void)before;
  }
  return packet;
}

void rtc_packet_unref(RtcPacket **packet) {
  RtcPacket *mine = *packet;

  *packet = NULL;
  if (!mine)
    return;
  /* Every thread's reads come before its release; the last one acquires them all, then frees. */
  unsigned before = atomic_fetch_sub_explicit(&mine->handles, 1, memory_order_acq_rel);
  assert(before > 0);
  if (before == 1)
    free(mine);
}

const uint8_t *rtc_packet_data(const RtcPacket *packet) {
  return packet->data;
}

size_t rtc_packet_len(const RtcPacket *packet) {
  return packet->len;
}
