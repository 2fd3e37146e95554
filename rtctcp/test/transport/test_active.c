/* The active side of a session, against the library's own passive side. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/duo.h"

#include <string.h>

static const DuoConfig one_worker = {0};
static const DuoConfig two_workers = {.two_workers = true};
static const DuoConfig ipv6 = {.listen = "[::1]:0"};

/* -- The way it should go -- */

/* Its offer leaves the choice: the passive side awaits the ClientHello. */
static void it_connects_and_media_flows_both_ways(void **state) {
  Duo *duo = *state;
  duo_open_connected(duo, RTC_SETUP_NONE);
  assert_int_equal(duo->active.local.setup, RTC_SETUP_ACTIVE);
  duo_assert_media_flows(duo);
}

static void it_is_the_dtls_server_where_its_offer_says_so(void **state) {
  Duo *duo = *state;
  duo_open_connected(duo, RTC_SETUP_PASSIVE);
  assert_int_equal(duo->active.local.setup, RTC_SETUP_PASSIVE);
  duo_assert_media_flows(duo);
}

/* DTLS and SRTP go on, on another TCP conn. */
static void a_lost_tcp_conn_is_opened_again(void **state) {
  Duo *duo = *state;
  duo_open_connected(duo, RTC_SETUP_NONE);
  duo_lose_tcp(&duo->active);
  duo_await_count(&duo->active, RTC_CONNECTION_STATE_CONNECTED, 2);
  duo_await_count(&duo->passive, RTC_CONNECTION_STATE_CONNECTED, 2);
  duo_assert_media_flows(duo);
  duo_lose_tcp(&duo->passive);
  duo_await_count(&duo->active, RTC_CONNECTION_STATE_CONNECTED, 3);
  duo_await_count(&duo->passive, RTC_CONNECTION_STATE_CONNECTED, 3);
  duo_assert_media_flows(duo);
}

#define TEST(test, config)                                                                         \
  { #test " (" #config ")", test, duo_setup, duo_teardown, (void *)(uintptr_t) & (config) }

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(it_connects_and_media_flows_both_ways, one_worker),
      TEST(it_connects_and_media_flows_both_ways, two_workers),
      TEST(it_connects_and_media_flows_both_ways, ipv6),
      TEST(it_is_the_dtls_server_where_its_offer_says_so, one_worker),
      TEST(it_is_the_dtls_server_where_its_offer_says_so, two_workers),
      TEST(a_lost_tcp_conn_is_opened_again, one_worker),
      TEST(a_lost_tcp_conn_is_opened_again, two_workers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
