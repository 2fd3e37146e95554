/* The media that a Connection has to send: bounded by age and octets, encrypted late. */
#include "transport/send_queue_internal.h"

#include "base/clock.h"
#include "base/octets.h"
#include "protocol/framing.h"
#include "protocol/rtp.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* The longest RTP that still fits a frame when it is protected. */
#define RTP_LEN_MAX (RTC_FRAME_LEN_MAX - RTC_FRAME_HEADER_LEN - RTC_SRTP_OVERHEAD_MAX)
/* A packet's note: the payload's offset, never 0, and the padding's length above it. */
#define LAYOUT_PADDING_AT  16
#define LAYOUT_OFFSET_MASK 0xffffu

const RtcSendLimits rtc_send_limits_default = {
    .video_age_us = 500 * RTC_US_PER_MS,
    .audio_age_us = 1000 * RTC_US_PER_MS,
    .octets = (size_t)2 * 1024 * 1024,
};

void rtc_send_queue_init(RtcSendQueue *queue, const RtcSendLimits *limits, RtcBlockPool *pool,
                         RtcConnectionStats *stats) {
  *queue = (RtcSendQueue){.limits = *limits, .stats = stats};
  for (int class = 0; class < RTC_SEND_CLASSES; class ++)
    rtc_send_ring_init(&queue->rings[class], pool);
}

static RtcError push(RtcSendQueue *queue, int class, const RtcSendEntry *entry) {
  RtcError error = rtc_send_ring_push(&queue->rings[class], entry);
  if (error)
    return error;
  rtc_packet_ref(entry->packet);
  queue->octets += rtc_send_cost(entry->packet);
  return RTC_OK;
}

/* -- Streams -- */

static bool is_used(const RtcSendQueue *queue, uint32_t ssrc) {
  for (const RtcStream *stream = queue->streams; stream; stream = stream->next)
    if (stream->config.ssrc == ssrc)
      return true;
  for (size_t i = 0; i < queue->retired_count; i++)
    if (queue->retired[i] == ssrc)
      return true;
  return false;
}

/* Room to note the SSRC when the stream goes, so that its removal can't fail. */
static RtcError reserve_retirement(RtcSendQueue *queue) {
  size_t need = queue->retired_count + queue->stream_count + 1;
  if (queue->stream_count >= RTC_SEND_STREAMS_MAX || need > RTC_SEND_RETIRED_MAX)
    return RTC_ERROR_LIMIT;
  uint32_t *retired = realloc(queue->retired, need * sizeof *retired);
  if (!retired)
    return RTC_ERROR_NO_MEMORY;
  queue->retired = retired;
  return RTC_OK;
}

RtcError rtc_send_queue_add_stream(RtcSendQueue *queue, const RtcStreamConfig *config,
                                   RtcStream **out) {
  if (is_used(queue, config->ssrc))
    return RTC_ERROR_EXISTS;
  RtcError error = reserve_retirement(queue);
  if (error)
    return error;
  RtcStream *stream = calloc(1, sizeof *stream);
  if (!stream)
    return RTC_ERROR_NO_MEMORY;
  stream->config = *config;
  stream->awaits_keyframe = config->media == RTC_MEDIA_VIDEO;
  stream->counted_frame = RTC_SEND_NO_FRAME(stream);
  if (getrandom(&stream->next_sequence, sizeof stream->next_sequence, 0) < 0)
    stream->next_sequence = 0; /* only makes it easier to guess */
  /* Below 2^15, so that no wrap comes before the receiver has synchronised (RFC 3711 3.3.1). */
  stream->next_sequence &= 0x7fff;
  stream->next = queue->streams;
  queue->streams = stream;
  queue->stream_count++;
  *out = stream;
  return RTC_OK;
}

void rtc_send_queue_remove_stream(RtcSendQueue *queue, RtcStream *stream) {
  rtc_send_drop_stream(queue, stream);
  for (RtcStream **at = &queue->streams; *at; at = &(*at)->next) {
    if (*at != stream)
      continue;
    *at = stream->next;
    queue->stream_count--;
    if (stream->packets > 0)
      queue->retired[queue->retired_count++] = stream->config.ssrc;
    free(stream);
    return;
  }
  assert(!"a stream of this queue");
}

/* A callback may remove its stream or push RTCP, so the list is walked anew after each. */
static void tell_keyframes_wanted(RtcSendQueue *queue) {
  RtcStream *stream = queue->streams;
  while (stream) {
    if (!stream->wants_keyframe) {
      stream = stream->next;
      continue;
    }
    stream->wants_keyframe = false;
    if (stream->config.on_keyframe_wanted)
      stream->config.on_keyframe_wanted(stream->config.arg);
    stream = queue->streams;
  }
}

/* -- In -- */

/* Where the payload is in a packet: found once for all its receivers, and noted in it.
 * returns  0: it is no RTP */
static uint32_t layout_of(RtcPacket *packet) {
  uint32_t layout = rtc_packet_note(packet);
  RtcRtpHeader header;
  if (layout)
    return layout;
  if (packet->len > RTP_LEN_MAX || rtc_rtp_parse(packet->data, packet->len, &header))
    return 0;
  layout = (uint32_t)header.payload_offset | (uint32_t)header.padding_len << LAYOUT_PADDING_AT;
  rtc_packet_set_note(packet, layout);
  return layout;
}

/* Gives the packet its frame's number. */
static RtcSendEntry entry_of(RtcStream *stream, RtcPacket *packet, unsigned flags) {
  if (flags & RTC_SEND_FRAME_START)
    rtc_send_begin_frame(stream);
  return (RtcSendEntry){
      .packet = packet, .stream = stream, .frame = stream->frame, .flags = (uint16_t)flags};
}

/* Is this packet of use to a stream that may await a keyframe? */
static bool is_useful(const RtcSendEntry *entry) {
  return !entry->stream->awaits_keyframe || rtc_send_is_keyframe_start(entry);
}

static RtcError push_rtp(RtcSendQueue *queue, const RtcSendEntry *entry, int64_t now_us) {
  RtcStream *stream = entry->stream;
  bool video = stream->config.media == RTC_MEDIA_VIDEO;
  int class = video ? RTC_SEND_CLASS_VIDEO : RTC_SEND_CLASS_AUDIO;
  rtc_send_drop_late(queue, now_us);
  bool room =
      is_useful(entry) && rtc_send_make_room(queue, class, rtc_send_cost(entry->packet), now_us);
  /* Asked again: the room may have been made of the frames that this one builds on. */
  if (!is_useful(entry)) {
    stream->wants_keyframe = true;
    rtc_send_count_drop(queue, entry, RTC_DROP_AWAIT_KEYFRAME);
    return RTC_OK;
  }
  stream->awaits_keyframe = false;
  RtcError error = room ? push(queue, class, entry) : RTC_OK;
  if (room && !error)
    return RTC_OK;
  rtc_send_count_drop(queue, entry, error ? RTC_DROP_NO_MEMORY : RTC_DROP_QUEUE_FULL);
  stream->awaits_keyframe = video; /* its frame is not whole any more */
  stream->wants_keyframe = video;
  return error;
}

RtcError rtc_send_queue_rtp(RtcSendQueue *queue, RtcStream *stream, RtcPacket *packet,
                            unsigned flags, uint32_t timestamp_offset, int64_t now_us) {
  if (!layout_of(packet))
    return RTC_ERROR_PROTO;
  RtcSendEntry entry = entry_of(stream, packet, flags);
  entry.queued_us = now_us;
  entry.timestamp_offset = timestamp_offset;
  RtcError error = push_rtp(queue, &entry, now_us);
  if (!queue->is_held)
    tell_keyframes_wanted(queue);
  return error;
}

RtcError rtc_send_queue_rtcp(RtcSendQueue *queue, RtcPacket *packet, int64_t now_us) {
  const RtcSendEntry entry = {.packet = packet, .queued_us = now_us};
  if (!rtc_send_make_room(queue, RTC_SEND_CLASS_RTCP, rtc_send_cost(packet), now_us)) {
    rtc_send_count_drop(queue, &entry, RTC_DROP_QUEUE_FULL);
    return RTC_OK;
  }
  return push(queue, RTC_SEND_CLASS_RTCP, &entry);
}

void rtc_send_queue_refuse(RtcSendQueue *queue, RtcStream *stream, unsigned flags, RtcDrop cause) {
  const RtcSendEntry entry = entry_of(stream, NULL, flags);
  rtc_send_count_drop(queue, &entry, cause);
}

/* -- Out -- */

/* What a rewrite needs of a packet that rtc_send_queue_rtp has taken. */
static RtcRtpHeader header_of(RtcPacket *packet) {
  uint32_t layout = rtc_packet_note(packet);
  size_t payload_offset = layout & LAYOUT_OFFSET_MASK;
  size_t padding_len = layout >> LAYOUT_PADDING_AT;
  return (RtcRtpHeader){.marker = packet->data[1] & 0x80,
                        .csrc_count = packet->data[0] & 0x0F,
                        .timestamp = rtc_read_u32(packet->data + 4),
                        .payload_offset = payload_offset,
                        .payload_len = packet->len - payload_offset - padding_len,
                        .padding_len = padding_len};
}

/* Rewrites and protects an entry's packet at out. Errors: none that is not our own mistake. */
static RtcError protect(const RtcSendEntry *entry, RtcSrtp *srtp, uint8_t *out, size_t cap,
                        size_t *len) {
  const uint8_t *data = entry->packet->data;
  *len = entry->packet->len;
  RtcStream *stream = entry->stream;
  if (!stream) {
    memcpy(out, data, *len);
    return rtc_srtp_protect_rtcp(srtp, out, len, cap);
  }
  const RtcRtpHeader header = header_of(entry->packet);
  const RtcRtpRewrite rewrite = {.ssrc = stream->config.ssrc,
                                 .payload_type = stream->config.payload_type,
                                 .sequence = stream->next_sequence,
                                 .timestamp = header.timestamp + entry->timestamp_offset};
  RtcError error = rtc_rtp_rewrite(data, *len, &header, &rewrite, out, cap, len);
  if (error)
    return error;
  error = rtc_srtp_protect(srtp, out, len, cap);
  if (error)
    return error;
  stream->next_sequence++;
  stream->packets++;
  stream->octets += (uint32_t)header.payload_len;
  return RTC_OK;
}

/* Moves the oldest entry of a ring to out. false: it does not fit. */
static bool move_one(RtcSendQueue *queue, int class, RtcSrtp *srtp, uint8_t *out, size_t cap,
                     RtcSendFill *fill) {
  const RtcSendEntry *oldest = rtc_send_ring_at(&queue->rings[class], 0);
  size_t need = RTC_FRAME_HEADER_LEN + oldest->packet->len + RTC_SRTP_OVERHEAD_MAX;
  if (need > cap - fill->len)
    return false;
  RtcSendEntry entry = rtc_send_ring_pop(&queue->rings[class]);
  uint8_t *frame = out + fill->len;
  size_t len;
  RtcError error =
      protect(&entry, srtp, frame + RTC_FRAME_HEADER_LEN, need - RTC_FRAME_HEADER_LEN, &len);
  queue->octets -= rtc_send_cost(entry.packet);
  rtc_packet_unref(&entry.packet);
  if (error) { /* libsrtp lacked memory, or refused what we made: the packet is lost, no more */
    rtc_send_count_drop(
        queue, &entry, error == RTC_ERROR_NO_MEMORY ? RTC_DROP_NO_MEMORY : RTC_DROP_SRTP_MALFORMED);
    return true;
  }
  rtc_frame_write_header(frame, len);
  fill->len += RTC_FRAME_HEADER_LEN + len;
  fill->packets++;
  fill->octets += len;
  return true;
}

void rtc_send_queue_fill(RtcSendQueue *queue, RtcSrtp *srtp, int64_t now_us, uint8_t *out,
                         size_t cap, RtcSendFill *fill) {
  *fill = (RtcSendFill){0};
  rtc_send_note_age(queue, now_us);
  rtc_send_drop_late(queue, now_us);
  for (int class = 0; class < RTC_SEND_CLASSES; class ++)
    while (queue->rings[class].count)
      if (!move_one(queue, class, srtp, out, cap, fill))
        goto full;
full:
  tell_keyframes_wanted(queue);
}

bool rtc_send_queue_empty(const RtcSendQueue *queue) {
  return queue->octets == 0;
}

size_t rtc_send_queue_packets(const RtcSendQueue *queue) {
  size_t packets = 0;
  for (int class = 0; class < RTC_SEND_CLASSES; class ++)
    packets += queue->rings[class].count;
  return packets;
}

/* -- End -- */

void rtc_send_queue_finish(RtcSendQueue *queue) {
  rtc_send_queue_clear(queue);
  while (queue->streams)
    rtc_send_queue_remove_stream(queue, queue->streams);
  free(queue->retired);
  queue->retired = NULL;
  queue->retired_count = 0;
}
