/* Counts a player's packets, see reception.h. */
#include "reception.h"

#include "stream.h"

static uint64_t place_of(uint32_t frame, uint16_t index) {
  return (uint64_t)frame << 16 | index;
}

static uint64_t place_after(const StreamStamp *stamp) {
  bool last = stamp->index + 1 == stamp->count;
  return last ? place_of(stamp->frame + 1, 0)
              : place_of(stamp->frame, (uint16_t)(stamp->index + 1));
}

/* Only this thread writes it: no locked instruction is needed. */
static void count_delivered(Meter *meter) {
  uint64_t delivered = atomic_load_explicit(&meter->delivered, memory_order_relaxed);
  atomic_store_explicit(&meter->delivered, delivered + 1, memory_order_relaxed);
}

static void count(Reception *reception, const StreamStamp *stamp, size_t len, uint64_t now_ns) {
  reception->phase = channel_phase(reception->channel, reception->phase, stamp->frame);
  Meter *meter = &reception->meters[reception->phase];
  uint64_t place = place_of(stamp->frame, stamp->index);
  bool gap = place > reception->next;
  if (gap)
    meter->gaps++;
  if (place < reception->next)
    meter->out_of_order++;
  else
    reception->next = place_after(stamp);
  count_delivered(meter);
  meter->octets += len;
  histogram_add(&meter->latency, now_ns > stamp->sent_ns ? now_ns - stamp->sent_ns : 0);
  if (reception->recovery)
    recovery_take(reception->recovery, stamp, gap, now_ns);
}

void reception_take(Reception *reception, const uint8_t *packet, size_t len, uint64_t now_ns) {
  StreamStamp stamp;
  rtcp_reception_take(&reception->rtcp, packet, len);
  if (!stream_read(&stamp, packet, len) || stamp.channel != reception->channel->id) {
    reception->foreign++;
    return;
  }
  if (!reception->begun) {
    if (!stamp.keyframe || stamp.index != 0)
      return;
    reception->begun = true;
    reception->first_frame = stamp.frame;
    reception->next = place_of(stamp.frame, stamp.index);
  }
  count(reception, &stamp, len, now_ns);
}

uint64_t reception_expected(const Reception *reception, Phase phase, uint32_t until) {
  if (!reception->begun)
    return 0;
  return channel_packets(reception->channel, phase, reception->first_frame, until);
}
