/* RtcSource: a named stream's life, and the way of its packets from the publisher to all consumers.
 */
#include "media/rtc_source_internal.h"

#include "media/rtc_consumer_internal.h"
#include "media/rtc_publisher.h"
#include "media/source_directory.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Consumers wish with every packet that they can't use. The publisher asks its peer twice a second
 * at most, so this only spares the other worker. */
#define WISH_INTERVAL_US (50 * RTC_US_PER_MS)

RtcError rtc_source_new(RtcSource **out, RtcSourceManager *manager, const char *name) {
  RtcSource *source = calloc(1, sizeof *source);
  if (!source)
    return RTC_ERROR_NO_MEMORY;
  rtc_shared_init(&source->shared);
  source->manager = manager;
  source->name = strdup(name);
  if (!source->name || rtc_source_manager_add(manager, source) != RTC_OK)
    goto free_source;
  if (manager->member && rtc_directory_enter(manager->member, source) != RTC_OK)
    goto remove;
  manager->stats.sources_live++;
  manager->stats.sources_total++;
  *out = source;
  return RTC_OK;

remove:
  rtc_source_manager_remove(manager, source);
free_source:
  free(source->name);
  free(source);
  return RTC_ERROR_NO_MEMORY;
}

static void destroy(RtcSource *source) {
  assert(!source->publisher && !source->consumers);
  rtc_source_manager_remove(source->manager, source);
  if (source->listing)
    rtc_directory_leave(source);
  source->manager->stats.sources_live--;
  free(source->name);
  free(source);
}

RTC_SHARED_DEFINE(RtcSource, rtc_source, shared, destroy);

/* The other workers send what there are consumers for. */
static void tell_interest(RtcSource *source) {
  bool interested = source->consumers != NULL;
  if (!source->listing || interested == source->interested)
    return;
  source->interested = interested;
  rtc_directory_set_interest(source, interested);
}

void rtc_source_settle(RtcSource *source) {
  tell_interest(source);
  bool in_use = source->publisher || source->consumers;
  RtcSourceState state = in_use ? RTC_SOURCE_STATE_LAST_USER : RTC_SOURCE_STATE_USER;
  if (state == source->state)
    return;
  source->state = state;
  if (in_use)
    rtc_source_ref(source);
  else
    rtc_source_unref(&source);
}

void rtc_source_unbind(RtcSource *source) {
  RtcSource *handle = rtc_source_ref(source);
  rtc_source_unpublish(source);
  /* The analyzer forgets the handle's count. NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
  while (source->consumers)
    rtc_consumer_close(source->consumers);
  rtc_source_unref(&handle);
}

const char *rtc_source_name(const RtcSource *source) {
  return source->name;
}

RtcError rtc_source_publish(RtcSource *source, RtcConnection *connection, const RtcTrack *tracks,
                            size_t count) {
  struct RtcPublisher *publisher;
  if (source->publisher)
    return RTC_ERROR_EXISTS;
  RtcError error = rtc_publisher_new(&publisher, source, connection, tracks, count);
  if (error)
    return error;
  if (source->listing)
    error = rtc_directory_publish(source, tracks, count);
  if (error) {
    rtc_publisher_destroy(publisher);
    return error;
  }
  source->publisher = publisher;
  source->generation++;
  rtc_source_settle(source);
  return RTC_OK;
}

void rtc_source_unpublish(RtcSource *source) {
  if (!source->publisher)
    return;
  rtc_publisher_destroy(source->publisher);
  source->publisher = NULL;
  source->next_taker = NULL;
  if (source->listing)
    rtc_directory_unpublish(source);
  rtc_source_settle(source);
}

size_t rtc_source_tracks(const RtcSource *source, const RtcTrack **tracks) {
  if (source->publisher)
    return rtc_publisher_tracks(source->publisher, tracks);
  *tracks = source->feed.tracks;
  return source->feed.ending ? 0 : source->feed.track_count;
}

/* -- From the publisher to the consumers -- */

bool rtc_source_has_takers(const RtcSource *source) {
  return source->consumers || source->target_count > 0;
}

void rtc_source_forward(RtcSource *source, const RtcSourcePacket *packet) {
  for (size_t i = 0; i < source->target_count; i++)
    rtc_relay_packet(source->manager->member, source->targets[i], source->publication, packet);
  rtc_source_fan_out(source, packet);
}

void rtc_source_fan_out(RtcSource *source, const RtcSourcePacket *packet) {
  /* A Connection may have streams of the host's own beside its consumer, and their
   * on_keyframe_wanted may end any of the consumers, the publisher, and so the source. */
  RtcSource *handle = rtc_source_ref(source);
  if ((packet->flags & RTC_SEND_FRAME_START) && (packet->flags & RTC_SEND_KEYFRAME))
    source->feed.wished = false; /* who has wished until now has it */
  source->next_taker = source->consumers;
  while (source->next_taker) {
    RtcConsumer *consumer = source->next_taker;
    source->next_taker = consumer->next;
    rtc_consumer_take(consumer, packet);
  }
  rtc_source_unref(&handle);
}

void rtc_source_forward_report(RtcSource *source, const RtcSourceFlow *flow,
                               const RtcSourceReport *report) {
  for (size_t i = 0; i < source->target_count; i++)
    rtc_relay_report(source->manager->member, source->targets[i], source->publication, flow,
                     report);
  rtc_source_tell_report(source, flow, report);
}

void rtc_source_tell_report(RtcSource *source, const RtcSourceFlow *flow,
                            const RtcSourceReport *report) {
  for (RtcConsumer *consumer = source->consumers; consumer; consumer = consumer->next)
    rtc_consumer_report(consumer, flow, report);
}

/* -- Back -- */

void rtc_source_ask_keyframe(RtcSource *source) {
  RtcSourceFeed *feed = &source->feed;
  if (source->publisher)
    rtc_publisher_ask_keyframe(source->publisher);
  if (source->publisher || feed->publication == 0)
    return;
  int64_t now_us = rtc_worker_now(source->manager->worker);
  if (feed->wished && now_us - feed->wished_us < WISH_INTERVAL_US)
    return;
  feed->wished = true;
  feed->wished_us = now_us;
  rtc_directory_ask_keyframe(source);
}

const char *rtc_codec_name(RtcCodec codec) {
  static const char *const names[] = {
#define NAME(name, text) text,
      RTC_CODEC_MAP(NAME)
#undef NAME
  };
  return (size_t)codec < sizeof names / sizeof *names ? names[codec] : "unknown";
}
