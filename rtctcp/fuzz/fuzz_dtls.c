/* Feeds datagrams to a DTLS server: fresh, in the middle of a handshake, and connected.
 * Input: one octet that chooses the stage, then datagrams, each behind its 16-bit length. */
#include "protocol/dtls.h"

#include <stdlib.h>
#include <string.h>

#define OCTETS_MAX ((size_t)16384)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef enum Stage {
  STAGE_FRESH,    /* nothing has come */
  STAGE_ANSWERED, /* a ClientHello has come, and was answered */
  STAGE_CONNECTED,
  STAGE_COUNT,
} Stage;

typedef struct Outbox {
  uint8_t data[OCTETS_MAX];
  size_t len;
} Outbox;

static void keep(const uint8_t *datagram, size_t len, void *arg) {
  Outbox *outbox = arg;
  if (len > sizeof outbox->data - outbox->len)
    abort();
  memcpy(outbox->data + outbox->len, datagram, len);
  outbox->len += len;
}

static RtcDtlsContext *contexts[2]; /* for all inputs: making one is slow */

static RtcDtls *open_session(RtcDtlsRole role, Outbox *outbox) {
  RtcDtlsCallbacks callbacks = {.output = keep, .arg = outbox};
  RtcDtls *dtls;
  if (!contexts[role] && rtc_dtls_context_new(&contexts[role], NULL))
    abort();
  if (!contexts[!role] && rtc_dtls_context_new(&contexts[!role], NULL))
    abort();
  if (rtc_dtls_new(&dtls, contexts[role], role, rtc_dtls_context_fingerprint(contexts[!role]), 1,
                   &callbacks, NULL, "fuzz"))
    abort();
  return dtls;
}

/* Each flight of a handshake is one datagram to the library: records behind each other. */
static void carry(Outbox *from, RtcDtls *to) {
  static Outbox taken;
  taken = *from;
  from->len = 0;
  if (rtc_dtls_input(to, taken.data, taken.len))
    abort();
}

static void bring_to(Stage stage, RtcDtls *server, Outbox *out) {
  static Outbox client_out;
  if (stage == STAGE_FRESH)
    return;
  client_out.len = 0;
  RtcDtls *client = open_session(RTC_DTLS_ROLE_CLIENT, &client_out);
  rtc_dtls_start(client);
  carry(&client_out, server);
  if (stage == STAGE_CONNECTED) {
    carry(out, client);
    carry(&client_out, server);
  }
  rtc_dtls_destroy(client);
}

static void feed(RtcDtls *server, Outbox *out, const uint8_t *data, size_t size) {
  while (size >= 2) {
    size_t len = (size_t)(data[0] << 8 | data[1]);
    data += 2;
    size -= 2;
    if (len > size)
      len = size;
    RtcDtlsState before = rtc_dtls_state(server);
    RtcError error = rtc_dtls_input(server, data, len);
    bool is_over = rtc_dtls_state(server) > RTC_DTLS_STATE_CONNECTED;
    if (is_over != (error == RTC_ERROR_CLOSED))
      abort();
    /* Nobody can forge the client's certificate or what its keys protect. */
    if (before != RTC_DTLS_STATE_CONNECTED && rtc_dtls_state(server) == RTC_DTLS_STATE_CONNECTED)
      abort();
    if (before == RTC_DTLS_STATE_CONNECTED && is_over)
      abort();
    out->len = 0;
    data += len;
    size -= len;
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static Outbox out;
  if (size == 0)
    return 0;
  out.len = 0;
  RtcDtls *server = open_session(RTC_DTLS_ROLE_SERVER, &out);
  bring_to((Stage)(data[0] % STAGE_COUNT), server, &out);
  out.len = 0;
  feed(server, &out, data + 1, size - 1);
  rtc_dtls_resend(server);
  rtc_dtls_close(server);
  rtc_dtls_destroy(server);
  return 0;
}
