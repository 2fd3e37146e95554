/* What the kernel may hold of a TCP conn: by the path's rate, within bounds, measured seldom. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "transport/tcp_path.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define KIB ((size_t)1024)

/* A connected pair on loopback. */
static void connect_pair(int fds[2]) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  struct sockaddr *to = (struct sockaddr *)&address;
  socklen_t len = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  assert_true(listener >= 0 && bind(listener, to, len) == 0 && listen(listener, 1) == 0 &&
              getsockname(listener, to, &len) == 0);
  fds[0] = socket(AF_INET, SOCK_STREAM, 0);
  assert_int_equal(connect(fds[0], to, len), 0);
  fds[1] = accept(listener, NULL, NULL);
  assert_true(fds[1] >= 0);
  close(listener);
}

static int option_of(int fd, int name) {
  int value = -1;
  socklen_t len = sizeof value;
  assert_int_equal(getsockopt(fd, IPPROTO_TCP, name, &value, &len), 0);
  return value;
}

/* 5 ms of the rate, in steps of two from the least to 256 KiB. */
static void rate_decides(void **state) {
  static const struct {
    uint64_t rate;
    size_t now, least, wanted;
    bool limited;
  } cases[] = {
      {1, 16 * KIB, 16 * KIB, 16 * KIB, false},
      {16 * KIB * 200, 16 * KIB, 16 * KIB, 16 * KIB, false},
      {16 * KIB * 200 + 200, 16 * KIB, 16 * KIB, 32 * KIB, false},
      {100 * 1000 * 1000 / 8, 16 * KIB, 16 * KIB, 64 * KIB, false},
      {UINT64_MAX, 16 * KIB, 16 * KIB, 256 * KIB, false},
      {1000, 256 * KIB, 16 * KIB, 16 * KIB, false}, /* lowered again */
      {1000, 64 * KIB, 16 * KIB, 64 * KIB, true},   /* it did not send more: no ground to */
      {100 * 1000 * 1000 / 8, 16 * KIB, 16 * KIB, 64 * KIB, true},
      {UINT64_MAX, 100 * KIB, 100 * KIB, 256 * KIB, false},
      {1000, 4 * KIB, 4 * KIB, 4 * KIB, false},
  };
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const RtcTcpPath path = {.lowat = cases[i].now, .lowat_min = cases[i].least};
    size_t lowat = rtc_tcp_path_lowat(&path, cases[i].rate, cases[i].limited);
    if (lowat != cases[i].wanted)
      fail_msg("case %zu: %zu, not %zu", i, lowat, cases[i].wanted);
  }
}

/* The socket is told the least at first, and that nothing waits for more to send. */
static void socket_begins_with_the_least(void **state) {
  RtcTcpPath path;
  int fds[2];
  (void)state;
  connect_pair(fds);
  rtc_tcp_path_prepare(fds[1], 20 * KIB);
  assert_int_equal(option_of(fds[1], TCP_NODELAY), 1);
  assert_int_equal(option_of(fds[1], TCP_NOTSENT_LOWAT), 20 * KIB);
  rtc_tcp_path_prepare(fds[1], SIZE_MAX);
  rtc_tcp_path_init(&path, SIZE_MAX);
  assert_int_equal(path.lowat, RTC_TCP_PATH_LOWAT_MAX);
  assert_int_equal(option_of(fds[1], TCP_NOTSENT_LOWAT), RTC_TCP_PATH_LOWAT_MAX);
  close(fds[0]);
  close(fds[1]);
}

/* A fast path raises it, once a second: loopback delivers more than 16 KiB in 5 ms. */
static void fast_path_raises_it(void **state) {
  static uint8_t data[64 * 1024];
  RtcTcpPath path;
  int fds[2];
  (void)state;
  connect_pair(fds);
  rtc_tcp_path_init(&path, 1 * KIB);
  for (int i = 0; i < 100; i++) {
    ssize_t sent = send(fds[1], data, sizeof data, MSG_DONTWAIT);
    while (sent > 0) {
      ssize_t n = recv(fds[0], data, sizeof data, 0);
      assert_true(n > 0);
      sent -= n;
    }
  }
  rtc_tcp_path_blocked(&path, fds[1], RTC_US_PER_S); /* the first time tells nothing */
  assert_int_equal(path.lowat, 1 * KIB);
  rtc_tcp_path_blocked(&path, fds[1], 2 * RTC_US_PER_S);
  assert_true(path.lowat > 1 * KIB);
  assert_int_equal(option_of(fds[1], TCP_NOTSENT_LOWAT), path.lowat);
  path.lowat = 1;
  rtc_tcp_path_blocked(&path, fds[1], 3 * RTC_US_PER_S - 1);
  assert_int_equal(path.lowat, 1);
  rtc_tcp_path_blocked(&path, fds[1], 3 * RTC_US_PER_S);
  assert_true(path.lowat > 1 * KIB);
  close(fds[0]);
  close(fds[1]);
}

/* What is no TCP socket any more changes nothing. */
static void lost_socket_is_passed_over(void **state) {
  RtcTcpPath path = {.lowat = 16 * KIB, .lowat_min = 16 * KIB};
  (void)state;
  rtc_tcp_path_blocked(&path, -1, RTC_US_PER_S);
  assert_int_equal(path.lowat, 16 * KIB);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(rate_decides),
      cmocka_unit_test(socket_begins_with_the_least),
      cmocka_unit_test(fast_path_raises_it),
      cmocka_unit_test(lost_socket_is_passed_over),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
