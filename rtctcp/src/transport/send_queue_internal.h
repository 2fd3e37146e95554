/* What the send queue's own files share: what is dropped, and counted. */
#ifndef RTC_TRANSPORT_SEND_QUEUE_INTERNAL_H
#define RTC_TRANSPORT_SEND_QUEUE_INTERNAL_H

#include "base/packet_internal.h"
#include "transport/send_queue.h"

/* What an entry costs beside its packet's octets, so that tiny packets are bounded too. */
#define RTC_SEND_ENTRY_OVERHEAD ((size_t)64)

static inline size_t rtc_send_cost(const RtcPacket *packet) {
  return packet->len + RTC_SEND_ENTRY_OVERHEAD;
}

static inline bool rtc_send_is_keyframe_start(const RtcSendEntry *entry) {
  const unsigned both = RTC_SEND_KEYFRAME | RTC_SEND_FRAME_START;
  return (entry->flags & both) == both;
}

/* A frame's number that no frame of the stream has which waits, or will come soon. */
#define RTC_SEND_NO_FRAME(stream) ((uint16_t)((stream)->frame + 0x8000))

/* Numbers the stream's next frame. */
void rtc_send_begin_frame(RtcStream *stream);

/* Counts a packet that goes nowhere, and its frame, once. The entry is in no ring. */
void rtc_send_count_drop(RtcSendQueue *queue, const RtcSendEntry *entry, RtcDrop cause);

/* Notes how old the oldest packet has become. */
void rtc_send_note_age(RtcSendQueue *queue, int64_t now_us);

/* Drops what is too old to be of use, and what builds on it. */
void rtc_send_drop_late(RtcSendQueue *queue, int64_t now_us);

/* Makes room for a packet of this class, video first. false: there is none. */
bool rtc_send_make_room(RtcSendQueue *queue, int class, size_t need, int64_t now_us);

void rtc_send_drop_stream(RtcSendQueue *queue, const RtcStream *stream);

#endif
