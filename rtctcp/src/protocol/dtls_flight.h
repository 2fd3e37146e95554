/* One flight of DTLS records: gathered as OpenSSL writes them, given out as datagrams of whole
 * records, and, while it is kept, given out again octet for octet.
 * Source: RFC 6347 sections 4.2.3 and 4.2.4 */
#ifndef RTC_PROTOCOL_DTLS_FLIGHT_H
#define RTC_PROTOCOL_DTLS_FLIGHT_H

#include "protocol/dtls.h"

/* Records are put together as long as the datagram does not exceed this [octets]. */
#define RTC_DTLS_DATAGRAM_MAX ((size_t)1200)

typedef struct RtcDtlsFlight {
  uint8_t *records; /* owned: whole records, one behind the other; NULL: none */
  size_t len;       /* [octets] */
} RtcDtlsFlight;

/* data: whole records. Errors: NO_MEMORY (the flight is as it was) */
RTC_MUST_CHECK RtcError rtc_dtls_flight_append(RtcDtlsFlight *flight, const uint8_t *data,
                                               size_t len);

/* Does it carry the handshake on? An alert alone does not. */
bool rtc_dtls_flight_is_handshake(const RtcDtlsFlight *flight);

void rtc_dtls_flight_output(const RtcDtlsFlight *flight, const RtcDtlsCallbacks *callbacks);

/* Takes what *from holds in place of what *flight held. */
void rtc_dtls_flight_replace(RtcDtlsFlight *flight, RtcDtlsFlight *from);

void rtc_dtls_flight_finish(RtcDtlsFlight *flight); /* fine twice, and on a zeroed flight */

#endif
