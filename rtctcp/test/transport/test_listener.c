/* The listener: which addresses it takes, and an accept loop that nothing ends but its closing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/host.h"
#include "support/on_worker.h"
#include "transport/listener.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

static const RtcListenerOptions plain = {.notsent_lowat = RTC_TCP_PATH_LOWAT_DEFAULT};

static RtcAddress address_of(const char *text) {
  RtcAddress address;
  assert_int_equal(rtc_address_parse(&address, text, -1), RTC_OK);
  return address;
}

/* A socket of the family, not connected. */
static int client_socket(int family) {
  int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_true(fd >= 0);
  return fd;
}

static void connect_to(int fd, const RtcAddress *address) {
  assert_int_equal(connect(fd, (const struct sockaddr *)&address->storage, address->len), 0);
}

static void connect_to_host(int fd, const Host *host) {
  const struct sockaddr_in to = {.sin_family = AF_INET,
                                 .sin_port = htons(host->port),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof to), 0);
}

static void await_live(Host *host, uint64_t count) {
  HOST_AWAIT(host, tcp_conns.live, count);
}

/* -- Opening -- */

/* The address that was bound is told, with the port that was free; the socket never blocks, is not
 * inherited, and listens. */
static void free_port_is_bound_and_told(void **state) {
  static const char *const texts[] = {"127.0.0.1:0", "[::1]:0"};
  (void)state;
  for (size_t i = 0; i < COUNT_OF(texts); i++) {
    RtcAddress address = address_of(texts[i]);
    int fd = -1, client = client_socket(address.storage.ss_family);
    assert_int_equal(rtc_listener_open(&fd, &address, false, &plain), RTC_OK);
    assert_true(rtc_address_port(&address) != 0);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    connect_to(client, &address);
    close(client);
    close(fd);
  }
}

/* What can't be bound says why, and leaves no socket behind. */
static void refused_address_says_why(void **state) {
  int first, second = -1;
  RtcAddress taken = address_of("127.0.0.1:0"), foreign = address_of("192.0.2.1:0");
  (void)state;
  assert_int_equal(rtc_listener_open(&first, &taken, false, &plain), RTC_OK);
  RtcAddress same = taken;
  assert_int_equal(rtc_listener_open(&second, &same, false, &plain), RTC_ERROR_ADDRESS_IN_USE);
  same = taken;
  assert_int_equal(rtc_listener_open(&second, &same, true, &plain), RTC_ERROR_ADDRESS_IN_USE);
  assert_int_equal(rtc_listener_open(&second, &foreign, false, &plain), RTC_ERROR_SYSTEM);
  assert_int_equal(second, -1);
  close(first);
  int next = dup(0);
  assert_int_equal(next, first); /* the lowest free one: none was lost */
  close(next);
}

static void assert_congestion_control(int fd, const char *wanted) {
  char name[16] = "";
  socklen_t len = sizeof name;
  assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &len), 0);
  assert_string_equal(name, wanted);
}

static void assert_option(int fd, int option, int wanted) {
  int value = -1;
  socklen_t len = sizeof value;
  assert_int_equal(getsockopt(fd, IPPROTO_TCP, option, &value, &len), 0);
  assert_int_equal(value, wanted);
}

/* What is accepted has the options that its listener was given. Reno is in every kernel. */
static void accepted_has_the_options_of_its_listener(void **state) {
  const RtcListenerOptions options = {.congestion_control = "reno", .notsent_lowat = 12345};
  RtcAddress address = address_of("127.0.0.1:0");
  int fd = -1, client = client_socket(AF_INET), accepted = -1;
  (void)state;
  assert_int_equal(rtc_listener_open(&fd, &address, false, &options), RTC_OK);
  assert_congestion_control(fd, "reno");
  connect_to(client, &address);
  for (int i = 0; i < 1000 && accepted < 0; i++) {
    accepted = accept(fd, NULL, NULL);
    if (accepted < 0)
      usleep(1000);
  }
  assert_true(accepted >= 0);
  assert_congestion_control(accepted, "reno");
  assert_option(accepted, TCP_NODELAY, 1);
  assert_option(accepted, TCP_NOTSENT_LOWAT, 12345);
  close(accepted);
  close(client);
  close(fd);
}

/* One that the kernel does not have is told, before anything is bound, and no socket stays. */
static void unknown_congestion_control_is_refused(void **state) {
  const RtcListenerOptions options = {.congestion_control = "nosuchthing"};
  RtcAddress address = address_of("127.0.0.1:0");
  int fd = -1, before = dup(0);
  (void)state;
  close(before);
  assert_int_equal(rtc_listener_open(&fd, &address, false, &options), RTC_ERROR_UNSUPPORTED);
  assert_int_equal(fd, -1);
  assert_int_equal(rtc_address_port(&address), 0);
  int next = dup(0);
  assert_int_equal(next, before);
  close(next);
}

/* Workers share a port when all of them ask for it. */
static void workers_share_a_port(void **state) {
  int fds[3];
  RtcAddress address = address_of("127.0.0.1:0");
  (void)state;
  for (size_t i = 0; i < COUNT_OF(fds); i++)
    assert_int_equal(rtc_listener_open(&fds[i], &address, true, &plain), RTC_OK);
  for (size_t i = 0; i < COUNT_OF(fds); i++)
    close(fds[i]);
}

/* A port can be had of both families' wildcards at once. */
static void families_stand_side_by_side(void **state) {
  int v4, v6;
  RtcAddress any4 = address_of("0.0.0.0:0"), any6 = address_of("[::]:0");
  (void)state;
  assert_int_equal(rtc_listener_open(&v4, &any4, false, &plain), RTC_OK);
  rtc_address_set_port(&any6, rtc_address_port(&any4));
  assert_int_equal(rtc_listener_open(&v6, &any6, false, &plain), RTC_OK);
  close(v4);
  close(v6);
}

/* A port whose last conns wait in TIME-WAIT can be bound again at once. */
static void port_is_bound_again_at_once(void **state) {
  RtcAddress address = address_of("127.0.0.1:0");
  int fd, again, client = client_socket(AF_INET);
  (void)state;
  assert_int_equal(rtc_listener_open(&fd, &address, false, &plain), RTC_OK);
  connect_to(client, &address);
  int served = -1;
  while (served < 0)
    served = accept(fd, NULL, NULL);
  close(served); /* the side that closes first waits */
  close(client);
  close(fd);
  assert_int_equal(rtc_listener_open(&again, &address, false, &plain), RTC_OK);
  close(again);
}

/* -- Beginning and ending; on_worker checks coroutines and descriptors -- */

typedef struct Part {
  RtcServerSettings settings;
  RtcShard shard;
} Part;

static RtcError start_listener(Part *part) {
  int fd;
  RtcAddress address = address_of("127.0.0.1:0");
  RtcError error = rtc_shard_init(&part->shard, NULL, the_worker(), 0, &part->settings, NULL, 1);
  if (!error)
    error = rtc_listener_open(&fd, &address, false, &plain);
  return error ? error : rtc_listener_start(&part->shard.listeners[0], &part->shard, fd);
}

static RtcError close_at_once(void *arg) {
  Part *part = arg;
  RtcError error = start_listener(part);
  assert_int_equal(error, RTC_OK);
  rtc_listener_close(&part->shard.listeners[0]);
  assert_null(part->shard.listeners[0]);
  rtc_listener_close(&part->shard.listeners[0]);
  rtc_shard_finish(&part->shard);
  return RTC_OK;
}

/* Closed before its coroutine's first step, it is gone at once, and its socket with it. */
static void closed_before_its_first_step(void **state) {
  Part part = {0};
  (void)state;
  on_worker(close_at_once, &part);
}

static RtcError close_later(void *arg) {
  Part *part = arg;
  RtcError error = start_listener(part);
  assert_int_equal(error, RTC_OK);
  assert_int_equal(rtc_coroutine_sleep(the_worker(), RTC_US_PER_MS), RTC_OK);
  rtc_listener_close(&part->shard.listeners[0]);
  rtc_listener_close(&part->shard.listeners[0]);
  for (int turn = 0; turn < 100 && part->shard.listeners[0]; turn++)
    assert_int_equal(rtc_coroutine_sleep(the_worker(), RTC_US_PER_MS), RTC_OK);
  assert_null(part->shard.listeners[0]);
  rtc_shard_finish(&part->shard);
  return RTC_OK;
}

/* Closed while it waits, twice, it ends in its own turn. */
static void closed_while_it_waits(void **state) {
  Part part = {0};
  (void)state;
  on_worker(close_later, &part);
}

/* -- Accepting -- */

static uint64_t accept_errors(Host *host) {
  RtcServerStats stats;
  host_stats(host, &stats);
  return stats.accept_errors;
}

/* Allows no further descriptor; returns the limit to restore. */
static struct rlimit exhaust_descriptors(void) {
  struct rlimit before, none;
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
  int lowest_free = dup(0);
  assert_true(lowest_free >= 0);
  close(lowest_free);
  none = before;
  none.rlim_cur = (rlim_t)lowest_free;
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
  return before;
}

/* Without descriptors clients wait in the backlog, the loop tries again now and then without
 * burning the processor, and serves them when there are some. */
static void want_of_descriptors_is_survived(void **state) {
  Host *host = *state;
  if (getenv("RTC_TEST_VALGRIND")) /* its own limit lets accept take the conn, and loses it */
    skip();
  int first = client_socket(AF_INET), second = client_socket(AF_INET);
  struct rlimit before = exhaust_descriptors();
  connect_to_host(first, host);
  for (int turn = 0; turn < 1000 && accept_errors(host) == 0; turn++)
    usleep(2000);
  uint64_t early = accept_errors(host);
  usleep(350 * 1000);
  uint64_t late = accept_errors(host);
  connect_to_host(second, host);
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
  assert_true(early > 0);
  assert_in_range(late - early, 1, 5);
  await_live(host, 2);
  close(first);
  close(second);
  host_assert_media_flows(host_open_connected(host, NULL));
}

/* A closing server does not wait for a listener that pauses. */
static void pausing_listener_is_closed(void **state) {
  Host *host = *state;
  int client = client_socket(AF_INET);
  struct rlimit before = exhaust_descriptors();
  connect_to_host(client, host);
  for (int turn = 0; turn < 1000 && accept_errors(host) == 0; turn++)
    usleep(2000);
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
  host_close_server(host);
  close(client);
}

/* More clients than one turn accepts are all accepted, and silent ones keep nobody waiting. */
static void crowd_of_silent_clients_is_accepted(void **state) {
  enum { CROWD = 150 };
  Host *host = *state;
  int clients[CROWD];
  for (size_t i = 0; i < CROWD; i++) {
    clients[i] = client_socket(AF_INET);
    connect_to_host(clients[i], host);
  }
  host_assert_media_flows(host_open_connected(host, NULL));
  await_live(host, CROWD + 1);
  for (size_t i = 0; i < CROWD; i++)
    close(clients[i]);
  await_live(host, 1);
}

/* Clients that reset their conn as soon as they have it do no harm. */
static void reset_clients_do_no_harm(void **state) {
  Host *host = *state;
  const struct linger at_once = {.l_onoff = 1};
  for (size_t i = 0; i < 50; i++) {
    int fd = client_socket(AF_INET);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
    connect_to_host(fd, host);
    close(fd);
  }
  host_assert_media_flows(host_open_connected(host, NULL));
  await_live(host, 1);
}

/* IPv6 clients are served as any others. */
static void ipv6_is_served(void **state) {
  host_assert_media_flows(host_open_connected(*state, NULL));
}

#define HOST_TEST(fn) cmocka_unit_test_setup_teardown(fn, host_setup, host_teardown)

int main(void) {
  static HostConfig ipv6 = {.listen = "[::1]:0"};
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(free_port_is_bound_and_told),
      cmocka_unit_test(refused_address_says_why),
      cmocka_unit_test(accepted_has_the_options_of_its_listener),
      cmocka_unit_test(unknown_congestion_control_is_refused),
      cmocka_unit_test(workers_share_a_port),
      cmocka_unit_test(families_stand_side_by_side),
      cmocka_unit_test(port_is_bound_again_at_once),
      cmocka_unit_test(closed_before_its_first_step),
      cmocka_unit_test(closed_while_it_waits),
      HOST_TEST(want_of_descriptors_is_survived),
      HOST_TEST(pausing_listener_is_closed),
      HOST_TEST(crowd_of_silent_clients_is_accepted),
      HOST_TEST(reset_clients_do_no_harm),
      cmocka_unit_test_prestate_setup_teardown(ipv6_is_served, host_setup, host_teardown, &ipv6),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
