/* Writes and reads the packets of the synthetic stream, see stream.h. */
#include "stream.h"

#include <string.h>

#define RTP_HEADER_LEN ((size_t)12)
#define RTP_MARKER     0x80

/* The stamp: numbers in groups of 7 bits, with the top bit set in each octet. So no start code of
 * H.264 (00 00 01) can come up in it, and no emulation prevention is needed; its last octet is a
 * NAL unit's rbsp_stop_one_bit (ITU-T H.264 section 7.3.2.11). */
enum {
  STAMP_CHANNEL = 4,   /* 5 octets; before it the mark */
  STAMP_FRAME = 9,     /* 5 */
  STAMP_INDEX = 14,    /* 3 */
  STAMP_COUNT = 17,    /* 3 */
  STAMP_KEYFRAME = 20, /* 1 */
  STAMP_SENT = 21,     /* 10 */
  STAMP_STOP = 31,     /* 1 */
  STAMP_LEN = 32,
};

static const uint8_t stamp_mark[STAMP_CHANNEL] = {0xF2, 0xA5, 0xC3, 0x96};

#define FILLER 0xAA

/* ---- The stamp ------------------------------------------------------------------------------- */

static void write_groups(uint8_t *at, size_t groups, uint64_t value) {
  while (groups-- > 0) {
    at[groups] = 0x80 | (uint8_t)(value & 0x7F);
    value >>= 7;
  }
}

static uint64_t read_groups(const uint8_t *at, size_t groups) {
  uint64_t value = 0;
  for (size_t i = 0; i < groups; i++)
    value = value << 7 | (at[i] & 0x7F);
  return value;
}

static void write_stamp(uint8_t *at, const StreamStamp *stamp) {
  memcpy(at, stamp_mark, sizeof stamp_mark);
  write_groups(at + STAMP_CHANNEL, 5, stamp->channel);
  write_groups(at + STAMP_FRAME, 5, stamp->frame);
  write_groups(at + STAMP_INDEX, 3, stamp->index);
  write_groups(at + STAMP_COUNT, 3, stamp->count);
  write_groups(at + STAMP_KEYFRAME, 1, stamp->keyframe);
  write_groups(at + STAMP_SENT, 10, stamp->sent_ns);
  at[STAMP_STOP] = 0x80;
}

bool stream_read(StreamStamp *stamp, const uint8_t *packet, size_t len) {
  if (len < RTP_HEADER_LEN + STAMP_LEN)
    return false;
  const uint8_t *at = packet + len - STAMP_LEN;
  if (memcmp(at, stamp_mark, sizeof stamp_mark) != 0 || at[STAMP_STOP] != 0x80)
    return false;
  stamp->channel = (uint32_t)read_groups(at + STAMP_CHANNEL, 5);
  stamp->frame = (uint32_t)read_groups(at + STAMP_FRAME, 5);
  stamp->index = (uint16_t)read_groups(at + STAMP_INDEX, 3);
  stamp->count = (uint16_t)read_groups(at + STAMP_COUNT, 3);
  stamp->keyframe = read_groups(at + STAMP_KEYFRAME, 1);
  stamp->sent_ns = read_groups(at + STAMP_SENT, 10);
  return stamp->index < stamp->count;
}

/* ---- H.264 ----------------------------------------------------------------------------------- */

enum {
  NAL_REF = 0x60, /* nal_ref_idc 3, in the octet of every NAL unit's header */
  NAL_SLICE = 1,
  NAL_IDR_SLICE = 5,
  NAL_SEI = 6,
  NAL_STAP_A = 24,
  NAL_FU_A = 28,
  FU_START = 0x80,
  FU_END = 0x40,
};

/* 640x480, constrained baseline, level 3.1: what the offer says, 42e01f. */
static const uint8_t sps[] = {0x67, 0x42, 0xE0, 0x1F, 0xDA, 0x02, 0x80, 0xF6, 0x40};
static const uint8_t pps[] = {0x68, 0xCE, 0x38, 0x80};

/* A slice's header begins with first_mb_in_slice 0 and slice_type 7 (I) or 5 (P), in Exp-Golomb. */
#define SLICE_I 0x88
#define SLICE_P 0x98

static uint8_t *put_unit(uint8_t *at, const uint8_t *unit, size_t len) {
  at[0] = (uint8_t)(len >> 8);
  at[1] = (uint8_t)len;
  memcpy(at + 2, unit, len);
  return at + 2 + len;
}

/* The parameter sets, and in a unit of its own the rest of the packet: all of the picture, or, when
 * that comes in further packets, an SEI that decoders pass over. */
static void write_parameter_sets(uint8_t *payload, size_t len, bool whole_picture) {
  uint8_t *at = payload;
  *at++ = NAL_REF | NAL_STAP_A;
  at = put_unit(at, sps, sizeof sps);
  at = put_unit(at, pps, sizeof pps);
  size_t rest = len - (size_t)(at - payload) - 2;
  at[0] = (uint8_t)(rest >> 8);
  at[1] = (uint8_t)rest;
  at[2] = whole_picture ? NAL_REF | NAL_IDR_SLICE : NAL_SEI;
  at[3] = whole_picture ? SLICE_I : 0x05; /* user_data_unregistered */
}

/* One of count packets of a slice: a NAL unit of its own, or a fragment. */
static void write_slice(uint8_t *payload, const StreamStamp *stamp, unsigned index,
                        unsigned count) {
  uint8_t type = stamp->keyframe ? NAL_IDR_SLICE : NAL_SLICE;
  uint8_t slice = stamp->keyframe ? SLICE_I : SLICE_P;
  if (count == 1) { /* a fragment that is both first and last is forbidden */
    payload[0] = NAL_REF | type;
    payload[1] = slice;
    return;
  }
  payload[0] = NAL_REF | NAL_FU_A;
  payload[1] = type | (index == 0 ? FU_START : 0) | (index + 1 == count ? FU_END : 0);
  if (index == 0)
    payload[2] = slice;
}

static void write_h264(uint8_t *payload, size_t len, const StreamStamp *stamp) {
  if (!stamp->keyframe)
    write_slice(payload, stamp, stamp->index, stamp->count);
  else if (stamp->index == 0)
    write_parameter_sets(payload, len, stamp->count == 1);
  else
    write_slice(payload, stamp, stamp->index - 1u, stamp->count - 1u);
}

/* ---- VP8 ------------------------------------------------------------------------------------- */

static void write_vp8(uint8_t *payload, const StreamStamp *stamp) {
  static const uint8_t key_header[] = {0x9D, 0x01, 0x2A, 0x80, 0x02, 0xE0, 0x01}; /* 640x480 */
  bool start = stamp->index == 0;
  payload[0] = start ? 0x10 : 0x00; /* S: a partition begins; it is partition 0 */
  if (!start)
    return;
  payload[1] = stamp->keyframe ? 0x10 : 0x11; /* show_frame; P: an inter frame */
  if (stamp->keyframe)
    memcpy(payload + 4, key_header, sizeof key_header);
}

/* ---- Packets --------------------------------------------------------------------------------- */

void stream_write(uint8_t *packet, size_t size, StreamCodec codec, const StreamStamp *stamp,
                  uint32_t timestamp) {
  uint8_t *payload = packet + RTP_HEADER_LEN;
  size_t payload_len = size - RTP_HEADER_LEN;
  memset(packet, 0, RTP_HEADER_LEN);
  packet[0] = 0x80; /* version 2 */
  packet[1] = STREAM_PAYLOAD_TYPE | (stamp->index + 1 == stamp->count ? RTP_MARKER : 0);
  for (size_t i = 0; i < 4; i++)
    packet[4 + i] = (uint8_t)(timestamp >> (24 - 8 * i));
  memset(payload, FILLER, payload_len);
  if (codec == STREAM_CODEC_H264)
    write_h264(payload, payload_len, stamp);
  else
    write_vp8(payload, stamp);
  write_stamp(packet + size - STAMP_LEN, stamp);
}

const char *stream_codec_name(StreamCodec codec) {
  return codec == STREAM_CODEC_H264 ? "h264" : "vp8";
}
