/* Socket addresses as text, and the key under which a peer's conns are counted. */
#ifndef RTC_TRANSPORT_ADDRESS_H
#define RTC_TRANSPORT_ADDRESS_H

#include <rtctcp/error.h>

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define RTC_ADDRESS_TEXT_MAX 64 /* "[" IPv6 "]:65535" and its NUL */
#define RTC_PORT_DISCARD     9  /* of an active candidate, RFC 6544 section 4.5 */

typedef struct RtcAddress {
  struct sockaddr_storage storage;
  socklen_t len; /* [octets] */
} RtcAddress;

/* Reads "192.0.2.1:443", "[2001:db8::1]:443", and with default_port >= 0 also "192.0.2.1",
 * "2001:db8::1", "[2001:db8::1]". Names are not looked up.
 * Errors: INVALID_ARGUMENT */
RTC_MUST_CHECK RtcError rtc_address_parse(RtcAddress *address, const char *text, int default_port);

/* "192.0.2.1:443", "[2001:db8::1]:443"; an IPv4-mapped IPv6 address is written as IPv4. */
void rtc_address_format(const RtcAddress *address, char text[RTC_ADDRESS_TEXT_MAX]);

/* The address alone, without brackets and port. */
void rtc_address_host(const RtcAddress *address, char text[RTC_ADDRESS_TEXT_MAX]);

uint16_t rtc_address_port(const RtcAddress *address); /* host byte order */
void rtc_address_set_port(RtcAddress *address, uint16_t port);
bool rtc_address_is_wildcard(const RtcAddress *address);

/* Who a peer is for a limit: an IPv4 address, or the /64 that an IPv6 host can pick addresses in.
 * Equal octets, equal peer. */
typedef struct RtcAddressKey {
  uint8_t octets[9]; /* family, then 4 or 8 octets */
} RtcAddressKey;

RtcAddressKey rtc_address_key(const RtcAddress *address);

#endif
