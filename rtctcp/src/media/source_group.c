/* A source group's life, and what a member does with a letter. */
#include "media/source_group.h"

#include "media/rtc_source_internal.h"
#include "media/source_directory.h"

#include <assert.h>
#include <stdlib.h>

#define MEMBERS_MAX 256

/* -- Begin and end -- */

static void unref(RtcSourceGroup *group) {
  /* Each thread's writes come before its release; the last one acquires them all, then frees. */
  if (atomic_fetch_sub_explicit(&group->handles, 1, memory_order_acq_rel) > 1)
    return;
  assert(!group->listings);
  for (size_t i = 0; i < group->member_count; i++) {
    RtcSourceMember *member = &group->members[i];
    for (size_t to = 0; to < group->member_count; to++)
      rtc_relay_destroy(member->relays[to]);
    free(member->relays);
    pthread_mutex_destroy(&member->lock);
  }
  pthread_mutex_destroy(&group->lock);
  free(group);
}

static void on_letter(void *arg);

static void flush(void *arg) {
  RtcSourceMember *member = arg;
  rtc_relay_flush_all(member);
}

static RtcError init_member(RtcSourceGroup *group, size_t index, RtcSourceManager *manager) {
  RtcSourceMember *member = &group->members[index];
  member->relays = calloc(group->member_count, sizeof(RtcRelay *));
  if (!member->relays)
    return RTC_ERROR_NO_MEMORY;
  member->group = group;
  member->index = (unsigned)index;
  member->worker = manager->worker;
  member->manager = manager;
  member->flush = (RtcTask){.run = flush, .arg = member};
  member->letter = (RtcLetter){.fn = on_letter, .arg = member};
  member->ready_end = &member->ready;
  member->open = true;
  pthread_mutex_init(&member->lock, NULL);
  return RTC_OK;
}

static RtcError make_group(RtcSourceGroup **out, RtcSourceManager *const *managers, size_t count) {
  RtcSourceGroup *group = calloc(1, sizeof *group + count * sizeof *group->members);
  if (!group)
    return RTC_ERROR_NO_MEMORY;
  group->member_count = count;
  for (size_t i = 0; i < count; i++) {
    if (init_member(group, i, managers[i]) == RTC_OK)
      continue;
    while (i-- > 0) {
      pthread_mutex_destroy(&group->members[i].lock);
      free(group->members[i].relays);
    }
    free(group);
    return RTC_ERROR_NO_MEMORY;
  }
  pthread_mutex_init(&group->lock, NULL);
  atomic_init(&group->handles, count);
  *out = group;
  return RTC_OK;
}

RtcError rtc_source_managers_join(RtcSourceManager *const *managers, size_t count) {
  RtcSourceGroup *group;
  if (count == 0 || count > MEMBERS_MAX)
    return RTC_ERROR_INVALID_ARGUMENT;
  for (size_t i = 0; i < count; i++)
    if (managers[i]->member || managers[i]->entries)
      return RTC_ERROR_INVALID_ARGUMENT;
  if (count == 1) /* it is on its own, and pays for nobody */
    return RTC_OK;
  RtcError error = make_group(&group, managers, count);
  if (error)
    return error;
  for (size_t i = 0; i < count; i++)
    managers[i]->member = &group->members[i];
  return RTC_OK;
}

void rtc_source_member_close(RtcSourceMember *member) {
  member->manager->member = NULL;
  member->manager = NULL;
  pthread_mutex_lock(&member->lock);
  member->open = false;
  pthread_mutex_unlock(&member->lock);
  /* Its sources have gone; a task that is still queued would have nobody's packets to send. */
  if (member->flush.queued)
    rtc_worker_cancel_task(member->worker, &member->flush);
  unref(member->group);
}

/* -- Feeds -- */

static RtcSource **bucket_of(RtcSourceMember *member, uint64_t publication) {
  return &member->feeds[publication & (RTC_FEED_BUCKETS - 1)];
}

void rtc_source_member_add_feed(RtcSourceMember *member, RtcSource *source) {
  RtcSource **bucket = bucket_of(member, source->feed.publication);
  source->feed.next = *bucket;
  *bucket = source;
}

void rtc_source_member_remove_feed(RtcSourceMember *member, RtcSource *source) {
  RtcSource **at = bucket_of(member, source->feed.publication);
  while (*at != source)
    at = &(*at)->feed.next;
  *at = source->feed.next;
  if (source->feed.ending)
    member->endings--;
  source->feed = (RtcSourceFeed){0};
}

static RtcSource *find_feed(RtcSourceMember *member, uint64_t publication) {
  RtcSource *source = *bucket_of(member, publication);
  while (source && source->feed.publication != publication)
    source = source->feed.next;
  return source;
}

/* -- A letter -- */

bool rtc_source_member_wake(RtcSourceMember *member) {
  if (!member->open)
    return false;
  if (member->posted)
    return true;
  atomic_fetch_add_explicit(&member->group->handles, 1, memory_order_relaxed);
  member->posted = true;
  if (rtc_worker_post_letter(member->worker, &member->letter) == RTC_OK)
    return true;
  /* Its worker has stopped. The caller's own member keeps the group. */
  member->posted = false;
  member->open = false;
  atomic_fetch_sub_explicit(&member->group->handles, 1, memory_order_relaxed);
  return false;
}

static void deliver(RtcSourceMember *member, RtcRelayItem *item) {
  RtcSource *source = find_feed(member, item->publication);
  if (!source) { /* a publication so new that its notice has come since we looked */
    rtc_directory_take_notices(member);
    source = find_feed(member, item->publication);
  }
  if (source && item->packet.packet)
    rtc_source_fan_out(source, &item->packet);
  else if (source)
    rtc_source_tell_report(source, &item->packet.flow, &item->report);
}

static void deliver_batch(RtcSourceMember *member, RtcRelayBatch *batch) {
  if (member->manager)
    member->manager->stats.relay_batches_in += batch->count > 0;
  for (size_t i = 0; i < batch->count; i++) {
    RtcRelayItem *item = &batch->items[i];
    if (member->manager) {
      member->manager->stats.relayed_in += item->packet.packet != NULL;
      deliver(member, item);
    }
    rtc_packet_unref(&item->packet.packet);
  }
  batch->count = 0;
}

static void end_feeds(RtcSourceMember *member) {
  for (size_t i = 0; i < RTC_FEED_BUCKETS && member->endings > 0; i++) {
    RtcSource *source = member->feeds[i];
    while (source) {
      RtcSource *next = source->feed.next;
      if (source->feed.ending)
        rtc_source_member_remove_feed(member, source);
      source = next;
    }
  }
}

/* A publisher sends its last packets on before it tells the directory that it goes. So to look at
 * the directory first, then to take the packets, and only then to end what has gone, loses nothing.
 */
static void on_letter(void *arg) {
  RtcSourceMember *member = arg;
  RtcSourceGroup *group = member->group;
  pthread_mutex_lock(&member->lock);
  member->posted = false; /* what comes from here on posts it again */
  pthread_mutex_unlock(&member->lock);
  if (member->manager)
    rtc_directory_take_notices(member);
  RtcRelay *relay;
  RtcRelayBatch *batch;
  while ((relay = rtc_relay_take(member, &batch))) {
    deliver_batch(member, batch);
    rtc_relay_taken(relay);
  }
  end_feeds(member);
  unref(group);
}
