/* Writes a transport as the attribute lines of a media section. */
#include <rtctcp/sdp.h>

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Appends to a buffer; once a piece has not fit, nothing does. */
typedef struct Writer {
  char *text; /* borrowed */
  size_t cap;
  size_t len;
  bool full;
} Writer;

static void put(Writer *writer, const char *format, ...) RTC_PRINTF(2, 3);

static void put(Writer *writer, const char *format, ...) {
  if (writer->full)
    return;
  va_list args;
  va_start(args, format);
  size_t room = writer->cap - writer->len;
  int len = vsnprintf(writer->text + writer->len, room, format, args);
  va_end(args);
  if (len < 0 || (size_t)len >= room)
    writer->full = true;
  else
    writer->len += (size_t)len;
}

static void put_fingerprint(Writer *writer, const RtcFingerprint *fingerprint) {
  assert(fingerprint->len <= sizeof(fingerprint->value));
  put(writer, "a=fingerprint:%s", fingerprint->algorithm);
  for (size_t i = 0; i < fingerprint->len; i++)
    put(writer, "%c%02X", i == 0 ? ' ' : ':', fingerprint->value[i]);
  put(writer, "\r\n");
}

static void put_setup(Writer *writer, RtcSetup setup) {
  static const char *const names[] = {
      [RTC_SETUP_ACTPASS] = "actpass",
      [RTC_SETUP_ACTIVE] = "active",
      [RTC_SETUP_PASSIVE] = "passive",
  };
  if (setup != RTC_SETUP_NONE)
    put(writer, "a=setup:%s\r\n", names[setup]);
}

static void put_candidate(Writer *writer, const RtcCandidate *candidate) {
  static const char *const tcp_types[] = {
      [RTC_TCP_TYPE_ACTIVE] = "active",
      [RTC_TCP_TYPE_PASSIVE] = "passive",
      [RTC_TCP_TYPE_SO] = "so",
  };
  put(writer, "a=candidate:%s %u %s %u %s %u typ %s", candidate->foundation,
      (unsigned)candidate->component, candidate->tcp ? "tcp" : "udp", (unsigned)candidate->priority,
      candidate->address, (unsigned)candidate->port, candidate->type);
  /* A related address is a must for these types, and may be hidden so (RFC 8839 section 5.1). */
  if (strcmp(candidate->type, "host") != 0)
    put(writer, " raddr %s rport 9", strchr(candidate->address, ':') ? "::" : "0.0.0.0");
  if (candidate->tcp && candidate->tcp_type != RTC_TCP_TYPE_NONE)
    put(writer, " tcptype %s", tcp_types[candidate->tcp_type]);
  put(writer, "\r\n");
}

RtcError rtc_sdp_transport_write(const RtcSdpTransport *transport, char *text, size_t cap,
                                 size_t *len) {
  assert(transport->fingerprint_count <= RTC_SDP_FINGERPRINTS_MAX);
  assert(transport->candidate_count <= RTC_SDP_CANDIDATES_MAX);
  Writer writer = {.text = text, .cap = cap};

  put(&writer, "a=ice-ufrag:%s\r\na=ice-pwd:%s\r\n", transport->ufrag, transport->pwd);
  for (size_t i = 0; i < transport->fingerprint_count; i++)
    put_fingerprint(&writer, &transport->fingerprints[i]);
  put_setup(&writer, transport->setup);
  for (size_t i = 0; i < transport->candidate_count; i++)
    put_candidate(&writer, &transport->candidates[i]);
  if (writer.full)
    return RTC_ERROR_LIMIT;
  *len = writer.len;
  return RTC_OK;
}
