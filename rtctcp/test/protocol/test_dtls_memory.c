/* DTLS when memory runs out: allocations of OpenSSL fail in turn, while a context and a session are
 * made, used and ended. */
#include "protocol/dtls.h"

#include "support/dtls_side.h"

#include <openssl/crypto.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* Not each of the thousands: every so manieth, which is no factor of anything. RTC_TEST_STEP=1
 * takes them all. */
#define STEP 53

static size_t made;    /* allocations since the count began */
static size_t failing; /* the one that fails; 0: none */

static bool fails_now(void) {
  return ++made == failing;
}

static void *failing_malloc(size_t size, const char *file, int line) {
  (void)file;
  (void)line;
  return fails_now() ? NULL : malloc(size);
}

static void *failing_realloc(void *old, size_t size, const char *file, int line) {
  (void)file;
  (void)line;
  return fails_now() ? NULL : realloc(old, size);
}

static void plain_free(void *memory, const char *file, int line) {
  (void)file;
  (void)line;
  free(memory);
}

static size_t step_of_sweep(void) {
  const char *text = getenv("RTC_TEST_STEP");
  return text ? (size_t)strtoul(text, NULL, 10) : STEP;
}

static RtcDtlsContext *contexts[2];

static int make_contexts(void **state) {
  (void)state;
  return rtc_dtls_context_new(&contexts[0], NULL) || rtc_dtls_context_new(&contexts[1], NULL);
}

static int destroy_contexts(void **state) {
  (void)state;
  rtc_dtls_context_destroy(contexts[0]);
  rtc_dtls_context_destroy(contexts[1]);
  return 0;
}

static void assert_is_told(RtcError error) {
  assert_true(error == RTC_OK || error == RTC_ERROR_NO_MEMORY || error == RTC_ERROR_LIBRARY);
}

static void make_context(void) {
  RtcDtlsContext *context = NULL;
  RtcError error = rtc_dtls_context_new(&context, NULL);
  assert_is_told(error);
  assert_true(!error == !!context);
  rtc_dtls_context_destroy(context);
}

static void keep(const uint8_t *datagram, size_t len, void *arg) {
  datagrams_add(&((DtlsSide *)arg)->out, datagram, len);
}

static bool open_side(DtlsSide *side, RtcDtlsRole role) {
  RtcDtlsCallbacks callbacks = {.output = keep, .arg = side};
  side->dtls = NULL;
  side->out.count = 0;
  RtcError error =
      rtc_dtls_new(&side->dtls, contexts[role], role, rtc_dtls_context_fingerprint(contexts[!role]),
                   1, &callbacks, NULL, "session=test");
  assert_is_told(error);
  return !error;
}

/* A session's life, which goes as far as memory lets it. */
static void live_a_session(void) {
  static DtlsSide server, client;
  bool is_open = open_side(&server, RTC_DTLS_ROLE_SERVER);
  if (open_side(&client, RTC_DTLS_ROLE_CLIENT) && is_open) {
    rtc_dtls_start(client.dtls);
    dtls_side_talk(&server, &client);
    RtcSrtpKeys keys;
    if (rtc_dtls_state(server.dtls) == RTC_DTLS_STATE_CONNECTED)
      assert_is_told(rtc_dtls_export_keys(server.dtls, &keys));
    rtc_dtls_close(server.dtls);
    dtls_side_talk(&server, &client);
    rtc_dtls_close(client.dtls);
    assert_true(rtc_dtls_state(server.dtls) > RTC_DTLS_STATE_CONNECTED);
    assert_true(rtc_dtls_state(client.dtls) > RTC_DTLS_STATE_CONNECTED);
  }
  dtls_side_finish(&server);
  dtls_side_finish(&client);
}

/* Fails one allocation of work after the other, until one run has none that failed. */
static void sweep(void (*work)(void)) {
  failing = 0;
  work(); /* OpenSSL's own caches are filled */
  size_t step = step_of_sweep();
  for (failing = 1;; failing += step) {
    made = 0;
    work();
    if (made < failing)
      break;
  }
  assert_true(failing > 100);
  failing = 0;
}

/* Whatever is missing, a context is made, or an error is told and nothing is left. */
static void context_is_made_or_an_error_is_told(void **state) {
  (void)state;
  sweep(make_context);
}

/* A session ends in a state that says so, and nothing is left. */
static void session_connects_or_fails_cleanly(void **state) {
  (void)state;
  sweep(live_a_session);
}

int main(void) {
  if (!CRYPTO_set_mem_functions(failing_malloc, failing_realloc, plain_free))
    return 1;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(context_is_made_or_an_error_is_told),
      cmocka_unit_test(session_connects_or_fails_cleanly),
  };
  return cmocka_run_group_tests(tests, make_contexts, destroy_contexts);
}
