/* Reads and writes SDP fragments line by line, see fragment.h. No SDP library reads them: a
 * fragment is no SDP, it has a= and m= lines only. */
#include "fragment.h"

#include <string.h>

#define UFRAG_MIN 4 /* RFC 8839 section 5.4 [octets] */
#define PWD_MIN   22

/* Credentials and every candidate. */
#define TRANSPORT_LEN_MAX ((size_t)4 * 1024)

/* A piece of the text. */
typedef struct Piece {
  const char *at; /* borrowed; not NUL-terminated */
  size_t len;     /* [octets] */
} Piece;

typedef struct Reader {
  Fragment fragment;
  bool in_section; /* below an m= line */
  bool has_mid;    /* that section has said its a=mid */
} Reader;

/* ---- Pieces ---------------------------------------------------------------------------------- */

/* Cuts up to the separator off the front of rest, and the separator. rest is not empty. */
static Piece cut(Piece *rest, char separator) {
  const char *end = memchr(rest->at, separator, rest->len);
  Piece front = {rest->at, end ? (size_t)(end - rest->at) : rest->len};
  size_t gone = front.len + (end ? 1 : 0);
  rest->at += gone;
  rest->len -= gone;
  return front;
}

static bool skip(Piece *piece, const char *prefix) {
  size_t len = strlen(prefix);
  if (piece->len < len || memcmp(piece->at, prefix, len) != 0)
    return false;
  piece->at += len;
  piece->len -= len;
  return true;
}

static bool is_control(char c) {
  return (unsigned char)c < ' ' || c == 0x7f;
}

static bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* RFC 8839 section 5.1 */
static bool is_ice_char(char c) {
  return is_alphanumeric(c) || c == '+' || c == '/';
}

/* RFC 8866 section 9 */
static bool is_token_char(char c) {
  return is_alphanumeric(c) || (c && strchr("!#$%&'*+-.^_`{|}~", c));
}

static bool is_port_char(char c) {
  return (c >= '0' && c <= '9') || c == '/';
}

/* At least min octets, all of which are. */
static bool consists_of(Piece piece, bool (*is)(char c), size_t min) {
  for (size_t i = 0; i < piece.len; i++)
    if (!is(piece.at[i]))
      return false;
  return piece.len >= min;
}

/* ---- Lines ----------------------------------------------------------------------------------- */

/* Each of these returns NULL, or what is wrong. */

/* The same credentials may stand above the sections and in each of them (RFC 8840 section 9.2). In
 * a bundle all of them are one transport's. */
static const char *take_credential(char *slot, Piece value) {
  if (*slot && (strlen(slot) != value.len || memcmp(slot, value.at, value.len) != 0))
    return "the fragment has two different a=ice-ufrag, or a=ice-pwd: all is one bundle";
  memcpy(slot, value.at, value.len);
  slot[value.len] = '\0';
  return NULL;
}

static const char *read_ufrag(Reader *reader, Piece value) {
  if (value.len > RTC_SDP_CREDENTIAL_MAX || !consists_of(value, is_ice_char, UFRAG_MIN))
    return "a=ice-ufrag is not 4 to 256 ice-chars";
  return take_credential(reader->fragment.ufrag, value);
}

static const char *read_pwd(Reader *reader, Piece value) {
  if (value.len > RTC_SDP_CREDENTIAL_MAX || !consists_of(value, is_ice_char, PWD_MIN))
    return "a=ice-pwd is not 22 to 256 ice-chars";
  return take_credential(reader->fragment.pwd, value);
}

static const char *read_mid(Reader *reader, Piece value) {
  if (!reader->in_section || reader->has_mid || !consists_of(value, is_token_char, 1))
    return "a=mid is no token, or not in a section, or twice in one";
  reader->has_mid = true;
  return NULL;
}

static const char *read_candidate(Reader *reader, Piece value) {
  RtcCandidate candidate;
  if (!reader->in_section)
    return "an a=candidate is in no section";
  if (rtc_sdp_candidate_parse(&candidate, value.at, value.len) == RTC_ERROR_PROTO)
    return "an a=candidate is malformed";
  return NULL;
}

static const char *read_attribute(Reader *reader, Piece line) {
  static const struct {
    const char *name;
    const char *(*read)(Reader *reader, Piece value);
  } attributes[] = {
      {"ice-ufrag:", read_ufrag},
      {"ice-pwd:", read_pwd},
      {"mid:", read_mid},
      {"candidate:", read_candidate},
  };
  for (size_t i = 0; i < sizeof attributes / sizeof attributes[0]; i++)
    if (skip(&line, attributes[i].name))
      return attributes[i].read(reader, line);
  return consists_of(cut(&line, ':'), is_token_char, 1) ? NULL : "an a= line has no name";
}

/* RFC 8840 section 9.2: each section says whose it is. */
static const char *end_section(const Reader *reader) {
  return reader->in_section && !reader->has_mid ? "an m= section has no a=mid" : NULL;
}

/* "audio 9 UDP/TLS/RTP/SAVPF 111 63" */
static const char *begin_section(Reader *reader, Piece line) {
  const char *problem = end_section(reader);
  Piece kind = cut(&line, ' ');
  Piece port = cut(&line, ' ');
  Piece proto = cut(&line, ' ');
  if (problem)
    return problem;
  if (!consists_of(kind, is_token_char, 1) || !consists_of(port, is_port_char, 1) ||
      proto.len == 0 || line.len == 0)
    return "an m= line is malformed";
  reader->in_section = true;
  reader->has_mid = false;
  return NULL;
}

static const char *read_line(Reader *reader, Piece line) {
  for (size_t i = 0; i < line.len; i++)
    if (is_control(line.at[i]))
      return "a line has a control character";
  if (skip(&line, "a="))
    return read_attribute(reader, line);
  if (skip(&line, "m="))
    return begin_section(reader, line);
  return "a line is neither a= nor m=";
}

static const char *read_lines(Reader *reader, Piece rest) {
  if (rest.len == 0)
    return "the fragment is empty";
  while (rest.len > 0) {
    Piece line = cut(&rest, '\n');
    if (line.len > 0 && line.at[line.len - 1] == '\r')
      line.len--;
    const char *problem = read_line(reader, line);
    if (problem)
      return problem;
  }
  if (!*reader->fragment.ufrag != !*reader->fragment.pwd)
    return "the fragment has one of a=ice-ufrag and a=ice-pwd without the other";
  return end_section(reader);
}

RtcError fragment_parse(Fragment *fragment, const char *text, size_t len, const char **reason) {
  Reader reader = {0};
  const char *problem = read_lines(&reader, (Piece){text, len});
  if (problem) {
    *reason = problem;
    return RTC_ERROR_PROTO;
  }
  *fragment = reader.fragment;
  return RTC_OK;
}

/* ---- Writing --------------------------------------------------------------------------------- */

void fragment_write_head(Text *text, const Offer *offer, const Agreement *agreement) {
  size_t tagged = 0;
  while (!agreement->medias[tagged].format)
    tagged++;
  const OfferMedia *media = &offer->medias[tagged];
  text_printf(text, "a=ice-lite\r\na=group:BUNDLE");
  for (size_t i = tagged; i < offer->media_count; i++)
    if (agreement->medias[i].format)
      text_printf(text, " %s", offer->medias[i].mid);
  text_printf(text, "\r\nm=%s 9 %s %u\r\na=mid:%s\r\n", media->kind, media->proto,
              agreement->medias[tagged].format->payload_type, media->mid);
}

RtcError fragment_write(Text *text, const char *head, const RtcSdpTransport *local) {
  char lines[TRANSPORT_LEN_MAX];
  size_t len;
  RtcSdpTransport transport = *local;
  transport.setup = RTC_SETUP_NONE;
  transport.fingerprint_count = 0; /* DTLS goes on */
  RtcError error = rtc_sdp_transport_write(&transport, lines, sizeof lines, &len);
  if (error != RTC_OK)
    return error;
  text_append(text, head, strlen(head));
  text_append(text, lines, len);
  text_printf(text, "a=end-of-candidates\r\n");
  return RTC_OK;
}
