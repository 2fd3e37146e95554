/* One flight of DTLS records: gathered, given out as datagrams of whole records, and again. */
#include "protocol/dtls_flight.h"

#include "protocol/dtls_record.h"

#include <stdlib.h>
#include <string.h>

RtcError rtc_dtls_flight_append(RtcDtlsFlight *flight, const uint8_t *data, size_t len) {
  uint8_t *records = realloc(flight->records, flight->len + len);
  if (!records)
    return RTC_ERROR_NO_MEMORY;
  memcpy(records + flight->len, data, len);
  flight->records = records;
  flight->len += len;
  return RTC_OK;
}

bool rtc_dtls_flight_is_handshake(const RtcDtlsFlight *flight) {
  return flight->len > 0 && (flight->records[0] == RTC_DTLS_RECORD_HANDSHAKE ||
                             flight->records[0] == RTC_DTLS_RECORD_CHANGE_CIPHER_SPEC);
}

/* Octets of the first datagram: one record, and as many more as fit. */
static size_t datagram_len(const uint8_t *data, size_t len) {
  size_t total = 0;
  while (total < len) {
    RtcDtlsRecord record;
    if (rtc_dtls_record_parse(&record, data + total, len - total) != RTC_OK)
      return len;
    if (total > 0 && total + record.len > RTC_DTLS_DATAGRAM_MAX)
      break;
    total += record.len;
  }
  return total;
}

void rtc_dtls_flight_output(const RtcDtlsFlight *flight, const RtcDtlsCallbacks *callbacks) {
  for (size_t at = 0; at < flight->len;) {
    size_t len = datagram_len(flight->records + at, flight->len - at);
    callbacks->output(flight->records + at, len, callbacks->arg);
    at += len;
  }
}

void rtc_dtls_flight_replace(RtcDtlsFlight *flight, RtcDtlsFlight *from) {
  free(flight->records);
  *flight = *from;
  *from = (RtcDtlsFlight){0};
}

void rtc_dtls_flight_finish(RtcDtlsFlight *flight) {
  free(flight->records);
  *flight = (RtcDtlsFlight){0};
}
