/* Reads the transport of a bundled SDP: finds the media section that speaks for the bundle, and
 * reads the session's attributes, and over them that section's. */
#include "protocol/sdp_text.h"

#include <rtctcp/sdp.h>

#include <string.h>

enum {
  UFRAG_MIN = 4, /* RFC 8839 section 5.4 */
  PWD_MIN = 22,
  SECTIONS_MAX = 32, /* media sections with a port */
};

/* A media section with a port: neither rejected nor bundle-only. */
typedef struct Section {
  RtcText attributes; /* its lines below m= */
  RtcText mid;        /* empty: it has none */
} Section;

typedef struct Outline {
  RtcText session; /* the lines above the first m= */
  Section sections[SECTIONS_MAX];
  size_t section_count;
} Outline;

/* What reading has brought so far. */
typedef struct Reader {
  RtcSdpTransport transport;
  bool in_media;         /* else in the session's part */
  bool fingerprint_here; /* this part has said one, so that those of the part above don't count */
  bool unknown_hash;     /* and at least one was of a hash that is not known */
  const char *reason;    /* static */
} Reader;

static RtcError fail(const char **reason, RtcError error, const char *text) {
  *reason = text;
  return error;
}

/* -- The outline ----------------------------------------------------------------------------- */

/* Cuts the lines up to the next "m=" off. */
static RtcText cut_part(RtcText *rest) {
  RtcText part = {rest->at, 0};
  RtcText after = *rest, line;
  while (rtc_text_next_line(&after, &line)) {
    if (rtc_text_skip(&line, "m="))
      break;
    *rest = after;
  }
  part.len = (size_t)(rest->at - part.at);
  return part;
}

/* The value of the attribute of this name, or an empty text; name is "a=mid:". */
static RtcText find_attribute(RtcText lines, const char *name) {
  RtcText line;
  while (rtc_text_next_line(&lines, &line))
    if (rtc_text_skip(&line, name))
      return line;
  return (RtcText){lines.at, 0};
}

/* The port of "m=audio 9 ...", or of "m=audio 9/2 ...". */
static bool read_media_port(RtcText line, uint32_t *port) {
  RtcText word;
  if (!rtc_text_skip(&line, "m=") || !rtc_text_next_word(&line, &word) ||
      !rtc_text_next_word(&line, &word))
    return false;
  const char *slash = memchr(word.at, '/', word.len);
  if (slash)
    word.len = (size_t)(slash - word.at);
  return rtc_text_number(word, UINT16_MAX, port);
}

static RtcError read_outline(Outline *outline, RtcText sdp, const char **reason) {
  RtcText line;
  outline->session = cut_part(&sdp);
  while (rtc_text_next_line(&sdp, &line)) {
    uint32_t port;
    if (!read_media_port(line, &port))
      return fail(reason, RTC_ERROR_PROTO, "an m= line has no port");
    RtcText attributes = cut_part(&sdp);
    if (port == 0)
      continue; /* rejected, or bundle-only (RFC 9143 section 6): neither has a transport */
    if (outline->section_count == SECTIONS_MAX)
      return fail(reason, RTC_ERROR_UNSUPPORTED, "too many media sections");
    outline->sections[outline->section_count++] =
        (Section){.attributes = attributes, .mid = find_attribute(attributes, "a=mid:")};
  }
  if (outline->section_count == 0)
    return fail(reason, RTC_ERROR_NOT_FOUND, "no media section, or all are rejected");
  return RTC_OK;
}

/* -- The bundle ------------------------------------------------------------------------------ */

static bool has_word(RtcText words, RtcText wanted) {
  RtcText word;
  while (rtc_text_next_word(&words, &word))
    if (rtc_text_equals(word, wanted))
      return true;
  return false;
}

/* The mids of the BUNDLE group that a section is in; empty: of none. */
static RtcText find_bundle(RtcText session, RtcText mid) {
  RtcText line;
  while (rtc_text_next_line(&session, &line))
    if (rtc_text_skip(&line, "a=group:BUNDLE ") && has_word(line, mid))
      return line;
  return (RtcText){mid.at, 0};
}

static const Section *find_section(const Outline *outline, RtcText mid) {
  for (size_t i = 0; i < outline->section_count; i++)
    if (rtc_text_equals(outline->sections[i].mid, mid))
      return &outline->sections[i];
  return NULL;
}

/* The section whose transport is the bundle's: the group's first that is not rejected (RFC 9143
 * section 7.3.1). Of one section alone it is that one. */
static RtcError find_tagged_section(const Section **tagged, const Outline *outline,
                                    const char **reason) {
  RtcText bundle = find_bundle(outline->session, outline->sections[0].mid);
  for (size_t i = 1; i < outline->section_count; i++)
    if (!has_word(bundle, outline->sections[i].mid))
      return fail(reason, RTC_ERROR_UNSUPPORTED, "the media sections are not in one BUNDLE group");

  const Section *found = NULL;
  RtcText mid;
  while (!found && rtc_text_next_word(&bundle, &mid))
    found = find_section(outline, mid);
  *tagged = found ? found : &outline->sections[0];
  return RTC_OK;
}

/* -- The attributes -------------------------------------------------------------------------- */

static RtcError read_ufrag(Reader *reader, RtcText value) {
  if (!rtc_text_is_ice_chars(value, UFRAG_MIN) ||
      !rtc_text_copy(value, reader->transport.ufrag, sizeof(reader->transport.ufrag)))
    return fail(&reader->reason, RTC_ERROR_PROTO, "a=ice-ufrag is not 4 to 256 ice-chars");
  return RTC_OK;
}

static RtcError read_pwd(Reader *reader, RtcText value) {
  if (!rtc_text_is_ice_chars(value, PWD_MIN) ||
      !rtc_text_copy(value, reader->transport.pwd, sizeof(reader->transport.pwd)))
    return fail(&reader->reason, RTC_ERROR_PROTO, "a=ice-pwd is not 22 to 256 ice-chars");
  return RTC_OK;
}

static RtcError read_setup(Reader *reader, RtcText value) {
  static const struct {
    const char *name;
    RtcSetup setup;
  } setups[] = {
      {"actpass", RTC_SETUP_ACTPASS},
      {"active", RTC_SETUP_ACTIVE},
      {"passive", RTC_SETUP_PASSIVE},
  };
  for (size_t i = 0; i < sizeof(setups) / sizeof(*setups); i++) {
    if (!rtc_text_is_any_case(value, setups[i].name))
      continue;
    reader->transport.setup = setups[i].setup;
    return RTC_OK;
  }
  return fail(&reader->reason, RTC_ERROR_PROTO, "a=setup is none of actpass, active and passive");
}

static int hex_value(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'A' && c <= 'F')
    return c - 'A' + 10;
  if (c >= 'a' && c <= 'f') /* not in the grammar of RFC 8122 section 5, but in use */
    return c - 'a' + 10;
  return -1;
}

/* "AB:CD:...", exactly len octets. */
static bool read_hex(uint8_t *octets, size_t len, RtcText text) {
  if (text.len != len * 3 - 1)
    return false;
  for (size_t i = 0; i < len; i++) {
    const char *pair = text.at + i * 3;
    int high = hex_value(pair[0]);
    int low = hex_value(pair[1]);
    if (high < 0 || low < 0 || (i + 1 < len && pair[2] != ':'))
      return false;
    octets[i] = (uint8_t)(high << 4 | low);
  }
  return true;
}

/* Sets algorithm and len. MD5 and MD2 must not be used (RFC 8122 section 5): they are not known. */
static bool find_hash(RtcFingerprint *fingerprint, RtcText name) {
  static const struct {
    const char *name;
    size_t len;
  } hashes[] = {
      {"sha-1", 20}, {"sha-224", 28}, {"sha-256", 32}, {"sha-384", 48}, {"sha-512", 64},
  };
  for (size_t i = 0; i < sizeof(hashes) / sizeof(*hashes); i++) {
    if (!rtc_text_is_any_case(name, hashes[i].name))
      continue;
    strcpy(fingerprint->algorithm, hashes[i].name);
    fingerprint->len = hashes[i].len;
    return true;
  }
  return false;
}

static RtcError read_fingerprint(Reader *reader, RtcText value) {
  RtcSdpTransport *transport = &reader->transport;
  RtcFingerprint fingerprint = {0};
  RtcText hash, hex;
  if (!reader->fingerprint_here) {
    reader->fingerprint_here = true;
    reader->unknown_hash = false;
    transport->fingerprint_count = 0;
  }

  if (!rtc_text_next_word(&value, &hash) || !rtc_text_next_word(&value, &hex) || value.len > 0)
    return fail(&reader->reason, RTC_ERROR_PROTO, "a=fingerprint is not a hash and its value");
  if (!find_hash(&fingerprint, hash)) {
    reader->unknown_hash = true;
    return RTC_OK;
  }
  if (!read_hex(fingerprint.value, fingerprint.len, hex))
    return fail(&reader->reason, RTC_ERROR_PROTO,
                "a=fingerprint is not as many pairs of hex digits as its hash has octets");
  if (transport->fingerprint_count < RTC_SDP_FINGERPRINTS_MAX)
    transport->fingerprints[transport->fingerprint_count++] = fingerprint;
  return RTC_OK;
}

static RtcError read_candidate(Reader *reader, RtcText value) {
  RtcSdpTransport *transport = &reader->transport;
  RtcCandidate candidate;
  if (!reader->in_media)
    return RTC_OK; /* it is an attribute of media sections only */
  if (transport->candidate_count == RTC_SDP_CANDIDATES_MAX ||
      rtc_sdp_candidate_parse(&candidate, value.at, value.len))
    transport->candidates_left_out++;
  else
    transport->candidates[transport->candidate_count++] = candidate;
  return RTC_OK;
}

static RtcError read_ice_lite(Reader *reader, RtcText value) {
  if (!reader->in_media && value.len == 0)
    reader->transport.ice_lite = true;
  return RTC_OK;
}

static RtcError read_attribute(Reader *reader, RtcText line) {
  static const struct {
    const char *name;
    RtcError (*read)(Reader *reader, RtcText value);
  } attributes[] = {
      {"a=ice-ufrag:", read_ufrag},         {"a=ice-pwd:", read_pwd},
      {"a=fingerprint:", read_fingerprint}, {"a=setup:", read_setup},
      {"a=candidate:", read_candidate},     {"a=ice-lite", read_ice_lite},
  };
  for (size_t i = 0; i < sizeof(attributes) / sizeof(*attributes); i++)
    if (rtc_text_skip(&line, attributes[i].name))
      return attributes[i].read(reader, line);
  return RTC_OK;
}

static RtcError read_part(Reader *reader, RtcText lines, bool in_media) {
  RtcError error = RTC_OK;
  RtcText line;
  reader->in_media = in_media;
  reader->fingerprint_here = false;
  while (!error && rtc_text_next_line(&lines, &line))
    error = read_attribute(reader, line);
  return error;
}

static RtcError check_complete(Reader *reader) {
  const RtcSdpTransport *transport = &reader->transport;
  if (transport->ufrag[0] == '\0')
    return fail(&reader->reason, RTC_ERROR_NOT_FOUND, "there is no a=ice-ufrag");
  if (transport->pwd[0] == '\0')
    return fail(&reader->reason, RTC_ERROR_NOT_FOUND, "there is no a=ice-pwd");
  if (transport->fingerprint_count == 0 && reader->unknown_hash)
    return fail(&reader->reason, RTC_ERROR_UNSUPPORTED, "a=fingerprint is of an unknown hash");
  if (transport->fingerprint_count == 0)
    return fail(&reader->reason, RTC_ERROR_NOT_FOUND, "there is no a=fingerprint");
  return RTC_OK;
}

RtcError rtc_sdp_transport_parse(RtcSdpTransport *transport, const char *sdp, size_t len,
                                 const char **reason) {
  Outline outline = {0};
  Reader reader = {0};
  const Section *tagged;

  RtcError error = read_outline(&outline, (RtcText){sdp, len}, &reader.reason);
  if (!error)
    error = find_tagged_section(&tagged, &outline, &reader.reason);
  if (!error)
    error = read_part(&reader, outline.session, false);
  if (!error)
    error = read_part(&reader, tagged->attributes, true);
  if (!error)
    error = check_complete(&reader);
  if (!error)
    *transport = reader.transport;
  else if (reason)
    *reason = reader.reason;
  return error;
}
