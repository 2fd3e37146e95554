/* The write side of a TCP conn's socket. */
#include "transport/frame_writer.h"

#include "protocol/framing.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

typedef struct RtcControlFrame {
  struct RtcControlFrame *next; /* owned */
  size_t len;                   /* with the frame's header [octets] */
  uint8_t octets[];
} RtcControlFrame;

void rtc_frame_writer_init(RtcFrameWriter *writer) {
  *writer = (RtcFrameWriter){0};
}

void rtc_frame_writer_finish(RtcFrameWriter *writer) {
  while (writer->first) {
    RtcControlFrame *frame = writer->first;
    writer->first = frame->next;
    free(frame);
  }
  free(writer->rest);
  *writer = (RtcFrameWriter){0};
}

size_t rtc_frame_writer_unsent(const RtcFrameWriter *writer) {
  return writer->control_len + writer->rest_len - writer->rest_at;
}

RtcError rtc_frame_writer_control(RtcFrameWriter *writer, const uint8_t *octets, size_t len) {
  assert(len <= RTC_FRAME_LEN_MAX);
  size_t framed = RTC_FRAME_HEADER_LEN + len;
  if (writer->control_len + framed > RTC_FRAME_WRITER_CONTROL_MAX)
    return RTC_ERROR_LIMIT;
  RtcControlFrame *frame = malloc(sizeof *frame + framed);
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

bool rtc_frame_writer_has_rest(const RtcFrameWriter *writer) {
  return writer->rest_len > writer->rest_at;
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
    free(frame);
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
  free(writer->rest);
  writer->rest = NULL;
  writer->rest_len = writer->rest_at = 0;
  return RTC_OK;
}

static RtcError send_chunk(RtcFrameWriter *writer, int fd, const uint8_t *chunk, size_t len) {
  size_t sent;
  RtcError error = send_some(fd, chunk, len, &sent);
  if (error || sent == len)
    return error;
  writer->rest = malloc(len - sent);
  if (!writer->rest)
    return RTC_ERROR_NO_MEMORY;
  memcpy(writer->rest, chunk + sent, len - sent);
  writer->rest_len = len - sent;
  writer->rest_at = 0;
  return RTC_ERROR_AGAIN;
}

RtcError rtc_frame_writer_flush(RtcFrameWriter *writer, int fd, uint8_t *chunk, size_t cap,
                                RtcFrameFill fill, void *arg) {
  if (writer->flushing)
    return RTC_OK;
  writer->flushing = true;
  RtcError error = send_rest(writer, fd);
  while (!error) {
    size_t len = take_control(writer, chunk, cap);
    if (fill && !writer->first)
      len += fill(chunk + len, cap - len, arg);
    if (len == 0) /* a callback of the fill may have had a last word */
      len = take_control(writer, chunk, cap);
    if (len == 0)
      break;
    error = send_chunk(writer, fd, chunk, len);
  }
  writer->flushing = false;
  return error;
}
