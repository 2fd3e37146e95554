/* A list of datagrams: what one side has sent, for a test to deliver, cut, swap or lose. */
#include "support/datagrams.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define RECORD_HEADER_LEN 13

void datagrams_add(Datagrams *datagrams, const uint8_t *data, size_t len) {
  assert_in_range(len, 0, DATAGRAM_OCTETS_MAX);
  assert_in_range(datagrams->count, 0, DATAGRAMS_MAX - 1);
  Datagram *item = &datagrams->items[datagrams->count++];
  memcpy(item->data, data, len);
  item->len = len;
}

void datagrams_move(Datagrams *to, Datagrams *from) {
  for (size_t i = 0; i < from->count; i++)
    datagrams_add(to, from->items[i].data, from->items[i].len);
  from->count = 0;
}

void datagrams_move_records(Datagrams *to, Datagrams *from) {
  for (size_t i = 0; i < from->count; i++) {
    const Datagram *item = &from->items[i];
    for (size_t at = 0; at < item->len;) {
      const uint8_t *record = item->data + at;
      assert_in_range(item->len - at, RECORD_HEADER_LEN, DATAGRAM_OCTETS_MAX);
      size_t len = RECORD_HEADER_LEN + (size_t)(record[11] << 8 | record[12]);
      assert_in_range(len, RECORD_HEADER_LEN, item->len - at);
      datagrams_add(to, record, len);
      at += len;
    }
  }
  from->count = 0;
}
