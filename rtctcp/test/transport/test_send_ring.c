/* The ring of packets that wait to be sent: order, growth, filtering, and what is given back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "transport/send_ring.h"

#include <string.h>

static void push(RtcSendRing *ring, uint32_t number) {
  RtcSendEntry entry = {.timestamp_offset = number};
  assert_int_equal(rtc_packet_new(&entry.packet, (const uint8_t *)&number, sizeof number), RTC_OK);
  assert_int_equal(rtc_send_ring_push(ring, &entry), RTC_OK);
}

/* The number of an entry: the packet's, which must be the one that was pushed with it. */
static uint32_t number_of(const RtcSendEntry *entry) {
  uint32_t number;
  assert_int_equal(rtc_packet_len(entry->packet), sizeof number);
  memcpy(&number, rtc_packet_data(entry->packet), sizeof number);
  assert_int_equal(number, entry->timestamp_offset);
  return number;
}

static uint32_t pop(RtcSendRing *ring) {
  RtcSendEntry entry = rtc_send_ring_pop(ring);
  uint32_t number = number_of(&entry);
  rtc_packet_unref(&entry.packet);
  return number;
}

static void assert_holds_nothing(const RtcSendRing *ring) {
  assert_int_equal(ring->count, 0);
  assert_null(ring->entries);
  assert_int_equal(ring->capacity, 0);
  assert_int_equal(ring->pool->lent_octets, 0);
}

/* First in, first out, over every place at which the ring may wrap and grow. */
static void order_is_kept_while_it_wraps_and_grows(void **state) {
  RtcSendRing ring = {.pool = *state};
  for (uint32_t shift = 0; shift < 40; shift++) {
    uint32_t in = 0, out = 0;
    push(&ring, in++);
    for (uint32_t i = 0; i < shift; i++) {
      push(&ring, in++);
      assert_int_equal(pop(&ring), out++);
    }
    while (in < 100 + shift)
      push(&ring, in++);
    for (uint32_t i = 0; i < ring.count; i++)
      assert_int_equal(number_of(rtc_send_ring_at(&ring, i)), out + i);
    while (ring.count)
      assert_int_equal(pop(&ring), out++);
    assert_int_equal(out, in);
    assert_holds_nothing(&ring);
  }
}

/* A steady flow that never empties it does not make it grow. */
static void steady_flow_needs_no_more_room(void **state) {
  RtcSendRing ring = {.pool = *state};
  for (uint32_t i = 0; i < 10; i++)
    push(&ring, i);
  size_t capacity = ring.capacity;
  for (uint32_t i = 0; i < 1000; i++) {
    push(&ring, 10 + i);
    assert_int_equal(pop(&ring), i);
  }
  assert_int_equal(ring.capacity, capacity);
  while (ring.count)
    pop(&ring);
  assert_holds_nothing(&ring);
}

typedef struct Filter {
  uint32_t every; /* keep the multiples of this; 0: none */
  uint32_t seen;
} Filter;

static bool is_multiple(const RtcSendEntry *entry, void *arg) {
  Filter *filter = arg;
  filter->seen++;
  return filter->every && number_of(entry) % filter->every == 0;
}

/* What is kept stays in order, wherever the ring begins; the others' packets are given back. */
static void filter_keeps_order_and_gives_back(void **state) {
  static const uint32_t every[] = {0, 1, 2, 3, 7, 64};
  for (size_t i = 0; i < sizeof every / sizeof *every; i++)
    for (uint32_t shift = 0; shift < 16; shift += 5) {
      RtcSendRing ring = {.pool = *state};
      Filter filter = {.every = every[i]};
      push(&ring, 0);
      for (uint32_t at = 0; at < shift; at++) {
        push(&ring, 0);
        pop(&ring);
      }
      for (uint32_t number = 1; number < 30; number++)
        push(&ring, number);
      rtc_send_ring_filter(&ring, is_multiple, &filter);
      assert_int_equal(filter.seen, 30);
      for (uint32_t number = 0; every[i] && number < 30; number += every[i])
        assert_int_equal(pop(&ring), number);
      assert_holds_nothing(&ring);
    }
}

/* Rings that fill and empty take the same block again; nothing is allocated after the first. */
static void steady_flow_allocates_nothing(void **state) {
  RtcBlockPool *pool = *state;
  RtcSendRing ring = {.pool = pool};
  for (uint32_t i = 0; i < 1000; i++) {
    push(&ring, i);
    assert_int_equal(pop(&ring), i);
    assert_holds_nothing(&ring);
  }
  assert_int_equal(pool->made, 1);
}

/* An empty ring may be filtered. */
static void empty_ring_is_filtered(void **state) {
  RtcSendRing ring = {.pool = *state};
  Filter filter = {0};
  rtc_send_ring_filter(&ring, is_multiple, &filter);
  assert_int_equal(filter.seen, 0);
  assert_holds_nothing(&ring);
}

static int setup(void **state) {
  static RtcBlockPool pool;
  rtc_block_pool_init(&pool, NULL, NULL);
  *state = &pool;
  return 0;
}

static int teardown(void **state) {
  rtc_block_pool_finish(*state);
  return 0;
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(order_is_kept_while_it_wraps_and_grows),
      TEST(steady_flow_needs_no_more_room),
      TEST(steady_flow_allocates_nothing),
      TEST(filter_keeps_order_and_gives_back),
      TEST(empty_ring_is_filtered),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
