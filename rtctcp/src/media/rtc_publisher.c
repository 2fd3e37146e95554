/* A source's publisher: the RTP of one Connection, and the reports back to it. */
#include "media/rtc_publisher.h"

#include "base/octets.h"
#include "media/rtc_source_internal.h"
#include "protocol/rtp.h"
#include "protocol/rtp_payload.h"

#include <stdlib.h>
#include <sys/random.h>

#define KEYFRAME_INTERVAL_US (500 * RTC_US_PER_MS)
#define REPORT_INTERVAL_US   (1000 * RTC_US_PER_MS)
/* The draft of transport-wide feedback leaves it open; senders expect 50 to 250 ms. */
#define FEEDBACK_INTERVAL_US (50 * RTC_US_PER_MS)
/* Senders report every second or less often. A report is a packet for every consumer, before all
 * their media, and an RTCP frame has room for more than 2,000 of them. */
#define RELAY_INTERVAL_US (100 * RTC_US_PER_MS)

static int64_t now_of(const RtcPublisher *publisher) {
  return rtc_worker_now(publisher->connection->shard->worker);
}

static void send_report(RtcPublisher *publisher, const uint8_t *compound, size_t len) {
  /* A report that can't be sent is followed by a newer one. */
  (void)rtc_connection_send_rtcp(publisher->connection, compound, len);
}

/* -- Keyframes -- */

static void ask_keyframe(RtcPublisher *publisher, RtcPublisherTrack *track, int64_t now_us) {
  uint8_t compound[64];
  size_t len = 0;
  track->keyframe_due = true;
  if (!track->learnt || now_us - track->keyframe_asked_us < KEYFRAME_INTERVAL_US)
    return;
  if (rtc_rtcp_write_rr(compound, sizeof compound, &len, publisher->ssrc, NULL, 0) != RTC_OK ||
      rtc_rtcp_write_pli(compound, sizeof compound, &len, publisher->ssrc, track->track.ssrc) !=
          RTC_OK)
    return;
  track->keyframe_due = false;
  track->keyframe_asked_us = now_us;
  send_report(publisher, compound, len);
}

void rtc_publisher_ask_keyframe(RtcPublisher *publisher) {
  for (size_t i = 0; i < publisher->track_count; i++) {
    RtcPublisherTrack *track = &publisher->tracks[i];
    if (track->track.media == RTC_MEDIA_VIDEO && track->track.pli)
      ask_keyframe(publisher, track, now_of(publisher));
  }
}

/* -- Reports -- */

static size_t report_blocks(RtcPublisher *publisher, RtcRtcpReportBlock *blocks, int64_t now_us) {
  size_t count = 0;
  for (size_t i = 0; i < publisher->track_count; i++) {
    RtcPublisherTrack *track = &publisher->tracks[i];
    if (track->learnt)
      rtc_rtp_reception_report(&track->reception, track->track.ssrc, now_us, &blocks[count++]);
  }
  return count;
}

/* One compound (RFC 3550 section 6.1): RR, CNAME, and what transport-wide feedback is due. */
static void report(RtcPublisher *publisher, int64_t now_us) {
  bool report_due = now_us - publisher->reported_us >= REPORT_INTERVAL_US;
  bool feedback_due = now_us - publisher->feedback_us >= FEEDBACK_INTERVAL_US;
  uint8_t compound[RTC_SEND_RTCP_MAX];
  size_t len = 0;
  RtcRtcpReportBlock blocks[RTC_TRACKS_MAX];
  if (!report_due && !feedback_due)
    return;
  size_t count = report_due ? report_blocks(publisher, blocks, now_us) : 0;
  if (rtc_rtcp_write_rr(compound, sizeof compound, &len, publisher->ssrc, blocks, count) ||
      rtc_rtcp_write_sdes_cname(compound, sizeof compound, &len, publisher->ssrc, RTC_CNAME))
    return;
  publisher->feedback_us = now_us;
  RtcError feedback =
      rtc_twcc_write(&publisher->twcc, publisher->ssrc, publisher->tracks[0].track.ssrc, compound,
                     sizeof compound, &len);
  if (report_due)
    publisher->reported_us = now_us;
  if (report_due || feedback == RTC_OK)
    send_report(publisher, compound, len);
}

/* -- In -- */

static RtcPublisherTrack *find_track(RtcPublisher *publisher, const RtcRtpHeader *header) {
  for (size_t i = 0; i < publisher->track_count; i++) {
    RtcPublisherTrack *track = &publisher->tracks[i];
    if (track->track.payload_type != header->payload_type)
      continue;
    if (!track->learnt) {
      track->learnt = true;
      track->track.ssrc = header->ssrc;
      track->timestamp = header->timestamp - 1; /* so that the first packet begins a frame */
      track->next_sequence = header->sequence;
    }
    return track->track.ssrc == header->ssrc ? track : NULL;
  }
  return NULL;
}

/* TCP keeps the order, but what the peer had to send while it had no TCP conn, or more than its
 * socket took, is lost. */
static void note_sequence(RtcPublisherTrack *track, uint16_t sequence) {
  if (sequence != track->next_sequence)
    track->gaps++;
  track->next_sequence = (uint16_t)(sequence + 1);
}

static void note_transport_sequence(RtcPublisher *publisher, const RtcPublisherTrack *track,
                                    const RtcRtpHeader *header, int64_t now_us) {
  const uint8_t *value;
  size_t len;
  if (track->track.twcc_id == 0 ||
      !rtc_rtp_find_extension(header, track->track.twcc_id, &value, &len) || len < 2)
    return;
  rtc_twcc_packet(&publisher->twcc, rtc_read_u16(value), now_us);
}

static bool begins_keyframe(const RtcPublisherTrack *track, const uint8_t *payload, size_t len) {
  if (track->track.codec == RTC_CODEC_VP8)
    return rtc_vp8_keyframe_start(payload, len);
  return track->track.codec == RTC_CODEC_H264 && rtc_h264_keyframe_start(payload, len);
}

/* RTC_SEND_* of a packet; the track remembers what frame it is in. */
static unsigned flags_of(RtcPublisherTrack *track, const uint8_t *packet,
                         const RtcRtpHeader *header) {
  if (track->track.media != RTC_MEDIA_VIDEO)
    return 0;
  bool keyframe = begins_keyframe(track, packet + header->payload_offset, header->payload_len);
  bool next_frame = header->timestamp != track->timestamp;
  track->timestamp = header->timestamp;
  if (next_frame)
    track->in_keyframe = false;
  /* H.264 may say only after a delimiter or SEI that it is one: what came before is left behind. */
  bool start = next_frame || (keyframe && !track->in_keyframe);
  if (keyframe) {
    track->in_keyframe = true;
    track->keyframe_due = false; /* who has asked until now has it */
  }
  return (start ? RTC_SEND_FRAME_START : 0u) | (track->in_keyframe ? RTC_SEND_KEYFRAME : 0u);
}

static RtcSourceFlow flow_of(const RtcPublisherTrack *track) {
  return (RtcSourceFlow){
      .media = track->track.media, .codec = track->track.codec, .gaps = track->gaps};
}

static void forward(RtcPublisher *publisher, const RtcPublisherTrack *track, const uint8_t *packet,
                    size_t len, unsigned flags, uint32_t timestamp) {
  RtcSource *source = publisher->source;
  RtcPacket *shared;
  if (!rtc_source_has_takers(source))
    return;
  if (rtc_packet_new(&shared, packet, len) != RTC_OK) {
    rtc_connection_drop(publisher->connection, RTC_DROP_NO_MEMORY);
    return;
  }
  const RtcSourcePacket forwarded = {
      .packet = shared, .flow = flow_of(track), .flags = flags, .timestamp = timestamp};
  rtc_source_forward(source, &forwarded);
  rtc_packet_unref(&shared);
}

static bool on_rtp(RtcConnectionObserver *observer, const uint8_t *packet, size_t len) {
  RtcPublisher *publisher = (RtcPublisher *)observer;
  int64_t now_us = now_of(publisher);
  RtcRtpHeader header;
  if (rtc_rtp_parse(packet, len, &header) != RTC_OK)
    return false;
  RtcPublisherTrack *track = find_track(publisher, &header);
  if (!track)
    return false;
  rtc_rtp_reception_packet(&track->reception, header.sequence, header.timestamp, now_us);
  note_sequence(track, header.sequence);
  note_transport_sequence(publisher, track, &header, now_us);
  /* Without a payload it is padding, with which senders probe the path: it ends here, and is no
   * part of a frame, whatever its timestamp. */
  bool probe = header.payload_len == 0;
  unsigned flags = probe ? 0 : flags_of(track, packet, &header);
  if (track->keyframe_due)
    ask_keyframe(publisher, track, now_us);
  report(publisher, now_us);
  if (!probe) /* last: the publisher may be gone after it */
    forward(publisher, track, packet, len, flags, header.timestamp);
  return true;
}

static void take_sender_report(RtcPublisher *publisher, const RtcRtcpSenderInfo *info) {
  int64_t now_us = now_of(publisher);
  for (size_t i = 0; i < publisher->track_count; i++) {
    RtcPublisherTrack *track = &publisher->tracks[i];
    if (!track->learnt || track->track.ssrc != info->ssrc)
      continue;
    rtc_rtp_reception_sr(&track->reception, info->ntp, now_us);
    if (now_us - track->relayed_us < RELAY_INTERVAL_US)
      continue;
    track->relayed_us = now_us;
    const RtcSourceFlow flow = flow_of(track);
    const RtcSourceReport report = {.ntp = info->ntp, .rtp_timestamp = info->rtp_timestamp};
    rtc_source_forward_report(publisher->source, &flow, &report);
  }
}

static bool on_rtcp(RtcConnectionObserver *observer, const uint8_t *compound, size_t len) {
  RtcPublisher *publisher = (RtcPublisher *)observer;
  RtcRtcpPacket packet;
  RtcRtcpSenderInfo info;
  RtcError error;
  size_t at = 0;
  bool known = true;
  while ((error = rtc_rtcp_next(compound, len, &at, &packet)) == RTC_OK) {
    if (packet.type == RTC_RTCP_SR && rtc_rtcp_parse_sr(&packet, &info) == RTC_OK)
      take_sender_report(publisher, &info);
    known = known && packet.type >= RTC_RTCP_SR && packet.type <= RTC_RTCP_XR;
  }
  return known && error == RTC_ERROR_EOF;
}

static void on_state(RtcConnectionObserver *observer, RtcConnectionState state) {
  RtcPublisher *publisher = (RtcPublisher *)observer;
  if (state == RTC_CONNECTION_STATE_CLOSED)
    rtc_source_unpublish(publisher->source); /* frees this publisher */
}

/* -- Begin and end -- */

RtcError rtc_publisher_new(RtcPublisher **out, RtcSource *source, RtcConnection *connection,
                           const RtcTrack *tracks, size_t count) {
  if (count == 0)
    return RTC_ERROR_INVALID_ARGUMENT;
  if (count > RTC_TRACKS_MAX)
    return RTC_ERROR_LIMIT;
  RtcPublisher *publisher = calloc(1, sizeof *publisher);
  if (!publisher)
    return RTC_ERROR_NO_MEMORY;
  publisher->observer =
      (RtcConnectionObserver){.on_state = on_state, .on_rtp = on_rtp, .on_rtcp = on_rtcp};
  publisher->source = source;
  publisher->connection = connection;
  publisher->track_count = count;
  for (size_t i = 0; i < count; i++) {
    publisher->listed[i] = tracks[i];
    publisher->tracks[i].track = tracks[i];
    publisher->tracks[i].keyframe_asked_us = now_of(publisher) - KEYFRAME_INTERVAL_US;
    publisher->tracks[i].relayed_us = now_of(publisher) - RELAY_INTERVAL_US;
    rtc_rtp_reception_init(&publisher->tracks[i].reception, tracks[i].clock_rate);
  }
  rtc_twcc_init(&publisher->twcc);
  if (getrandom(&publisher->ssrc, sizeof publisher->ssrc, 0) < 0)
    publisher->ssrc = 1; /* a receiver without streams may have any */
  RtcError error = rtc_connection_observe(connection, &publisher->observer);
  if (error) {
    free(publisher);
    return error;
  }
  *out = publisher;
  return RTC_OK;
}

void rtc_publisher_destroy(RtcPublisher *publisher) {
  rtc_connection_unobserve(publisher->connection, &publisher->observer);
  free(publisher);
}

size_t rtc_publisher_tracks(const RtcPublisher *publisher, const RtcTrack **tracks) {
  *tracks = publisher->listed;
  return publisher->track_count;
}
