/* Socket addresses as text, and the key under which a peer's conns are counted. */
#include "transport/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool parse_port(const char *text, uint16_t *port) {
  char *end;
  if (*text < '0' || *text > '9') /* strtoul would take a sign or a space */
    return false;
  unsigned long value = strtoul(text, &end, 10);
  if (*end || value > UINT16_MAX)
    return false;
  *port = (uint16_t)value;
  return true;
}

static bool parse_host(RtcAddress *address, const char *host) {
  struct sockaddr_in *v4 = (struct sockaddr_in *)&address->storage;
  struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&address->storage;
  memset(&address->storage, 0, sizeof address->storage);
  if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    address->len = sizeof *v4;
    return true;
  }
  if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    address->len = sizeof *v6;
    return true;
  }
  return false;
}

/* Cuts text into a host without brackets and a port's text, "" for none. */
static bool cut(const char *text, char host[RTC_ADDRESS_TEXT_MAX], const char **port) {
  const char *end;
  const char *begin = text;
  *port = "";
  if (*text == '[') {
    begin = text + 1;
    end = strchr(begin, ']');
    if (!end || (end[1] && end[1] != ':'))
      return false;
    if (end[1] == ':')
      *port = end + 2;
    if (end[1] == ':' && !end[2])
      return false;
  } else {
    const char *colon = strchr(text, ':');
    bool bare_v6 = colon && strchr(colon + 1, ':');
    end = colon && !bare_v6 ? colon : text + strlen(text);
    if (*end == ':')
      *port = end + 1;
    if (*end == ':' && !end[1])
      return false;
  }
  size_t len = (size_t)(end - begin);
  if (len == 0 || len >= RTC_ADDRESS_TEXT_MAX)
    return false;
  memcpy(host, begin, len);
  host[len] = '\0';
  return true;
}

RtcError rtc_address_parse(RtcAddress *address, const char *text, int default_port) {
  char host[RTC_ADDRESS_TEXT_MAX];
  const char *port_text;
  uint16_t port = (uint16_t)default_port;
  RtcAddress parsed;

  if (!cut(text, host, &port_text) || !parse_host(&parsed, host))
    return RTC_ERROR_INVALID_ARGUMENT;
  if (!*port_text && default_port < 0)
    return RTC_ERROR_INVALID_ARGUMENT;
  if (*port_text && !parse_port(port_text, &port))
    return RTC_ERROR_INVALID_ARGUMENT;
  if (text[0] == '[' && parsed.storage.ss_family != AF_INET6)
    return RTC_ERROR_INVALID_ARGUMENT;
  rtc_address_set_port(&parsed, port);
  *address = parsed;
  return RTC_OK;
}

static bool is_mapped(const RtcAddress *address) {
  const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&address->storage;
  return address->storage.ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr);
}

/* The address's octets in network order: 4 of them, or 16. */
static const uint8_t *octets(const RtcAddress *address, bool *v4) {
  const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&address->storage;
  *v4 = true;
  if (address->storage.ss_family == AF_INET)
    return (const uint8_t *)&((const struct sockaddr_in *)&address->storage)->sin_addr;
  if (is_mapped(address))
    return v6->sin6_addr.s6_addr + 12;
  *v4 = false;
  return v6->sin6_addr.s6_addr;
}

void rtc_address_host(const RtcAddress *address, char text[RTC_ADDRESS_TEXT_MAX]) {
  bool v4;
  const uint8_t *host = octets(address, &v4);
  if (!inet_ntop(v4 ? AF_INET : AF_INET6, host, text, RTC_ADDRESS_TEXT_MAX))
    text[0] = '\0';
}

void rtc_address_format(const RtcAddress *address, char text[RTC_ADDRESS_TEXT_MAX]) {
  bool v4;
  char host[INET6_ADDRSTRLEN] = "";
  const uint8_t *host_octets = octets(address, &v4);
  inet_ntop(v4 ? AF_INET : AF_INET6, host_octets, host, sizeof host);
  snprintf(text, RTC_ADDRESS_TEXT_MAX, v4 ? "%s:%u" : "[%s]:%u", host,
           (unsigned)rtc_address_port(address));
}

uint16_t rtc_address_port(const RtcAddress *address) {
  if (address->storage.ss_family == AF_INET6)
    return ntohs(((const struct sockaddr_in6 *)&address->storage)->sin6_port);
  return ntohs(((const struct sockaddr_in *)&address->storage)->sin_port);
}

void rtc_address_set_port(RtcAddress *address, uint16_t port) {
  if (address->storage.ss_family == AF_INET6)
    ((struct sockaddr_in6 *)&address->storage)->sin6_port = htons(port);
  else
    ((struct sockaddr_in *)&address->storage)->sin_port = htons(port);
}

bool rtc_address_is_wildcard(const RtcAddress *address) {
  static const uint8_t zero[16];
  bool v4;
  const uint8_t *host = octets(address, &v4);
  return memcmp(host, zero, v4 ? 4 : 16) == 0;
}

RtcAddressKey rtc_address_key(const RtcAddress *address) {
  RtcAddressKey key = {{0}};
  bool v4;
  const uint8_t *host = octets(address, &v4);
  key.octets[0] = v4 ? 4 : 6;
  memcpy(key.octets + 1, host, v4 ? 4 : 8);
  return key;
}
