/* Transport-wide congestion control feedback: notes arrivals, writes them as one RTCP packet.
 * Source: draft-holmer-rmcat-transport-wide-cc-extensions-01 section 3.1 */
#include "protocol/twcc.h"

#include "base/octets.h"
#include "protocol/rtcp.h"

#include <assert.h>
#include <string.h>

#define FMT_TWCC 15

/* Common header, two SSRCs, base sequence, status count, reference time, feedback count. */
#define FIXED_LEN ((size_t)20)

#define TICK_US             250 /* of a receive delta */
#define REFERENCE_TICKS     256 /* 64 ms, in ticks */
#define VECTOR_ONE_BIT      14  /* statuses in a status vector chunk */
#define VECTOR_TWO_BIT      7
#define RUN_LEN_MAX         0x1FFF
#define VECTOR_CHUNK        0x8000
#define VECTOR_TWO_BIT_FLAG 0x4000

/* A chunk stands for at least 7 statuses, all but the last. */
#define CHUNKS_MAX ((RTC_TWCC_PACKETS_MAX + VECTOR_TWO_BIT - 1) / VECTOR_TWO_BIT)

static_assert(RTC_TWCC_FEEDBACK_MAX ==
                  (FIXED_LEN + 2 * (size_t)CHUNKS_MAX + 2 * (size_t)RTC_TWCC_PACKETS_MAX + 3) / 4 *
                      4,
              "RTC_TWCC_FEEDBACK_MAX is what the longest feedback takes");

/* Slots of arrivals_us are taken modulo, which must not jump where the sequence wraps. */
static_assert(65536 % RTC_TWCC_PACKETS_MAX == 0, "the sequence wraps at a slot's boundary");

enum {
  STATUS_LOST = 0,
  STATUS_SMALL = 1, /* delta in one octet, 0 to 255 ticks */
  STATUS_LARGE = 2, /* delta in two octets, signed */
};

/* -- Arrivals -- */

void rtc_twcc_init(RtcTwcc *twcc) {
  *twcc = (RtcTwcc){0};
  for (size_t i = 0; i < RTC_TWCC_PACKETS_MAX; i++)
    twcc->arrivals_us[i] = -1;
}

static int64_t *slot(RtcTwcc *twcc, uint16_t sequence) {
  return &twcc->arrivals_us[sequence % RTC_TWCC_PACKETS_MAX];
}

/* Moves first on by len sequences, which are forgotten. */
static void forget(RtcTwcc *twcc, uint16_t len) {
  for (uint16_t i = 0; i < len && i < twcc->count; i++)
    *slot(twcc, (uint16_t)(twcc->first + i)) = -1;
  twcc->first = (uint16_t)(twcc->first + len);
  twcc->count = (uint16_t)(len < twcc->count ? twcc->count - len : 0);
}

void rtc_twcc_packet(RtcTwcc *twcc, uint16_t transport_sequence, int64_t arrival_us) {
  assert(arrival_us >= 0);
  if (!twcc->started)
    twcc->first = transport_sequence;
  twcc->started = true;
  uint16_t ahead = (uint16_t)(transport_sequence - twcc->first);
  if (ahead > INT16_MAX)
    return;
  if (ahead >= RTC_TWCC_PACKETS_MAX) {
    uint16_t beyond = (uint16_t)(ahead - (RTC_TWCC_PACKETS_MAX - 1));
    /* Nothing noted would stay: the sender has jumped, and what lies between was never sent. */
    forget(twcc, beyond < twcc->count ? beyond : ahead);
    ahead = (uint16_t)(transport_sequence - twcc->first);
  }
  *slot(twcc, transport_sequence) = arrival_us;
  if (ahead >= twcc->count)
    twcc->count = (uint16_t)(ahead + 1);
}

/* -- Feedback -- */

/* One feedback, before it is written. */
typedef struct Plan {
  int64_t reference; /* time [64 ms] */
  uint16_t count;    /* statuses */
  uint8_t statuses[RTC_TWCC_PACKETS_MAX];
  int16_t deltas[RTC_TWCC_PACKETS_MAX]; /* of the packets that came [ticks] */
  uint16_t chunks[CHUNKS_MAX];
  size_t chunk_count;
  size_t deltas_len; /* [octets] */
} Plan;

/* Takes statuses and deltas up to a delta that two octets can't hold. Deltas are between rounded
 * times, so that roundings do not add up. */
static void plan_deltas(RtcTwcc *twcc, Plan *plan) {
  int64_t before = -1;
  for (; plan->count < twcc->count; plan->count++) {
    int64_t arrival_us = *slot(twcc, (uint16_t)(twcc->first + plan->count));
    plan->statuses[plan->count] = STATUS_LOST;
    if (arrival_us < 0)
      continue;
    int64_t now = arrival_us / TICK_US;
    if (before < 0) {
      plan->reference = now / REFERENCE_TICKS;
      before = plan->reference * REFERENCE_TICKS;
    }
    int64_t delta = now - before;
    if (delta < INT16_MIN || delta > INT16_MAX)
      return;
    bool small = delta >= 0 && delta <= UINT8_MAX;
    plan->statuses[plan->count] = small ? STATUS_SMALL : STATUS_LARGE;
    plan->deltas[plan->count] = (int16_t)delta;
    plan->deltas_len += small ? 1 : 2;
    before = now;
  }
}

static size_t run_len(const uint8_t *statuses, size_t count) {
  size_t len = 1;
  while (len < count && len < RUN_LEN_MAX && statuses[len] == statuses[0])
    len++;
  return len;
}

/* Statuses that one vector chunk of the one-bit form takes; 0: a large delta is among them. */
static size_t one_bit_len(const uint8_t *statuses, size_t count) {
  size_t len = count < VECTOR_ONE_BIT ? count : VECTOR_ONE_BIT;
  return memchr(statuses, STATUS_LARGE, len) ? 0 : len;
}

/* The places behind the last status stay 0. */
static uint16_t vector_chunk(const uint8_t *statuses, size_t len, unsigned bits) {
  unsigned chunk = VECTOR_CHUNK | (bits == 2 ? VECTOR_TWO_BIT_FLAG : 0);
  for (size_t i = 0; i < len; i++)
    chunk |= (unsigned)statuses[i] << (VECTOR_ONE_BIT - bits * (i + 1));
  return (uint16_t)chunk;
}

/* Makes the chunk that takes the most of the statuses, and returns how many. */
static size_t make_chunk(const uint8_t *statuses, size_t count, uint16_t *chunk) {
  size_t run = run_len(statuses, count);
  size_t one_bit = one_bit_len(statuses, count);
  size_t two_bit = count < VECTOR_TWO_BIT ? count : VECTOR_TWO_BIT;
  if (run >= one_bit && run >= two_bit) {
    *chunk = (uint16_t)((unsigned)statuses[0] << 13 | run);
    return run;
  }
  if (one_bit >= two_bit) {
    *chunk = vector_chunk(statuses, one_bit, 1);
    return one_bit;
  }
  *chunk = vector_chunk(statuses, two_bit, 2);
  return two_bit;
}

static void plan_chunks(Plan *plan) {
  for (size_t at = 0; at < plan->count;) {
    uint16_t *chunk = &plan->chunks[plan->chunk_count++];
    at += make_chunk(plan->statuses + at, plan->count - at, chunk);
  }
}

static uint8_t *write_deltas(const Plan *plan, uint8_t *at) {
  for (size_t i = 0; i < plan->count; i++) {
    if (plan->statuses[i] == STATUS_SMALL) {
      *at++ = (uint8_t)plan->deltas[i];
    } else if (plan->statuses[i] == STATUS_LARGE) {
      rtc_write_u16(at, (uint16_t)plan->deltas[i]);
      at += 2;
    }
  }
  return at;
}

static void write_plan(const RtcTwcc *twcc, const Plan *plan, uint8_t *out, size_t padding_len,
                       size_t len) {
  uint8_t *at = out + FIXED_LEN;
  for (size_t i = 0; i < plan->chunk_count; i++, at += 2)
    rtc_write_u16(at, plan->chunks[i]);
  at = write_deltas(plan, at);
  if (padding_len > 0) {
    memset(at, 0, padding_len);
    at[padding_len - 1] = (uint8_t)padding_len;
  }
  out[0] = (uint8_t)(2 << 6 | (padding_len > 0 ? 0x20 : 0) | FMT_TWCC);
  out[1] = RTC_RTCP_RTPFB;
  rtc_write_u16(out + 2, (uint16_t)(len / 4 - 1));
  rtc_write_u16(out + 12, twcc->first);
  rtc_write_u16(out + 14, plan->count);
  rtc_write_u24(out + 16, (uint32_t)plan->reference);
  out[19] = twcc->feedback_count;
}

RtcError rtc_twcc_write(RtcTwcc *twcc, uint32_t sender_ssrc, uint32_t media_ssrc, uint8_t *out,
                        size_t cap, size_t *len) {
  if (twcc->count == 0)
    return RTC_ERROR_AGAIN;
  Plan plan = {0};
  plan_deltas(twcc, &plan);
  plan_chunks(&plan);
  size_t content_len = FIXED_LEN + 2 * plan.chunk_count + plan.deltas_len;
  size_t feedback_len = (content_len + 3) / 4 * 4;
  if (*len > cap || cap - *len < feedback_len)
    return RTC_ERROR_LIMIT;
  uint8_t *begin = out + *len;
  write_plan(twcc, &plan, begin, feedback_len - content_len, feedback_len);
  rtc_write_u32(begin + 4, sender_ssrc);
  rtc_write_u32(begin + 8, media_ssrc);
  forget(twcc, plan.count);
  twcc->feedback_count++;
  *len += feedback_len;
  return RTC_OK;
}
