/* Tests of http.c: who is answered while the server starts, serves and stops. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../http.h"

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TIMEOUT_S 30

static void count_and_answer(HttpRequest *request, void *arg) {
  atomic_int *routed = arg;
  atomic_fetch_add(routed, 1);
  http_answer_text(request, 200, "routed");
}

/* A TCP conn over loopback; returns the client's end, gives the other one to http. */
static int connect_to(Http *http) {
  const struct timeval timeout = {.tv_sec = TIMEOUT_S};
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t len = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  int client = socket(AF_INET, SOCK_STREAM, 0);
  assert_int_equal(bind(listener, (struct sockaddr *)&address, len), 0);
  assert_int_equal(listen(listener, 1), 0);
  assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &len), 0);
  assert_int_equal(connect(client, (struct sockaddr *)&address, len), 0);
  int accepted = accept4(listener, (struct sockaddr *)&address, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
  assert_true(accepted >= 0);
  close(listener);
  assert_int_equal(setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout), 0);
  http_add_socket(http, accepted, (struct sockaddr *)&address, len);
  return client;
}

/* Asks, and reads the answer to the end of its one line of text. Returns the status. */
static int ask(int client, char answer[1024]) {
  static const char request[] = "GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n";
  size_t len = 0;
  assert_int_equal(send(client, request, strlen(request), MSG_NOSIGNAL), strlen(request));
  do {
    ssize_t n = recv(client, answer + len, 1023 - len, 0);
    assert_true(n > 0);
    len += (size_t)n;
    answer[len] = '\0';
  } while (!strstr(answer, "\r\n\r\n") || answer[len - 1] != '\n' || answer[len - 2] == '\r');
  assert_int_equal(strncmp(answer, "HTTP/1.1 ", 9), 0);
  return atoi(answer + 9);
}

/* The routes need a server whose workers all run: before, and while it ends, they are not called.
 */
static void routes_are_called_only_while_it_is_open(void **state) {
  static const RtcLog silent = {.level = RTC_LOG_LEVEL_ERROR, .write = rtc_log_write_stderr};
  char answer[1024];
  atomic_int routed = 0;
  const HttpConfig config = {.log = silent, .route = count_and_answer, .arg = &routed};
  Http *http;
  (void)state;
  assert_int_equal(http_new(&http, &config), RTC_OK);
  int client = connect_to(http);
  assert_int_equal(ask(client, answer), 503);
  assert_non_null(strstr(answer, "\r\nRetry-After: " HTTP_RETRY_AFTER "\r\n"));
  assert_int_equal(atomic_load(&routed), 0);
  http_open(http);
  assert_int_equal(ask(client, answer), 200);
  assert_int_equal(atomic_load(&routed), 1);
  http_close(http);
  assert_int_equal(ask(client, answer), 503);
  assert_int_equal(atomic_load(&routed), 1);
  close(client);
  http_destroy(http);
}

/* A socket that comes too late is closed. */
static void closed_one_takes_no_sockets(void **state) {
  const HttpConfig config = {.route = count_and_answer};
  Http *http;
  char octet;
  (void)state;
  assert_int_equal(http_new(&http, &config), RTC_OK);
  http_close(http);
  int client = connect_to(http);
  assert_int_equal(recv(client, &octet, 1, 0), 0);
  close(client);
  http_destroy(http);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(routes_are_called_only_while_it_is_open),
      cmocka_unit_test(closed_one_takes_no_sockets),
  };
  return cmocka_run_group_tests_name("http", tests, NULL, NULL);
}
