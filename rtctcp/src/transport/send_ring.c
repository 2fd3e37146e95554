/* A first-in-first-out ring of packets that wait to be sent. */
#include "transport/send_ring.h"

#include <assert.h>
#include <stdlib.h>

#define FIRST_CAPACITY ((size_t)16)

RtcSendEntry *rtc_send_ring_at(const RtcSendRing *ring, size_t i) {
  assert(i < ring->count);
  return &ring->entries[(ring->head + i) & (ring->capacity - 1)];
}

static RtcError grow(RtcSendRing *ring) {
  size_t capacity = ring->capacity ? ring->capacity * 2 : FIRST_CAPACITY;
  RtcSendEntry *entries = calloc(capacity, sizeof *entries);
  if (!entries)
    return RTC_ERROR_NO_MEMORY;
  for (size_t i = 0; i < ring->count; i++)
    entries[i] = *rtc_send_ring_at(ring, i);
  free(ring->entries);
  ring->entries = entries;
  ring->capacity = capacity;
  ring->head = 0;
  return RTC_OK;
}

static void free_if_empty(RtcSendRing *ring) {
  if (ring->count > 0)
    return;
  free(ring->entries);
  *ring = (RtcSendRing){0};
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
  free_if_empty(ring);
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
  free_if_empty(ring);
}
