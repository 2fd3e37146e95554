/* What of a send queue is dropped, and why: late, without room, of no use without its keyframe. */
#include "transport/send_queue_internal.h"

/* -- Counting -- */

void rtc_send_begin_frame(RtcStream *stream) {
  if (stream->is_frame_counted)
    stream->counted_frame = stream->frame;
  stream->is_frame_counted = false;
  stream->frame++;
  if (stream->counted_frame == stream->frame) /* once around: that was another one */
    stream->counted_frame = RTC_SEND_NO_FRAME(stream);
}

/* A frame's packets may be dropped one by one as they come, the newest frame's, or together where
 * they wait: frame by frame, so that of the older ones the last is all that must be known. */
static bool is_counted(const RtcStream *stream, uint16_t frame) {
  return frame == stream->frame ? stream->is_frame_counted : frame == stream->counted_frame;
}

void rtc_send_count_drop(RtcSendQueue *queue, const RtcSendEntry *entry, RtcDrop cause) {
  RtcStream *stream = entry->stream;
  queue->stats->drops[cause]++;
  if (!stream || stream->config.media != RTC_MEDIA_VIDEO || is_counted(stream, entry->frame))
    return;
  queue->stats->frames_dropped[cause]++;
  if (entry->frame == stream->frame)
    stream->is_frame_counted = true;
  else
    stream->counted_frame = entry->frame;
}

/* Of one that leaves a ring. */
static void count_queued(RtcSendQueue *queue, const RtcSendEntry *entry, RtcDrop cause) {
  queue->octets -= rtc_send_cost(entry->packet);
  rtc_send_count_drop(queue, entry, cause);
}

int64_t rtc_send_queue_age(const RtcSendQueue *queue, int64_t now_us) {
  int64_t oldest_us = now_us;
  for (int class = 0; class < RTC_SEND_CLASSES; class ++) {
    const RtcSendRing *ring = &queue->rings[class];
    if (ring->count && rtc_send_ring_at(ring, 0)->queued_us < oldest_us)
      oldest_us = rtc_send_ring_at(ring, 0)->queued_us;
  }
  return now_us - oldest_us;
}

void rtc_send_note_age(RtcSendQueue *queue, int64_t now_us) {
  uint64_t age_us = (uint64_t)rtc_send_queue_age(queue, now_us);
  if (age_us > queue->stats->queue_age_max_us)
    queue->stats->queue_age_max_us = age_us;
}

/* -- Passes over a ring -- */

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
  count_queued(pass->queue, entry, RTC_DROP_NOT_CONNECTED);
  return false;
}

void rtc_send_drop_stream(RtcSendQueue *queue, const RtcStream *stream) {
  Pass pass = {.queue = queue, .stream = stream};
  rtc_send_ring_filter(&queue->rings[RTC_SEND_CLASS_AUDIO], is_of_another_stream, &pass);
  rtc_send_ring_filter(&queue->rings[RTC_SEND_CLASS_VIDEO], is_of_another_stream, &pass);
}

/* A frame that has begun to go out is finished; then all goes up to the stream's keep_from. */
static bool is_kept_video(const RtcSendEntry *entry, void *arg) {
  Pass *pass = arg;
  RtcStream *stream = entry->stream;
  size_t index = pass->index++;
  if (entry->flags & RTC_SEND_FRAME_START)
    stream->frame_has_begun = false;
  if (!stream->is_dropped || index >= stream->keep_from || stream->frame_has_begun)
    return true;
  count_queued(pass->queue, entry, pass->cause);
  if (stream->keep_from == SIZE_MAX)
    stream->awaits_keyframe = stream->wants_keyframe = true;
  return false;
}

static void choose_streams(RtcSendQueue *queue, bool all) {
  for (RtcStream *stream = queue->streams; stream; stream = stream->next)
    stream->is_dropped = all;
}

/* Drops whole frames of the chosen streams' video: those before a stream's newest keyframe where
 * one waits that was queued since then, else all; then the stream awaits one.
 * begun  a frame that has begun to go out is finished */
static void drop_video(RtcSendQueue *queue, RtcDrop cause, int64_t since_us, bool begun) {
  RtcSendRing *ring = &queue->rings[RTC_SEND_CLASS_VIDEO];
  for (RtcStream *stream = queue->streams; stream; stream = stream->next) {
    stream->keep_from = SIZE_MAX;
    stream->frame_has_begun = begun;
  }
  for (size_t i = 0; i < ring->count; i++) {
    const RtcSendEntry *entry = rtc_send_ring_at(ring, i);
    if (entry->queued_us >= since_us && rtc_send_is_keyframe_start(entry))
      entry->stream->keep_from = i;
  }
  rtc_send_ring_filter(ring, is_kept_video, &(Pass){.queue = queue, .cause = cause});
}

static void drop_oldest(RtcSendQueue *queue, int class, RtcDrop cause) {
  RtcSendEntry entry = rtc_send_ring_pop(&queue->rings[class]);
  count_queued(queue, &entry, cause);
  rtc_packet_unref(&entry.packet);
}

/* -- Late -- */

/* Is the ring's i-th packet there, and older than that? */
static bool is_late(const RtcSendRing *ring, size_t i, int64_t age_us, int64_t now_us) {
  return i < ring->count && now_us - rtc_send_ring_at(ring, i)->queued_us > age_us;
}

/* Chooses the streams of which a whole frame is late. The rest of a frame that has begun goes on;
 * the first one after it decides. */
static bool choose_late_streams(RtcSendQueue *queue, int64_t now_us) {
  const RtcSendRing *video = &queue->rings[RTC_SEND_CLASS_VIDEO];
  bool any = false;
  choose_streams(queue, false);
  for (size_t i = 0; is_late(video, i, queue->limits.video_age_us, now_us); i++) {
    const RtcSendEntry *entry = rtc_send_ring_at(video, i);
    if (!(entry->flags & RTC_SEND_FRAME_START))
      continue;
    entry->stream->is_dropped = true;
    any = true;
  }
  return any;
}

void rtc_send_drop_late(RtcSendQueue *queue, int64_t now_us) {
  const RtcSendLimits *limits = &queue->limits;
  bool audio = is_late(&queue->rings[RTC_SEND_CLASS_AUDIO], 0, limits->audio_age_us, now_us);
  bool video = is_late(&queue->rings[RTC_SEND_CLASS_VIDEO], 0, limits->video_age_us, now_us);
  if (!audio && !video)
    return;
  rtc_send_note_age(queue, now_us);
  while (is_late(&queue->rings[RTC_SEND_CLASS_AUDIO], 0, limits->audio_age_us, now_us))
    drop_oldest(queue, RTC_SEND_CLASS_AUDIO, RTC_DROP_QUEUE_LATE);
  if (video && choose_late_streams(queue, now_us))
    drop_video(queue, RTC_DROP_QUEUE_LATE, now_us - limits->video_age_us, true);
}

/* -- Without room, or of no use -- */

bool rtc_send_make_room(RtcSendQueue *queue, int class, size_t need, int64_t now_us) {
  if (queue->octets + need <= queue->limits.octets)
    return true;
  rtc_send_note_age(queue, now_us);
  choose_streams(queue, true);
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

void rtc_send_queue_cut(RtcSendQueue *queue) {
  choose_streams(queue, true);
  drop_video(queue, RTC_DROP_AWAIT_KEYFRAME, INT64_MIN, false);
  for (RtcStream *stream = queue->streams; stream; stream = stream->next)
    if (stream->config.media == RTC_MEDIA_VIDEO && stream->keep_from == SIZE_MAX)
      stream->awaits_keyframe = stream->wants_keyframe = true;
}

void rtc_send_queue_clear(RtcSendQueue *queue) {
  for (int class = 0; class < RTC_SEND_CLASSES; class ++)
    while (queue->rings[class].count)
      drop_oldest(queue, class, RTC_DROP_NOT_CONNECTED);
  for (RtcStream *stream = queue->streams; stream; stream = stream->next) {
    stream->awaits_keyframe = stream->config.media == RTC_MEDIA_VIDEO;
    stream->wants_keyframe = false; /* nobody is told of what is cleared: it may be the end */
  }
}
