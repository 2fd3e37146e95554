/* The write side of a TCP conn's socket. */
#include "transport/frame_writer.h"

#include "protocol/framing.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

typedef struct RtcControlFrame {
  struct RtcControlFrame *next; /* owned */
  size_t len;                   /* with the frame's header [octets] */
  uint8_t octets[];
} RtcControlFrame;

void rtc_frame_writer_init(RtcFrameWriter *writer, RtcBlockPool *pool, size_t chunk_min) {
  *writer = (RtcFrameWriter){.pool = pool, .chunk_len = SIZE_MAX, .chunk_min = chunk_min};
}

static void give_frame(RtcFrameWriter *writer, RtcControlFrame *frame) {
  rtc_block_pool_give(writer->pool, frame, sizeof *frame + frame->len);
}

static void give_rest(RtcFrameWriter *writer) {
  rtc_block_pool_give(writer->pool, writer->rest, writer->rest_len);
  writer->rest = NULL;
  writer->rest_len = writer->rest_at = 0;
}

void rtc_frame_writer_finish(RtcFrameWriter *writer) {
  while (writer->first) {
    RtcControlFrame *frame = writer->first;
    writer->first = frame->next;
    give_frame(writer, frame);
  }
  give_rest(writer);
  rtc_frame_writer_init(writer, writer->pool, writer->chunk_min);
}

size_t rtc_frame_writer_unsent(const RtcFrameWriter *writer) {
  return writer->control_len + writer->rest_len - writer->rest_at;
}

RtcError rtc_frame_writer_control(RtcFrameWriter *writer, const uint8_t *octets, size_t len) {
  assert(len <= RTC_FRAME_LEN_MAX);
  size_t framed = RTC_FRAME_HEADER_LEN + len;
  if (writer->control_len + framed > RTC_FRAME_WRITER_CONTROL_MAX)
    return RTC_ERROR_LIMIT;
  RtcControlFrame *frame = rtc_block_pool_take(writer->pool, sizeof *frame + framed);
  if (!frame)
    return RTC_ERROR_NO_MEMORY;
  frame->next = NULL;
  frame->len = framed;
  rtc_frame_write_header(frame->octets, len);
  memcpy(frame->octets + RTC_FRAME_HEADER_LEN, octets, len);
  if (!writer->first)
    writer->last = &writer->first;
  *writer->last = frame;
  writer->last = &frame->next;
  writer->control_len += framed;
  return RTC_OK;
}

bool rtc_frame_writer_is_cut(const RtcFrameWriter *writer) {
  return writer->rest_len > writer->rest_at || writer->media_lost;
}

/* Moves control frames into the chunk as far as they fit. */
static size_t take_control(RtcFrameWriter *writer, uint8_t *chunk, size_t cap) {
  size_t len = 0;
  while (writer->first && writer->first->len <= cap - len) {
    RtcControlFrame *frame = writer->first;
    memcpy(chunk + len, frame->octets, frame->len);
    len += frame->len;
    writer->control_len -= frame->len;
    writer->first = frame->next;
    give_frame(writer, frame);
  }
  return len;
}

/* sent  out: octets that the socket took */
static RtcError send_some(int fd, const uint8_t *data, size_t len, size_t *sent) {
  for (;;) {
    ssize_t n = send(fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n >= 0) {
      *sent = (size_t)n;
      return RTC_OK;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
      *sent = 0;
      return RTC_OK;
    }
    if (errno != EINTR)
      return RTC_ERROR_SYSTEM;
  }
}

static RtcError send_rest(RtcFrameWriter *writer, int fd) {
  size_t sent;
  size_t left = writer->rest_len - writer->rest_at;
  if (left == 0)
    return RTC_OK;
  RtcError error = send_some(fd, writer->rest + writer->rest_at, left, &sent);
  if (error)
    return error;
  writer->rest_at += sent;
  if (sent < left)
    return RTC_ERROR_AGAIN;
  give_rest(writer);
  return RTC_OK;
}

static RtcError send_chunk(RtcFrameWriter *writer, int fd, const uint8_t *chunk, size_t len) {
  size_t sent;
  RtcError error = send_some(fd, chunk, len, &sent);
  if (error)
    return error;
  if (sent == len) {
    if (len > writer->chunk_len / 2) /* a short one tells nothing */
      writer->chunk_len *= 2;
    return RTC_OK;
  }
  writer->chunk_len = writer->chunk_min;
  writer->rest = rtc_block_pool_take(writer->pool, len - sent);
  if (!writer->rest)
    return RTC_ERROR_NO_MEMORY;
  memcpy(writer->rest, chunk + sent, len - sent);
  writer->rest_len = len - sent;
  writer->rest_at = 0;
  return RTC_ERROR_AGAIN;
}

/* media_len  out: octets of media among them */
static size_t gather(RtcFrameWriter *writer, uint8_t *chunk, size_t cap, RtcFrameFill fill,
                     void *arg, size_t *media_len) {
  size_t len = take_control(writer, chunk, cap);
  *media_len = fill && !writer->first ? fill(chunk + len, cap - len, arg) : 0;
  len += *media_len;
  /* a callback of the fill may have had a last word */
  return len > 0 ? len : take_control(writer, chunk, cap);
}

RtcError rtc_frame_writer_flush(RtcFrameWriter *writer, int fd, uint8_t *chunk, size_t cap,
                                RtcFrameFill fill, void *arg) {
  if (writer->flushing)
    return RTC_OK;
  writer->flushing = true;
  RtcError error = send_rest(writer, fd);
  while (!error) {
    size_t media_len;
    size_t some = writer->chunk_len < cap ? writer->chunk_len : cap;
    size_t len = gather(writer, chunk, some, fill, arg, &media_len);
    if (len == 0 && some < cap) /* a frame may be longer */
      len = gather(writer, chunk, cap, fill, arg, &media_len);
    if (len == 0)
      break;
    error = send_chunk(writer, fd, chunk, len);
    writer->media_lost = error && error != RTC_ERROR_AGAIN && media_len > 0;
  }
  writer->flushing = false;
  return error;
}
