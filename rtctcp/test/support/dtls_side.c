/* The library's side of a DTLS test: a session whose output is kept. */
#include "support/dtls_side.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void keep(const uint8_t *datagram, size_t len, void *arg) {
  datagrams_add(&((DtlsSide *)arg)->out, datagram, len);
}

/* RTC_TEST_LOG=1 shows the sessions' lines. */
static void show(void *arg, RtcLogLevel level, const char *line) {
  (void)arg;
  (void)level;
  if (getenv("RTC_TEST_LOG"))
    print_message("%s\n", line);
}

static const RtcLog test_log = {.level = RTC_LOG_LEVEL_DEBUG, .write = show};

void dtls_side_init(DtlsSide *side, const RtcDtlsContext *context, RtcDtlsRole role,
                    const RtcFingerprint *fingerprints, size_t count) {
  RtcDtlsCallbacks callbacks = {.output = keep, .arg = side};
  side->out.count = 0;
  assert_int_equal(rtc_dtls_new(&side->dtls, context, role, fingerprints, count, &callbacks,
                                &test_log, "session=test"),
                   RTC_OK);
}

void dtls_side_finish(DtlsSide *side) {
  rtc_dtls_destroy(side->dtls);
  side->dtls = NULL;
}

void dtls_side_input(DtlsSide *side, const Datagram *datagram) {
  /* A copy of its own size, so that a sanitizer sees each octet read beyond it. */
  uint8_t *data = malloc(datagram->len ? datagram->len : 1);
  assert_non_null(data);
  memcpy(data, datagram->data, datagram->len);
  RtcError error = rtc_dtls_input(side->dtls, data, datagram->len);
  assert_true(error == RTC_OK || error == RTC_ERROR_PROTO || error == RTC_ERROR_CLOSED);
  free(data);
}

static void deliver(DtlsSide *to, Datagrams *from) {
  static Datagrams taken;
  taken.count = 0;
  datagrams_move(&taken, from);
  for (size_t i = 0; i < taken.count; i++)
    dtls_side_input(to, &taken.items[i]);
}

void dtls_side_talk(DtlsSide *a, DtlsSide *b) {
  while (a->out.count > 0 || b->out.count > 0) {
    deliver(b, &a->out);
    deliver(a, &b->out);
  }
}

void dtls_side_talk_to_peer(DtlsSide *side, DtlsPeer *peer) {
  static Datagrams taken;
  while (side->out.count > 0 || peer->out.count > 0) {
    deliver(side, &peer->out);
    taken.count = 0;
    datagrams_move(&taken, &side->out);
    for (size_t i = 0; i < taken.count; i++)
      dtls_peer_input(peer, &taken.items[i]);
  }
}
