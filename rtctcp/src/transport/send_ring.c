/* A first-in-first-out ring of packets that wait to be sent. */
#include "transport/send_ring.h"

/* The pool's least block: a receiver waits with some packets a turn, not with hundreds. */
#define FIRST_CAPACITY (RTC_BLOCK_LEN_MIN / sizeof(RtcSendEntry))

_Static_assert((FIRST_CAPACITY & (FIRST_CAPACITY - 1)) == 0, "a power of two");

void rtc_send_ring_init(RtcSendRing *ring, RtcBlockPool *pool) {
  *ring = (RtcSendRing){.pool = pool};
}

static void give_entries(RtcSendRing *ring) {
  rtc_block_pool_give(ring->pool, ring->entries, ring->capacity * sizeof *ring->entries);
}

static RtcError grow(RtcSendRing *ring) {
  size_t capacity = ring->capacity ? ring->capacity * 2 : FIRST_CAPACITY;
  RtcSendEntry *entries = rtc_block_pool_take(ring->pool, capacity * sizeof *entries);
  if (!entries)
    return RTC_ERROR_NO_MEMORY;
  for (size_t i = 0; i < ring->count; i++)
    entries[i] = *rtc_send_ring_at(ring, i);
  give_entries(ring);
  ring->entries = entries;
  ring->capacity = capacity;
  ring->head = 0;
  return RTC_OK;
}

static void give_if_empty(RtcSendRing *ring) {
  if (ring->count > 0)
    return;
  give_entries(ring);
  rtc_send_ring_init(ring, ring->pool);
}

RtcError rtc_send_ring_push(RtcSendRing *ring, const RtcSendEntry *entry) {
  if (ring->count == ring->capacity) {
    RtcError error = grow(ring);
    if (error)
      return error;
  }
  ring->count++;
  *rtc_send_ring_at(ring, ring->count - 1) = *entry;
  return RTC_OK;
}

RtcSendEntry rtc_send_ring_pop(RtcSendRing *ring) {
  RtcSendEntry entry = *rtc_send_ring_at(ring, 0);
  ring->head = (ring->head + 1) & (ring->capacity - 1);
  ring->count--;
  give_if_empty(ring);
  return entry;
}

void rtc_send_ring_filter(RtcSendRing *ring, bool (*keep)(const RtcSendEntry *entry, void *arg),
                          void *arg) {
  size_t kept = 0;
  for (size_t i = 0; i < ring->count; i++) {
    RtcSendEntry *entry = rtc_send_ring_at(ring, i);
    if (keep(entry, arg))
      *rtc_send_ring_at(ring, kept++) = *entry;
    else
      rtc_packet_unref(&entry->packet);
  }
  ring->count = kept;
  give_if_empty(ring);
}
