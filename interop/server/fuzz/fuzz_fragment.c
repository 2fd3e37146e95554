/* Fuzzes the reader of SDP fragments: what was understood is in its grammar, and can be written and
 * understood in the same way again. */
#include "../fragment.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void expect(bool condition) {
  if (!condition)
    abort();
}

static void write_and_read_again(const Fragment *fragment) {
  Text text = {0};
  Fragment again;
  const char *reason;
  RtcSdpTransport local = {0};
  strcpy(local.ufrag, fragment->ufrag);
  strcpy(local.pwd, fragment->pwd);
  expect(fragment_write(&text, "m=audio 9 RTP/AVP 0\r\na=mid:0\r\n", &local) == RTC_OK);
  expect(fragment_parse(&again, text.data, text.len, &reason) == RTC_OK);
  expect(strcmp(again.ufrag, fragment->ufrag) == 0 && strcmp(again.pwd, fragment->pwd) == 0);
  text_finish(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  Fragment fragment;
  const char *reason = NULL;
  RtcError error = fragment_parse(&fragment, (const char *)data, size, &reason);
  expect((error != RTC_OK) == (reason != NULL));
  if (error != RTC_OK)
    return 0;
  expect(!*fragment.ufrag == !*fragment.pwd);
  if (*fragment.ufrag)
    write_and_read_again(&fragment);
  return 0;
}
