/* Socket addresses as text, and the key under which a peer's conns are counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "transport/address.h"

#include <netinet/in.h>
#include <string.h>

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

static RtcAddress parsed(const char *text) {
  RtcAddress address;
  if (rtc_address_parse(&address, text, 9) != RTC_OK)
    fail_msg("%s is refused", text);
  return address;
}

static RtcAddressKey key_of(const char *text) {
  const RtcAddress address = parsed(text);
  return rtc_address_key(&address);
}

/* Every form that can be read, and how it is written. */
static void addresses_are_read_and_written(void **state) {
  static const struct {
    const char *text;
    int default_port;
    int family;
    uint16_t port;
    const char *host, *whole;
  } cases[] = {
      {"192.0.2.1:443", -1, AF_INET, 443, "192.0.2.1", "192.0.2.1:443"},
      {"192.0.2.1:443", 80, AF_INET, 443, "192.0.2.1", "192.0.2.1:443"},
      {"192.0.2.1", 80, AF_INET, 80, "192.0.2.1", "192.0.2.1:80"},
      {"0.0.0.0:0", -1, AF_INET, 0, "0.0.0.0", "0.0.0.0:0"},
      {"255.255.255.255:65535", -1, AF_INET, 65535, "255.255.255.255", "255.255.255.255:65535"},
      {"[2001:db8::1]:443", -1, AF_INET6, 443, "2001:db8::1", "[2001:db8::1]:443"},
      {"[2001:DB8:0:0::1]", 80, AF_INET6, 80, "2001:db8::1", "[2001:db8::1]:80"},
      {"2001:db8::1", 80, AF_INET6, 80, "2001:db8::1", "[2001:db8::1]:80"},
      {"2001:db8::1:80", 7, AF_INET6, 7, "2001:db8::1:80", "[2001:db8::1:80]:7"},
      {"[::]:1", -1, AF_INET6, 1, "::", "[::]:1"},
      {"[::ffff:192.0.2.1]:443", -1, AF_INET6, 443, "192.0.2.1", "192.0.2.1:443"},
      {"[2001:db8:1111:2222:3333:4444:5555:6666]:65535", -1, AF_INET6, 65535,
       "2001:db8:1111:2222:3333:4444:5555:6666", "[2001:db8:1111:2222:3333:4444:5555:6666]:65535"},
  };
  (void)state;
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    RtcAddress address;
    char text[RTC_ADDRESS_TEXT_MAX];
    if (rtc_address_parse(&address, cases[i].text, cases[i].default_port) != RTC_OK)
      fail_msg("%s is refused", cases[i].text);
    assert_int_equal(address.storage.ss_family, cases[i].family);
    assert_int_equal(address.len, cases[i].family == AF_INET ? sizeof(struct sockaddr_in)
                                                             : sizeof(struct sockaddr_in6));
    assert_int_equal(rtc_address_port(&address), cases[i].port);
    rtc_address_host(&address, text);
    assert_string_equal(text, cases[i].host);
    rtc_address_format(&address, text);
    assert_string_equal(text, cases[i].whole);
  }
}

/* What is no address, or lacks a port, is refused, and the caller's value stays as it was. */
static void malformed_addresses_are_refused(void **state) {
  static const struct {
    const char *text;
    int default_port;
  } cases[] = {
      {"", 80},
      {":80", 80},
      {"192.0.2.1", -1},
      {"2001:db8::1", -1},
      {"[2001:db8::1]", -1},
      {"::1:80", -1},
      {"192.0.2.1:", 80},
      {"[::1]:", 80},
      {"192.0.2.1:65536", 80},
      {"192.0.2.1:99999999999999999999", 80},
      {"192.0.2.1:-1", 80},
      {"192.0.2.1:+1", 80},
      {"192.0.2.1: 1", 80},
      {"192.0.2.1:1x", 80},
      {"192.0.2.256:1", 80},
      {"192.0.2:1", 80},
      {" 192.0.2.1:1", 80},
      {"[192.0.2.1]:1", 80},
      {"[::1", 80},
      {"[::1]x", 80},
      {"[::1]80", 80},
      {"[]:80", 80},
      {"::1]:80", 80},
      {"[fe80::1%lo]:80", 80},
      {"localhost:80", 80},
      {"[2001:db8::1]:80:90", 80},
      {"1111111111222222222233333333334444444444555555555566666666667777777777:80", 80},
  };
  (void)state;
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    RtcAddress address, before;
    memset(&address, 0xa5, sizeof address);
    before = address;
    if (rtc_address_parse(&address, cases[i].text, cases[i].default_port) !=
        RTC_ERROR_INVALID_ARGUMENT)
      fail_msg("%s is taken", cases[i].text);
    assert_memory_equal(&address, &before, sizeof address);
  }
}

/* A wildcard names no host, in either family and mapped too. */
static void wildcards_are_told(void **state) {
  static const struct {
    const char *text;
    bool wildcard;
  } cases[] = {{"0.0.0.0", true},  {"::", true},         {"::ffff:0.0.0.0", true},
               {"0.0.0.1", false}, {"127.0.0.1", false}, {"::1", false},
               {"1::", false}};
  (void)state;
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    const RtcAddress address = parsed(cases[i].text);
    if (rtc_address_is_wildcard(&address) != cases[i].wildcard)
      fail_msg("%s is told wrong", cases[i].text);
  }
}

/* A port is set, and nothing else changes. */
static void port_is_set_alone(void **state) {
  static const char *const texts[] = {"192.0.2.1:1", "[2001:db8::1]:1"};
  static const char *const wanted[] = {"192.0.2.1:50000", "[2001:db8::1]:50000"};
  char text[RTC_ADDRESS_TEXT_MAX];
  (void)state;
  for (size_t i = 0; i < COUNT_OF(texts); i++) {
    RtcAddress address = parsed(texts[i]);
    rtc_address_set_port(&address, 50000);
    rtc_address_format(&address, text);
    assert_string_equal(text, wanted[i]);
  }
}

/* One IPv4 host is one peer, mapped or not; an IPv6 host is its whole /64, from which it may take
 * any address; the families never meet. */
static void keys_tell_peers_apart(void **state) {
  static const struct {
    const char *a, *b;
    bool same;
  } cases[] = {
      {"192.0.2.1:1", "192.0.2.1:2", true},
      {"192.0.2.1", "192.0.2.2", false},
      {"192.0.2.1", "::ffff:192.0.2.1", true},
      {"2001:db8:0:1::1", "2001:db8:0:1:ffff:ffff:ffff:ffff", true},
      {"2001:db8:0:1::1", "2001:db8:0:2::1", false},
      {"0.0.0.0", "::", false},
      {"1.2.3.4", "102:304::", false},
  };
  (void)state;
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    const RtcAddressKey a = key_of(cases[i].a), b = key_of(cases[i].b);
    if ((memcmp(&a, &b, sizeof a) == 0) != cases[i].same)
      fail_msg("%s and %s", cases[i].a, cases[i].b);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(addresses_are_read_and_written),
      cmocka_unit_test(malformed_addresses_are_refused),
      cmocka_unit_test(wildcards_are_told),
      cmocka_unit_test(port_is_set_alone),
      cmocka_unit_test(keys_tell_peers_apart),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
