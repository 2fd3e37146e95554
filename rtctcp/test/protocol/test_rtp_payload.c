/* Where keyframes begin in VP8 and H.264 payloads. */
#include "protocol/rtp_payload.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#define array_len(list) (sizeof(list) / sizeof((list)[0]))

typedef struct PayloadCase {
  const char *what;
  size_t len;
  uint8_t payload[24];
  bool starts;
} PayloadCase;

/* Each payload in memory of its own size, so that a read beyond it is seen. */
static void check_cases(const PayloadCase *cases, size_t count,
                        bool (*starts)(const uint8_t *payload, size_t len)) {
  for (size_t i = 0; i < count; i++) {
    uint8_t *payload = malloc(cases[i].len > 0 ? cases[i].len : 1);
    assert_non_null(payload);
    memcpy(payload, cases[i].payload, cases[i].len);
    bool got = starts(payload, cases[i].len);
    free(payload);
    if (got != cases[i].starts)
      fail_msg("%s: %s", cases[i].what, got ? "a keyframe" : "no keyframe");
  }
}

/* The frame tag of a key frame is 0x50 0x01 0x00 here, that of an inter frame 0x51. */
static const PayloadCase vp8_cases[] = {
    {"plain key frame", 4, {0x10, 0x50, 1, 0}, true},
    {"non-reference key frame", 4, {0x30, 0x50, 1, 0}, true},
    {"plain inter frame", 4, {0x10, 0x51, 1, 0}, false},
    {"not a partition's start", 4, {0x00, 0x50, 1, 0}, false},
    {"start of the second partition", 4, {0x11, 0x50, 1, 0}, false},
    {"X without anything", 5, {0x90, 0x00, 0x50, 1, 0}, true},
    {"PictureID of 7 bits", 6, {0x90, 0x80, 0x7F, 0x50, 1, 0}, true},
    {"PictureID of 7 bits, inter", 6, {0x90, 0x80, 0x7E, 0x51, 1, 0}, false},
    {"PictureID of 15 bits", 7, {0x90, 0x80, 0x81, 0x01, 0x50, 1, 0}, true},
    {"PictureID of 15 bits, inter", 7, {0x90, 0x80, 0x80, 0x00, 0x51, 1, 0}, false},
    {"TL0PICIDX", 6, {0x90, 0x40, 0x01, 0x50, 1, 0}, true},
    {"TID", 6, {0x90, 0x20, 0x01, 0x50, 1, 0}, true},
    {"KEYIDX", 6, {0x90, 0x10, 0x01, 0x50, 1, 0}, true},
    {"TID and KEYIDX share an octet", 6, {0x90, 0x30, 0x01, 0x50, 1, 0}, true},
    {"all, 7 bits", 8, {0x90, 0xF0, 0x01, 1, 1, 0x50, 1, 0}, true},
    {"all, 15 bits", 9, {0x90, 0xF0, 0x81, 1, 1, 1, 0x50, 1, 0}, true},
    {"all, 15 bits, inter", 9, {0x90, 0xF0, 0x80, 0, 0, 0, 0x51, 1, 0}, false},
    {"empty", 0, {0}, false},
    {"descriptor alone", 1, {0x10}, false},
    {"frame tag cut", 3, {0x10, 0x50, 1}, false},
    {"X cut", 1, {0x90}, false},
    {"PictureID cut", 2, {0x90, 0x80}, false},
    {"PictureID of 15 bits cut", 3, {0x90, 0x80, 0x81}, false},
    {"TL0PICIDX cut", 3, {0x90, 0xC0, 0x01}, false},
    {"TID cut", 4, {0x90, 0xE0, 0x01, 0x01}, false},
    {"all, and no frame", 6, {0x90, 0xF0, 0x81, 1, 1, 1}, false},
};

/* RFC 7741 section 4.2: every form of the descriptor, and every cut in it. */
static void vp8_keyframe_is_found_behind_any_descriptor(void **state) {
  (void)state;
  check_cases(vp8_cases, array_len(vp8_cases), rtc_vp8_keyframe_start);
}

/* 0x67 SPS, 0x68 PPS, 0x65 IDR slice, 0x41 other slice; 0x88 begins a picture's first slice. */
static const PayloadCase h264_cases[] = {
    {"SPS", 3, {0x67, 0x42, 0xE0}, true},
    {"IDR slice, first of its picture", 2, {0x65, 0x88}, true},
    {"IDR slice, not the first", 2, {0x65, 0x48}, false},
    {"IDR slice of no octets", 1, {0x65}, false},
    {"PPS", 2, {0x68, 0xCE}, false},
    {"other slice", 2, {0x41, 0x9A}, false},
    {"SEI", 2, {0x06, 0x05}, false},
    {"empty", 0, {0}, false},
    {"STAP-A with the SPS first", 9, {0x78, 0, 2, 0x67, 0x42, 0, 2, 0x68, 0xCE}, true},
    {"STAP-A with the SPS behind", 9, {0x78, 0, 2, 0x68, 0xCE, 0, 2, 0x67, 0x42}, true},
    {"STAP-A with an IDR slice", 9, {0x78, 0, 2, 0x06, 0x05, 0, 2, 0x65, 0x88}, true},
    {"STAP-A with other slices", 9, {0x78, 0, 2, 0x41, 0x9A, 0, 2, 0x41, 0x9A}, false},
    {"STAP-A of nothing", 1, {0x78}, false},
    {"STAP-A, a size cut", 6, {0x78, 0, 2, 0x67, 0x42, 0}, false},
    {"STAP-A, a unit cut", 8, {0x78, 0, 2, 0x67, 0x42, 0, 2, 0x68}, false},
    {"STAP-A, a unit of no octets at the end", 7, {0x78, 0, 2, 0x67, 0x42, 0, 0}, false},
    {"STAP-A, a unit of no octets", 5, {0x78, 0, 0, 0x67, 0x42}, false},
    {"STAP-A, a unit of 65,535 octets", 5, {0x78, 0xFF, 0xFF, 0x67, 0x42}, false},
    {"FU-A, start of an IDR slice", 3, {0x7C, 0x85, 0x88}, true},
    {"FU-A, start of an IDR slice, not the first", 3, {0x7C, 0x85, 0x48}, false},
    {"FU-A, middle of an IDR slice", 3, {0x7C, 0x05, 0x88}, false},
    {"FU-A, end of an IDR slice", 3, {0x7C, 0x45, 0x88}, false},
    {"FU-A, start and end at once", 3, {0x7C, 0xC5, 0x88}, false},
    {"FU-A, start of an SPS", 3, {0x7C, 0x87, 0x42}, true},
    {"FU-A, start of another slice", 3, {0x5C, 0x81, 0x9A}, false},
    {"FU-A cut behind its indicator", 1, {0x7C}, false},
    {"FU-A cut behind its header", 2, {0x7C, 0x85}, false},
    {"FU-B", 5, {0x7D, 0x85, 0, 0, 0x88}, false},
    {"STAP-B", 7, {0x79, 0, 0, 0, 2, 0x67, 0x42}, false},
};

/* RFC 6184 section 5: single units, STAP-A, FU-A, and every cut in them. */
static void h264_keyframe_is_found_in_any_packetization(void **state) {
  (void)state;
  check_cases(h264_cases, array_len(h264_cases), rtc_h264_keyframe_start);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(vp8_keyframe_is_found_behind_any_descriptor),
      cmocka_unit_test(h264_keyframe_is_found_in_any_packetization),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
