/* packet.c: a packet and its handles. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <rtctcp/packet.h>

#include <pthread.h>
#include <string.h>

enum { THREADS = 4, ROUNDS = 20000 };

/* The octets are copied: the source may change afterwards. */
static void data_is_copied(void **state) {
  uint8_t data[] = {1, 2, 3};
  RtcPacket *packet;

  (void)state;
  assert_int_equal(rtc_packet_new(&packet, data, sizeof data), RTC_OK);
  memset(data, 0, sizeof data);
  assert_int_equal(rtc_packet_len(packet), 3);
  assert_memory_equal(rtc_packet_data(packet), ((const uint8_t[]){1, 2, 3}), 3);
  rtc_packet_unref(&packet);
  assert_null(packet);
}

/* No octets is a packet too, and needs no source. */
static void empty_packet_is_fine(void **state) {
  RtcPacket *packet;

  (void)state;
  assert_int_equal(rtc_packet_new(&packet, NULL, 0), RTC_OK);
  assert_int_equal(rtc_packet_len(packet), 0);
  assert_non_null(rtc_packet_data(packet));
  rtc_packet_unref(&packet);
}

/* A length that no allocation can have is refused, and the out-parameter is left alone. */
static void impossible_length_is_no_memory(void **state) {
  uint8_t octet = 0;
  RtcPacket *packet = NULL;

  (void)state;
  assert_int_equal(rtc_packet_new(&packet, &octet, SIZE_MAX), RTC_ERROR_NO_MEMORY);
  assert_null(packet);
}

/* NULL passes through both. */
static void null_handles_are_fine(void **state) {
  RtcPacket *packet = NULL;

  (void)state;
  assert_null(rtc_packet_ref(NULL));
  rtc_packet_unref(&packet);
}

/* A handle keeps the packet after the maker has given his back. */
static void handle_keeps_the_packet(void **state) {
  RtcPacket *packet;

  (void)state;
  assert_int_equal(rtc_packet_new(&packet, (const uint8_t *)"abc", 3), RTC_OK);
  RtcPacket *second = rtc_packet_ref(packet);
  assert_ptr_equal(second, packet);
  rtc_packet_unref(&packet);
  assert_memory_equal(rtc_packet_data(second), "abc", 3);
  rtc_packet_unref(&second);
}

static void *ref_and_unref(void *arg) {
  RtcPacket *mine = arg;

  for (int i = 0; i < ROUNDS; i++) {
    RtcPacket *another = rtc_packet_ref(mine);
    rtc_packet_unref(&another);
  }
  rtc_packet_unref(&mine);
  return NULL;
}

/* The count holds when threads take and give handles at once, and the last of them frees. */
static void count_is_safe_between_threads(void **state) {
  pthread_t threads[THREADS];
  RtcPacket *packet;

  (void)state;
  assert_int_equal(rtc_packet_new(&packet, (const uint8_t *)"abc", 3), RTC_OK);
  for (int i = 0; i < THREADS; i++) {
    RtcPacket *theirs = rtc_packet_ref(packet);
    assert_int_equal(pthread_create(&threads[i], NULL, ref_and_unref, theirs), 0);
  }
  rtc_packet_unref(&packet);
  for (int i = 0; i < THREADS; i++)
    pthread_join(threads[i], NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(data_is_copied),
      cmocka_unit_test(empty_packet_is_fine),
      cmocka_unit_test(impossible_length_is_no_memory),
      cmocka_unit_test(null_handles_are_fine),
      cmocka_unit_test(handle_keeps_the_packet),
      cmocka_unit_test(count_is_safe_between_threads),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
