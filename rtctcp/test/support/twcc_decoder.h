/* Reads transport-wide feedback, for tests: written from the draft, apart from what writes it.
 * Source: draft-holmer-rmcat-transport-wide-cc-extensions-01 section 3.1 */
#ifndef RTC_TEST_SUPPORT_TWCC_DECODER_H
#define RTC_TEST_SUPPORT_TWCC_DECODER_H

#include <stddef.h>
#include <stdint.h>

#define TWCC_DECODED_MAX 1024

typedef struct TwccDecoded {
  uint32_t sender_ssrc, media_ssrc;
  uint16_t base;
  size_t count;
  uint8_t feedback_count;
  size_t run_chunks, one_bit_chunks, two_bit_chunks;
  uint8_t statuses[TWCC_DECODED_MAX];    /* 0: not received, 1: small delta, 2: large or negative */
  int64_t arrivals_us[TWCC_DECODED_MAX]; /* modulo the reference time's 24 bits; -1: not received */
} TwccDecoded;

/* Decodes the one feedback packet that these octets are; fails the test if it is malformed. */
void twcc_decode(const uint8_t *feedback, size_t len, TwccDecoded *decoded);

#endif
