/* The pool of blocks: what is taken again, what is kept, and what is given back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/block_pool.h"

#include <string.h>

#define COUNT 50

static int kept; /* calls of on_kept */

static void count_kept(void *arg) {
  ++*(int *)arg;
}

static int setup(void **state) {
  static RtcBlockPool pool;
  rtc_block_pool_init(&pool, count_kept, &kept);
  kept = 0;
  *state = &pool;
  return 0;
}

static int teardown(void **state) {
  RtcBlockPool *pool = *state;
  rtc_block_pool_finish(pool);
  rtc_block_pool_finish(pool);
  assert_int_equal(pool->kept_octets, 0);
  return 0;
}

static void take(RtcBlockPool *pool, void **blocks, size_t count, size_t len) {
  for (size_t i = 0; i < count; i++) {
    blocks[i] = rtc_block_pool_take(pool, len);
    assert_non_null(blocks[i]);
    memset(blocks[i], 0x5a, len);
  }
}

static void give(RtcBlockPool *pool, void **blocks, size_t count, size_t len) {
  for (size_t i = 0; i < count; i++)
    rtc_block_pool_give(pool, blocks[i], len);
}

/* Every length has room, and a block is taken again by what is as long, or a little longer. */
static void every_length_is_served_and_taken_again(void **state) {
  static const size_t lens[] = {0,    1,    255,   256,   257,   511,   512,
                                1000, 4096, 32769, 65535, 65536, 65537, 1000000};
  RtcBlockPool *pool = *state;
  for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
    void *block;
    take(pool, &block, 1, lens[i]);
    assert_true(pool->lent_octets >= lens[i]);
    give(pool, &block, 1, lens[i]);
    uint64_t made = pool->made;
    take(pool, &block, 1, lens[i]);
    assert_int_equal(pool->made, lens[i] <= RTC_BLOCK_LEN_MAX ? made : made + 1);
    give(pool, &block, 1, lens[i]);
    assert_int_equal(pool->lent_octets, 0);
  }
  rtc_block_pool_give(pool, NULL, 5);
}

/* A block that is in use is nobody else's. */
static void blocks_are_told_apart(void **state) {
  RtcBlockPool *pool = *state;
  void *blocks[COUNT];
  for (int round = 0; round < 3; round++) {
    take(pool, blocks, COUNT, 300);
    for (size_t i = 0; i < COUNT; i++)
      memset(blocks[i], (int)i, 300);
    for (size_t i = 0; i < COUNT; i++)
      for (size_t at = 0; at < 300; at++)
        assert_int_equal(((uint8_t *)blocks[i])[at], i);
    give(pool, blocks, COUNT, 300);
  }
  assert_int_equal(pool->made, COUNT);
}

/* A steady load keeps what it needs through every trim, and allocates nothing. */
static void steady_load_keeps_its_blocks(void **state) {
  RtcBlockPool *pool = *state;
  void *blocks[COUNT];
  for (int round = 0; round < 20; round++) {
    take(pool, blocks, COUNT, 256);
    give(pool, blocks, COUNT, 256);
    if (round % 3 == 0)
      assert_true(rtc_block_pool_trim(pool));
  }
  assert_int_equal(pool->made, COUNT);
  assert_int_equal(pool->kept_octets, COUNT * 256);
}

/* After a peak the surplus goes with the second trim, and all of it when the load has ended. */
static void surplus_is_given_back(void **state) {
  RtcBlockPool *pool = *state;
  void *blocks[COUNT];
  take(pool, blocks, COUNT, 256);
  give(pool, blocks, COUNT, 256);
  assert_true(rtc_block_pool_trim(pool));
  take(pool, blocks, 10, 256);
  give(pool, blocks, 10, 256);
  assert_true(rtc_block_pool_trim(pool));
  assert_int_equal(pool->kept_octets, 10 * 256);
  assert_false(rtc_block_pool_trim(pool));
  assert_int_equal(pool->kept_octets, 0);
}

/* Who trims is told when there is something to trim: also of what comes back after the last trim
 * has found nothing. */
static void first_kept_block_is_told(void **state) {
  RtcBlockPool *pool = *state;
  void *blocks[COUNT];
  take(pool, blocks, COUNT, 256);
  assert_false(rtc_block_pool_trim(pool));
  assert_int_equal(kept, 0);
  give(pool, blocks, COUNT, 256);
  assert_int_equal(kept, 1);
  take(pool, blocks, COUNT, 256);
  give(pool, blocks, COUNT, 256);
  assert_int_equal(kept, 2);
}

/* What is too long to be kept is given back at once. */
static void long_blocks_are_not_kept(void **state) {
  RtcBlockPool *pool = *state;
  void *block;
  take(pool, &block, 1, RTC_BLOCK_LEN_MAX + 1);
  assert_int_equal(pool->lent_octets, RTC_BLOCK_LEN_MAX + 1);
  give(pool, &block, 1, RTC_BLOCK_LEN_MAX + 1);
  assert_int_equal(pool->kept_octets, 0);
  assert_false(rtc_block_pool_trim(pool));
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(every_length_is_served_and_taken_again),
      TEST(blocks_are_told_apart),
      TEST(steady_load_keeps_its_blocks),
      TEST(surplus_is_given_back),
      TEST(first_kept_block_is_told),
      TEST(long_blocks_are_not_kept),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
