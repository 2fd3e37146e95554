/* The media that a Connection has to send: bounded by age and octets, encrypted late. */
#include "transport/send_queue.h"

#include "base/clock.h"
#include "protocol/framing.h"
#include "protocol/rtp.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* What an entry costs beside its packet's octets, so that tiny packets are bounded too. */
#define ENTRY_OVERHEAD ((size_t)64)
/* The longest RTP that still fits a frame when it is protected. */
#define RTP_LEN_MAX (RTC_FRAME_LEN_MAX - RTC_FRAME_HEADER_LEN - RTC_SRTP_OVERHEAD_MAX)

const RtcSendLimits rtc_send_limits_default = {
    .video_age_us = 500 * RTC_US_PER_MS,
    .audio_age_us = 1000 * RTC_US_PER_MS,
    .octets = (size_t)2 * 1024 * 1024,
};

void rtc_send_queue_init(RtcSendQueue *queue, const RtcSendLimits *limits, uint64_t *drops) {
  *queue = (RtcSendQueue){.limits = *limits, .drops = drops};
}

static size_t cost(const RtcPacket *packet) {
  return rtc_packet_len(packet) + ENTRY_OVERHEAD;
}

static void count_drop(RtcSendQueue *queue, const RtcSendEntry *entry, RtcDrop cause) {
  queue->octets -= cost(entry->packet);
  queue->drops[cause]++;
}

static RtcError push(RtcSendQueue *queue, int class, const RtcSendEntry *entry) {
  RtcError error = rtc_send_ring_push(&queue->rings[class], entry);
  if (error)
    return error;
  rtc_packet_ref(entry->packet);
  queue->octets += cost(entry->packet);
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

typedef struct Pass {
  RtcSendQueue *queue;
  const RtcStream *stream;
  size_t index;
  RtcDrop cause;
} Pass;

static bool is_of_another_stream(const RtcSendEntry *entry, void *arg) {
  Pass *pass = arg;
  if (entry->stream != pass->stream)
    return true;
  count_drop(pass->queue, entry, RTC_DROP_NOT_CONNECTED);
  return false;
}

void rtc_send_queue_remove_stream(RtcSendQueue *queue, RtcStream *stream) {
  Pass pass = {.queue = queue, .stream = stream};
  rtc_send_ring_filter(&queue->rings[RTC_SEND_CLASS_AUDIO], is_of_another_stream, &pass);
  rtc_send_ring_filter(&queue->rings[RTC_SEND_CLASS_VIDEO], is_of_another_stream, &pass);
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

/* -- Dropping -- */

static bool is_keyframe_start(const RtcSendEntry *entry) {
  const unsigned both = RTC_SEND_KEYFRAME | RTC_SEND_FRAME_START;
  return (entry->flags & both) == both;
}

/* A frame that has begun to go out is finished; then all goes up to the stream's keep_from. */
static bool is_kept_video(const RtcSendEntry *entry, void *arg) {
  Pass *pass = arg;
  RtcStream *stream = entry->stream;
  size_t index = pass->index++;
  if (entry->flags & RTC_SEND_FRAME_START)
    stream->frame_has_begun = false;
  if (index >= stream->keep_from || stream->frame_has_begun)
    return true;
  count_drop(pass->queue, entry, pass->cause);
  if (stream->keep_from == SIZE_MAX)
    stream->awaits_keyframe = stream->wants_keyframe = true;
  return false;
}

/* Drops whole frames of video: those before a stream's newest keyframe where one waits that was
 * queued since then, else all; then the stream awaits one.
 * begun  a frame that has begun to go out is finished */
static void drop_video(RtcSendQueue *queue, RtcDrop cause, int64_t since_us, bool begun) {
  RtcSendRing *ring = &queue->rings[RTC_SEND_CLASS_VIDEO];
  for (RtcStream *stream = queue->streams; stream; stream = stream->next) {
    stream->keep_from = SIZE_MAX;
    stream->frame_has_begun = begun;
  }
  for (size_t i = 0; i < ring->count; i++) {
    const RtcSendEntry *entry = rtc_send_ring_at(ring, i);
    if (entry->queued_us >= since_us && is_keyframe_start(entry))
      entry->stream->keep_from = i;
  }
  rtc_send_ring_filter(ring, is_kept_video, &(Pass){.queue = queue, .cause = cause});
}

void rtc_send_queue_cut(RtcSendQueue *queue) {
  drop_video(queue, RTC_DROP_AWAIT_KEYFRAME, INT64_MIN, false);
  for (RtcStream *stream = queue->streams; stream; stream = stream->next)
    if (stream->config.media == RTC_MEDIA_VIDEO && stream->keep_from == SIZE_MAX)
      stream->awaits_keyframe = stream->wants_keyframe = true;
}

static void drop_oldest(RtcSendQueue *queue, int class, RtcDrop cause) {
  RtcSendEntry entry = rtc_send_ring_pop(&queue->rings[class]);
  count_drop(queue, &entry, cause);
  rtc_packet_unref(&entry.packet);
}

static void drop_late(RtcSendQueue *queue, int64_t now_us) {
  RtcSendRing *audio = &queue->rings[RTC_SEND_CLASS_AUDIO];
  RtcSendRing *video = &queue->rings[RTC_SEND_CLASS_VIDEO];
  while (audio->count &&
         now_us - rtc_send_ring_at(audio, 0)->queued_us > queue->limits.audio_age_us)
    drop_oldest(queue, RTC_SEND_CLASS_AUDIO, RTC_DROP_QUEUE_LATE);
  for (size_t i = 0; i < video->count; i++) {
    const RtcSendEntry *entry = rtc_send_ring_at(video, i);
    if (now_us - entry->queued_us <= queue->limits.video_age_us)
      return;
    /* The rest of a frame that has begun goes on; the first one after it decides. */
    if (entry->flags & RTC_SEND_FRAME_START) {
      drop_video(queue, RTC_DROP_QUEUE_LATE, now_us - queue->limits.video_age_us, true);
      return;
    }
  }
}

/* Makes room for a packet of this class, video first. false: there is none. */
static bool make_room(RtcSendQueue *queue, int class, size_t need, int64_t now_us) {
  if (queue->octets + need <= queue->limits.octets)
    return true;
  drop_video(queue, RTC_DROP_QUEUE_FULL, now_us - queue->limits.video_age_us, true);
  /* Not even the keyframe has room, so what follows it has none: it would be cut. */
  if (queue->octets + need > queue->limits.octets)
    drop_video(queue, RTC_DROP_QUEUE_FULL, INT64_MAX, true);
  RtcSendRing *audio = &queue->rings[RTC_SEND_CLASS_AUDIO];
  while (class != RTC_SEND_CLASS_VIDEO && audio->count &&
         queue->octets + need > queue->limits.octets)
    drop_oldest(queue, RTC_SEND_CLASS_AUDIO, RTC_DROP_QUEUE_FULL);
  return queue->octets + need <= queue->limits.octets;
}

/* -- In -- */

/* Is this packet of use to a stream that may await a keyframe? */
static bool is_useful(const RtcSendEntry *entry) {
  return !entry->stream->awaits_keyframe || is_keyframe_start(entry);
}

static RtcError push_rtp(RtcSendQueue *queue, const RtcSendEntry *entry, int64_t now_us) {
  RtcStream *stream = entry->stream;
  bool video = stream->config.media == RTC_MEDIA_VIDEO;
  int class = video ? RTC_SEND_CLASS_VIDEO : RTC_SEND_CLASS_AUDIO;
  drop_late(queue, now_us);
  bool room = is_useful(entry) && make_room(queue, class, cost(entry->packet), now_us);
  /* Asked again: the room may have been made of the frames that this one builds on. */
  if (!is_useful(entry)) {
    stream->wants_keyframe = true;
    queue->drops[RTC_DROP_AWAIT_KEYFRAME]++;
    return RTC_OK;
  }
  stream->awaits_keyframe = false;
  RtcError error = room ? push(queue, class, entry) : RTC_OK;
  if (room && !error)
    return RTC_OK;
  queue->drops[RTC_DROP_QUEUE_FULL]++;
  stream->awaits_keyframe = video; /* its frame is not whole any more */
  stream->wants_keyframe = video;
  return error;
}

RtcError rtc_send_queue_rtp(RtcSendQueue *queue, RtcStream *stream, RtcPacket *packet,
                            unsigned flags, uint32_t timestamp_offset, int64_t now_us) {
  RtcRtpHeader header;
  size_t len = rtc_packet_len(packet);
  if (len > RTP_LEN_MAX || rtc_rtp_parse(rtc_packet_data(packet), len, &header))
    return RTC_ERROR_PROTO;
  const RtcSendEntry entry = {.packet = packet,
                              .stream = stream,
                              .queued_us = now_us,
                              .timestamp_offset = timestamp_offset,
                              .flags = flags};
  RtcError error = push_rtp(queue, &entry, now_us);
  tell_keyframes_wanted(queue);
  return error;
}

RtcError rtc_send_queue_rtcp(RtcSendQueue *queue, RtcPacket *packet, int64_t now_us) {
  if (!make_room(queue, RTC_SEND_CLASS_RTCP, cost(packet), now_us)) {
    queue->drops[RTC_DROP_QUEUE_FULL]++;
    return RTC_OK;
  }
  return push(queue, RTC_SEND_CLASS_RTCP, &(RtcSendEntry){.packet = packet, .queued_us = now_us});
}

/* -- Out -- */

/* Rewrites and protects an entry's packet at out. Errors: none that is not our own mistake. */
static RtcError protect(const RtcSendEntry *entry, RtcSrtp *srtp, uint8_t *out, size_t cap,
                        size_t *len) {
  const uint8_t *data = rtc_packet_data(entry->packet);
  *len = rtc_packet_len(entry->packet);
  RtcStream *stream = entry->stream;
  if (!stream) {
    memcpy(out, data, *len);
    return rtc_srtp_protect_rtcp(srtp, out, len, cap);
  }
  RtcRtpHeader header;
  RtcError error = rtc_rtp_parse(data, *len, &header);
  if (error)
    return error;
  const RtcRtpRewrite rewrite = {.ssrc = stream->config.ssrc,
                                 .payload_type = stream->config.payload_type,
                                 .sequence = stream->next_sequence,
                                 .timestamp = header.timestamp + entry->timestamp_offset};
  error = rtc_rtp_rewrite(data, *len, &header, &rewrite, out, cap, len);
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
  size_t need = RTC_FRAME_HEADER_LEN + rtc_packet_len(oldest->packet) + RTC_SRTP_OVERHEAD_MAX;
  if (need > cap - fill->len)
    return false;
  RtcSendEntry entry = rtc_send_ring_pop(&queue->rings[class]);
  uint8_t *frame = out + fill->len;
  size_t len;
  RtcError error =
      protect(&entry, srtp, frame + RTC_FRAME_HEADER_LEN, need - RTC_FRAME_HEADER_LEN, &len);
  queue->octets -= cost(entry.packet);
  rtc_packet_unref(&entry.packet);
  if (error) { /* libsrtp lacked memory, or refused what we made: the packet is lost, no more */
    queue->drops[error == RTC_ERROR_NO_MEMORY ? RTC_DROP_NO_MEMORY : RTC_DROP_SRTP_MALFORMED]++;
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
  drop_late(queue, now_us);
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

void rtc_send_queue_clear(RtcSendQueue *queue) {
  for (int class = 0; class < RTC_SEND_CLASSES; class ++)
    while (queue->rings[class].count)
      drop_oldest(queue, class, RTC_DROP_NOT_CONNECTED);
  for (RtcStream *stream = queue->streams; stream; stream = stream->next) {
    stream->awaits_keyframe = stream->config.media == RTC_MEDIA_VIDEO;
    stream->wants_keyframe = false; /* nobody is told of what is cleared: it may be the end */
  }
}

void rtc_send_queue_finish(RtcSendQueue *queue) {
  rtc_send_queue_clear(queue);
  while (queue->streams)
    rtc_send_queue_remove_stream(queue, queue->streams);
  free(queue->retired);
  queue->retired = NULL;
  queue->retired_count = 0;
}
