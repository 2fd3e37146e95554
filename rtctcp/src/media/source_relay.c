/* Batches of packets from one worker to another. */
#include "media/source_relay.h"

#include "media/source_group.h"

#include <stdlib.h>

#define CAPACITY_MIN  32
#define CAPACITY_KEPT 256 /* a longer batch's array is given back when it is empty */

/* -- Batches -- */

static void swap(RtcRelayBatch *a, RtcRelayBatch *b) {
  RtcRelayBatch was = *a;
  *a = *b;
  *b = was;
}

static size_t drop_items(RtcRelayBatch *batch) {
  size_t packets = 0;
  for (size_t i = 0; i < batch->count; i++) {
    packets += batch->items[i].packet.packet != NULL;
    rtc_packet_unref(&batch->items[i].packet.packet);
  }
  batch->count = 0;
  batch->octets = 0;
  return packets;
}

static void shrink(RtcRelayBatch *batch) {
  if (batch->capacity <= CAPACITY_KEPT)
    return;
  free(batch->items);
  *batch = (RtcRelayBatch){0};
}

static bool make_room(RtcRelayBatch *batch) {
  if (batch->count < batch->capacity)
    return true;
  size_t capacity = batch->capacity ? 2 * batch->capacity : CAPACITY_MIN;
  RtcRelayItem *items = realloc(batch->items, capacity * sizeof *items);
  if (!items)
    return false;
  batch->items = items;
  batch->capacity = capacity;
  return true;
}

static bool is_full(const RtcRelayBatch *waiting, const RtcRelayBatch *more) {
  return waiting->count + more->count > RTC_RELAY_PACKETS_MAX ||
         waiting->octets + more->octets > RTC_RELAY_OCTETS_MAX;
}

/* They fit: see is_full. false: no memory */
static bool append(RtcRelayBatch *to, RtcRelayBatch *from) {
  for (size_t i = 0; i < from->count; i++) {
    if (!make_room(to))
      return false;
    RtcPacket *packet = from->items[i].packet.packet;
    to->items[to->count++] = from->items[i];
    to->octets += packet ? rtc_packet_len(packet) : 0;
    from->items[i].packet.packet = NULL; /* its handle has moved */
  }
  from->count = 0;
  from->octets = 0;
  return true;
}

/* -- Out -- */

void rtc_relay_destroy(RtcRelay *relay) {
  if (!relay)
    return;
  RtcRelayBatch *batches[] = {&relay->filling, &relay->waiting, &relay->taken};
  for (size_t i = 0; i < sizeof batches / sizeof *batches; i++) {
    drop_items(batches[i]);
    free(batches[i]->items);
  }
  free(relay);
}

static RtcRelay *relay_to(RtcSourceMember *from, unsigned to) {
  RtcRelay *relay = from->relays[to];
  if (relay)
    return relay;
  relay = calloc(1, sizeof *relay);
  if (!relay)
    return NULL;
  relay->from = from;
  relay->to = &from->group->members[to];
  from->relays[to] = relay;
  return relay;
}

/* Dropped whole: what waits is old, and what comes next is of no use to video without it. */
static void lose(RtcRelay *relay, size_t packets) {
  relay->losses++;
  relay->from->manager->stats.relay_dropped += packets;
}

/* The next item of this turn's batch; NULL: no memory */
static RtcRelayItem *next_item(RtcSourceMember *from, unsigned to, uint64_t publication) {
  RtcRelay *relay = relay_to(from, to);
  if (!relay)
    return NULL;
  RtcRelayBatch *batch = &relay->filling;
  static const RtcRelayBatch none;
  if (is_full(&none, batch))
    lose(relay, drop_items(batch));
  if (!make_room(batch)) {
    relay->losses++;
    return NULL;
  }
  if (!from->flush.queued)
    rtc_worker_at_end_of_turn(from->worker, &from->flush);
  RtcRelayItem *item = &batch->items[batch->count++];
  *item = (RtcRelayItem){.publication = publication};
  return item;
}

void rtc_relay_packet(RtcSourceMember *from, unsigned to, uint64_t publication,
                      const RtcSourcePacket *packet) {
  RtcRelayItem *item = next_item(from, to, publication);
  if (!item) {
    from->manager->stats.relay_dropped++;
    return;
  }
  RtcRelay *relay = from->relays[to];
  item->packet = *packet;
  item->packet.packet = rtc_packet_ref(packet->packet);
  item->packet.flow.gaps += relay->losses;
  relay->filling.octets += rtc_packet_len(packet->packet);
  from->manager->stats.relayed_out++;
}

void rtc_relay_report(RtcSourceMember *from, unsigned to, uint64_t publication,
                      const RtcSourceFlow *flow, const RtcSourceReport *report) {
  RtcRelayItem *item = next_item(from, to, publication);
  if (!item)
    return; /* a newer one follows */
  item->packet.flow = *flow;
  item->report = *report;
}

/* Under the lock of to: its letter is posted, and what it does not take in time is put into stale.
 * false: the batch is to be dropped */
static bool hand_in(RtcRelay *relay, int64_t now_us, RtcRelayBatch *stale) {
  RtcSourceMember *to = relay->to;
  RtcRelayBatch *waiting = &relay->waiting;
  if (waiting->count > 0 &&
      (is_full(waiting, &relay->filling) || now_us - relay->waiting_since_us > RTC_RELAY_AGE_US)) {
    swap(waiting, stale);
    return false;
  }
  if (!rtc_source_member_wake(to))
    return false;
  if (waiting->count == 0) {
    relay->waiting_since_us = now_us;
    swap(waiting, &relay->filling);
  } else if (!append(waiting, &relay->filling)) {
    return false;
  }
  if (!relay->queued) {
    relay->queued = true;
    relay->next = NULL;
    *to->ready_end = relay;
    to->ready_end = &relay->next;
  }
  return true;
}

static void flush(RtcRelay *relay) {
  RtcRelayBatch stale = {0};
  if (relay->filling.count == 0)
    return;
  pthread_mutex_lock(&relay->to->lock);
  bool sent = hand_in(relay, rtc_worker_now(relay->from->worker), &stale);
  pthread_mutex_unlock(&relay->to->lock);
  if (sent) {
    relay->from->manager->stats.relay_batches_out++;
    return;
  }
  lose(relay, drop_items(&stale) + drop_items(&relay->filling));
  free(stale.items);
}

void rtc_relay_flush_all(RtcSourceMember *from) {
  for (size_t i = 0; i < from->group->member_count; i++)
    if (from->relays[i])
      flush(from->relays[i]);
}

/* -- In -- */

RtcRelay *rtc_relay_take(RtcSourceMember *to, RtcRelayBatch **batch) {
  pthread_mutex_lock(&to->lock);
  RtcRelay *relay = to->ready;
  if (relay) {
    to->ready = relay->next;
    if (!to->ready)
      to->ready_end = &to->ready;
    relay->queued = false;
    swap(&relay->waiting, &relay->taken);
  }
  pthread_mutex_unlock(&to->lock);
  if (relay)
    *batch = &relay->taken;
  return relay;
}

void rtc_relay_taken(RtcRelay *relay) {
  relay->taken.octets = 0;
  shrink(&relay->taken);
}
