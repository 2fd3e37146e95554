/* RtcConsumer: sends a source to one Connection, and carries its wishes for keyframes back. */
#include "media/rtc_consumer_internal.h"

#include "media/rtc_publisher.h"
#include "media/rtc_source_internal.h"

#include <stdlib.h>

static void ask_keyframe(RtcConsumer *consumer) {
  rtc_source_ask_keyframe(consumer->source);
}

static void on_keyframe_wanted(void *arg) {
  RtcConsumerTrack *track = arg;
  ask_keyframe(track->consumer);
}

/* -- Out -- */

/* The consumer's track of the same media and codec; NULL: this receiver did not agree to it. */
static RtcConsumerTrack *track_for(RtcConsumer *consumer, const RtcSourceFlow *flow) {
  for (size_t i = 0; i < consumer->track_count; i++) {
    RtcConsumerTrack *track = &consumer->tracks[i];
    if (track->track.media == flow->media && track->track.codec == flow->codec)
      return track;
  }
  return NULL;
}

/* A new publisher begins anywhere: its timestamps go on from the last one's, by the time between,
 * and its video with a keyframe, since the receiver's decoder has the last one's frames. */
static void follow_publisher(RtcConsumerTrack *track, uint32_t timestamp, int64_t now_us) {
  unsigned generation = track->consumer->source->generation;
  if (track->generation == generation)
    return;
  if (track->generation != 0) {
    int64_t passed_us = now_us - track->sent_us;
    uint32_t passed = (uint32_t)(passed_us * track->track.clock_rate / RTC_US_PER_S);
    track->timestamp_offset = track->timestamp + passed - timestamp;
    track->stream->awaits_keyframe = track->track.media == RTC_MEDIA_VIDEO;
  }
  track->generation = generation;
}

/* The receiver sees no gap in its own sequence numbers, so it would wait for seconds for frames
 * that are lost, or show what builds on them: video goes on with a keyframe. */
static void follow_gaps(RtcConsumerTrack *track, const RtcSourceFlow *flow) {
  if (track->gaps == flow->gaps)
    return;
  track->gaps = flow->gaps;
  track->stream->awaits_keyframe = track->track.media == RTC_MEDIA_VIDEO;
}

void rtc_consumer_take(RtcConsumer *consumer, const RtcSourcePacket *packet) {
  RtcConsumerTrack *track = track_for(consumer, &packet->flow);
  if (!track)
    return;
  int64_t now_us = rtc_worker_now(consumer->connection->shard->worker);
  follow_publisher(track, packet->timestamp, now_us);
  follow_gaps(track, &packet->flow);
  track->timestamp = packet->timestamp + track->timestamp_offset;
  track->sent_us = now_us;
  RtcError error = rtc_connection_send_rtp(consumer->connection, track->stream, packet->packet,
                                           packet->flags, track->timestamp_offset);
  if (error == RTC_ERROR_PROTO) /* no room in a frame for it and SRTP's tag */
    rtc_connection_drop(consumer->connection, RTC_DROP_QUEUE_FULL);
}

void rtc_consumer_report(RtcConsumer *consumer, const RtcSourceFlow *flow,
                         const RtcSourceReport *report) {
  const RtcConsumerTrack *track = track_for(consumer, flow);
  uint8_t compound[128];
  size_t len = 0;
  if (!track || track->generation != consumer->source->generation || !track->stream->packets)
    return;
  const RtcRtcpSenderInfo own = {.ssrc = track->track.ssrc,
                                 .ntp = report->ntp,
                                 .rtp_timestamp = report->rtp_timestamp + track->timestamp_offset,
                                 .packets = track->stream->packets,
                                 .octets = track->stream->octets};
  if (rtc_rtcp_write_sr(compound, sizeof compound, &len, &own) == RTC_OK &&
      rtc_rtcp_write_sdes_cname(compound, sizeof compound, &len, own.ssrc, RTC_CNAME) == RTC_OK)
    (void)rtc_connection_send_rtcp(consumer->connection, compound, len);
}

/* -- In -- */

static bool asks_keyframe(const RtcConsumer *consumer, const RtcRtcpPacket *packet) {
  if (packet->type != RTC_RTCP_PSFB)
    return false;
  for (size_t i = 0; i < consumer->track_count; i++) {
    uint32_t ssrc = consumer->tracks[i].track.ssrc;
    if (packet->count == 1 && packet->media_ssrc == ssrc) /* PLI, RFC 4585 section 6.3.1 */
      return true;
    if (packet->count == 4 && rtc_rtcp_fir_names(packet, ssrc)) /* FIR, RFC 5104 section 4.3.1 */
      return true;
  }
  return false;
}

static bool on_rtcp(RtcConnectionObserver *observer, const uint8_t *compound, size_t len) {
  RtcConsumer *consumer = (RtcConsumer *)observer;
  RtcRtcpPacket packet;
  RtcError error;
  size_t at = 0;
  bool known = true;
  while ((error = rtc_rtcp_next(compound, len, &at, &packet)) == RTC_OK) {
    if (asks_keyframe(consumer, &packet))
      ask_keyframe(consumer);
    known = known && packet.type >= RTC_RTCP_SR && packet.type <= RTC_RTCP_XR;
  }
  return known && error == RTC_ERROR_EOF;
}

static void on_state(RtcConnectionObserver *observer, RtcConnectionState state) {
  RtcConsumer *consumer = (RtcConsumer *)observer;
  if (state == RTC_CONNECTION_STATE_CONNECTED)
    ask_keyframe(consumer);
  else if (state == RTC_CONNECTION_STATE_CLOSED)
    rtc_consumer_close(consumer);
}

/* -- Begin and end -- */

static RtcError add_streams(RtcConsumer *consumer) {
  for (size_t i = 0; i < consumer->track_count; i++) {
    RtcConsumerTrack *track = &consumer->tracks[i];
    const RtcStreamConfig config = {.media = track->track.media,
                                    .ssrc = track->track.ssrc,
                                    .payload_type = track->track.payload_type,
                                    .clock_rate = track->track.clock_rate,
                                    .on_keyframe_wanted = on_keyframe_wanted,
                                    .arg = track};
    RtcError error = rtc_connection_add_stream(&track->stream, consumer->connection, &config);
    if (error)
      return error;
  }
  return rtc_connection_observe(consumer->connection, &consumer->observer);
}

static void free_consumer(RtcConsumer *consumer) {
  rtc_connection_unobserve(consumer->connection, &consumer->observer);
  for (size_t i = 0; i < consumer->track_count; i++)
    rtc_connection_remove_stream(consumer->connection, &consumer->tracks[i].stream);
  free(consumer);
}

static void link(RtcConsumer *consumer) {
  RtcSource *source = consumer->source;
  consumer->next = source->consumers;
  consumer->at = &source->consumers;
  if (consumer->next)
    consumer->next->at = &consumer->next;
  source->consumers = consumer;
  source->manager->stats.consumers_live++;
  source->manager->stats.consumers_total++;
}

RtcError rtc_consumer_new(RtcConsumer **out, RtcSource *source, RtcConnection *connection,
                          const RtcTrack *tracks, size_t count) {
  if (count == 0)
    return RTC_ERROR_INVALID_ARGUMENT;
  if (count > RTC_TRACKS_MAX)
    return RTC_ERROR_LIMIT;
  RtcConsumer *consumer = calloc(1, sizeof *consumer);
  if (!consumer)
    return RTC_ERROR_NO_MEMORY;
  consumer->observer = (RtcConnectionObserver){.on_state = on_state, .on_rtcp = on_rtcp};
  consumer->source = source;
  consumer->connection = connection;
  consumer->track_count = count;
  for (size_t i = 0; i < count; i++)
    consumer->tracks[i] = (RtcConsumerTrack){.track = tracks[i], .consumer = consumer};
  RtcError error = add_streams(consumer);
  if (error) {
    free_consumer(consumer);
    return error;
  }
  link(consumer);
  rtc_source_settle(source);
  if (connection->state == RTC_CONNECTION_STATE_CONNECTED)
    ask_keyframe(consumer);
  if (out)
    *out = consumer;
  return RTC_OK;
}

void rtc_consumer_close(RtcConsumer *consumer) {
  RtcSource *source = consumer->source;
  if (source->next_taker == consumer)
    source->next_taker = consumer->next;
  *consumer->at = consumer->next;
  if (consumer->next)
    consumer->next->at = consumer->at;
  source->manager->stats.consumers_live--;
  free_consumer(consumer);
  rtc_source_settle(source);
}
