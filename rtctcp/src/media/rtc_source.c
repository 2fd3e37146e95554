/* RtcSource: a named stream's life, and the way of its packets from the publisher to all consumers.
 */
#include "media/rtc_source_internal.h"

#include "media/rtc_consumer_internal.h"
#include "media/rtc_publisher.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

RtcError rtc_source_new(RtcSource **out, RtcSourceManager *manager, const char *name) {
  RtcSource *source = calloc(1, sizeof *source);
  if (!source)
    return RTC_ERROR_NO_MEMORY;
  rtc_shared_init(&source->shared);
  source->manager = manager;
  source->name = strdup(name);
  if (!source->name || rtc_source_manager_add(manager, source) != RTC_OK) {
    free(source->name);
    free(source);
    return RTC_ERROR_NO_MEMORY;
  }
  manager->stats.sources_live++;
  manager->stats.sources_total++;
  *out = source;
  return RTC_OK;
}

static void destroy(RtcSource *source) {
  assert(!source->publisher && !source->consumers);
  rtc_source_manager_remove(source->manager, source);
  source->manager->stats.sources_live--;
  free(source->name);
  free(source);
}

RTC_SHARED_DEFINE(RtcSource, rtc_source, shared, destroy);

void rtc_source_settle(RtcSource *source) {
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
  while (source->consumers)
    rtc_consumer_close(source->consumers);
  rtc_source_unref(&handle);
}

const char *rtc_source_name(const RtcSource *source) {
  return source->name;
}

RtcError rtc_source_publish(RtcSource *source, RtcConnection *connection, const RtcTrack *tracks,
                            size_t count) {
  if (source->publisher)
    return RTC_ERROR_EXISTS;
  RtcError error = rtc_publisher_new(&source->publisher, source, connection, tracks, count);
  if (error)
    return error;
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
  rtc_source_settle(source);
}

size_t rtc_source_tracks(const RtcSource *source, const RtcTrack **tracks) {
  return source->publisher ? rtc_publisher_tracks(source->publisher, tracks) : 0;
}

void rtc_source_forward(RtcSource *source, const RtcPublisherTrack *track, RtcPacket *packet,
                        unsigned flags, uint32_t timestamp) {
  /* A Connection may have streams of the host's own beside its consumer, and their
   * on_keyframe_wanted may end any of the consumers, the publisher, and so the source. */
  RtcSource *handle = rtc_source_ref(source);
  source->next_taker = source->consumers;
  while (source->next_taker) {
    RtcConsumer *consumer = source->next_taker;
    source->next_taker = consumer->next;
    rtc_consumer_take(consumer, track, packet, flags, timestamp);
  }
  rtc_source_unref(&handle);
}

const char *rtc_codec_name(RtcCodec codec) {
  static const char *const names[] = {
#define NAME(name, text) text,
      RTC_CODEC_MAP(NAME)
#undef NAME
  };
  return (size_t)codec < sizeof names / sizeof *names ? names[codec] : "unknown";
}
