/* Reads an SDP offer with GStreamer's SDP library, see offer.h. */
#include "offer.h"

#include <gst/sdp/gstsdpmessage.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The codecs that the server passes on. Nothing is decoded, so the name and the clock are all. */
static const struct {
  const char *rtpmap; /* in upper and lower case alike */
  RtcCodec codec;
  uint32_t clock_rate; /* [Hz] */
} codecs[] = {
    {"opus/48000/2", RTC_CODEC_OPUS, 48000},
    {"VP8/90000", RTC_CODEC_VP8, 90000},
    {"H264/90000", RTC_CODEC_H264, 90000},
};

/* A section while it is read: its formats as listed, most of them never of use. */
typedef struct MediaReader {
  OfferMedia *media; /* borrowed */
  struct {
    OfferFormat format;
    bool known; /* an rtpmap named a codec of ours */
  } listed[OFFER_FORMATS_MAX];
  size_t listed_count;
  bool bundle_only;
} MediaReader;

static bool text_is(const char *a, const char *b) {
  return strcmp(a, b) == 0;
}

/* Reads a decimal number at the start; *end: what follows it. */
static bool read_number(const char *text, unsigned long max, unsigned long *number,
                        const char **end) {
  if (*text < '0' || *text > '9')
    return false;
  char *stop;
  unsigned long value = strtoul(text, &stop, 10);
  if (value > max)
    return false;
  *number = value;
  *end = stop;
  return true;
}

/* 64 to 95 are RTCP's packet types once RTP and RTCP share a transport (RFC 5761 section 4). */
static bool payload_type_usable(unsigned long type) {
  return type <= 127 && (type < 64 || type > 95);
}

static void list_formats(MediaReader *reader, const GstSDPMedia *section) {
  guint count = gst_sdp_media_formats_len(section);
  for (guint i = 0; i < count && reader->listed_count < OFFER_FORMATS_MAX; i++) {
    unsigned long type;
    const char *end;
    if (!read_number(gst_sdp_media_get_format(section, i), 127, &type, &end) || *end ||
        !payload_type_usable(type))
      continue;
    reader->listed[reader->listed_count++].format.payload_type = (uint8_t)type;
  }
}

/* Reads "PT rest". first, last  out: the listed formats that it is about; "*" is all of them.
 * false: none. */
static bool formats_of(const MediaReader *reader, const char *value, size_t *first, size_t *last,
                       const char **rest) {
  unsigned long type;
  if (value[0] == '*' && value[1] == ' ') {
    *first = 0;
    *last = reader->listed_count;
    *rest = value + 2;
    return reader->listed_count > 0;
  }
  if (!read_number(value, 127, &type, rest) || **rest != ' ')
    return false;
  *rest += strspn(*rest, " ");
  for (size_t i = 0; i < reader->listed_count; i++) {
    if (reader->listed[i].format.payload_type != type)
      continue;
    *first = i;
    *last = i + 1;
    return true;
  }
  return false;
}

static void read_rtpmap(MediaReader *reader, const char *value) {
  size_t first, last;
  const char *rtpmap;
  if (*value == '*' || !formats_of(reader, value, &first, &last, &rtpmap))
    return;
  for (size_t i = 0; i < sizeof codecs / sizeof codecs[0]; i++) {
    if (strcasecmp(rtpmap, codecs[i].rtpmap) != 0)
      continue;
    OfferFormat *format = &reader->listed[first].format;
    format->codec = codecs[i].codec;
    format->clock_rate = codecs[i].clock_rate;
    format->rtpmap = rtpmap;
    reader->listed[first].known = true;
  }
}

static void read_fmtp(MediaReader *reader, const char *value) {
  size_t first, last;
  const char *fmtp;
  if (*value != '*' && formats_of(reader, value, &first, &last, &fmtp))
    reader->listed[first].format.fmtp = fmtp;
}

static void read_rtcp_fb(MediaReader *reader, const char *value) {
  size_t first, last;
  const char *feedback;
  if (!formats_of(reader, value, &first, &last, &feedback))
    return;
  for (size_t i = first; i < last; i++) {
    if (text_is(feedback, "nack pli"))
      reader->listed[i].format.nack_pli = true;
    else if (text_is(feedback, "transport-cc"))
      reader->listed[i].format.transport_cc = true;
  }
}

/* "3 URI", "3/sendonly URI". Ids up to 14 fit the one-byte form. */
static void read_extmap(MediaReader *reader, const char *value) {
  unsigned long id;
  const char *end;
  if (!read_number(value, 14, &id, &end) || id == 0)
    return;
  const char *uri = strchr(end, ' ');
  if (!uri)
    return;
  uri += strspn(uri, " ");
  size_t len = strcspn(uri, " ");
  if (len == strlen(OFFER_TWCC_URI) && strncmp(uri, OFFER_TWCC_URI, len) == 0)
    reader->media->twcc_id = (uint8_t)id;
}

static bool read_direction(OfferMedia *media, const char *key) {
  static const struct {
    const char *key;
    bool sends, receives;
  } directions[] = {
      {"sendrecv", true, true},
      {"sendonly", true, false},
      {"recvonly", false, true},
      {"inactive", false, false},
  };
  for (size_t i = 0; i < sizeof directions / sizeof directions[0]; i++) {
    if (!text_is(key, directions[i].key))
      continue;
    media->sends = directions[i].sends;
    media->receives = directions[i].receives;
    return true;
  }
  return false;
}

static void read_attribute(MediaReader *reader, const char *key, const char *value) {
  OfferMedia *media = reader->media;
  if (text_is(key, "rtpmap"))
    read_rtpmap(reader, value);
  else if (text_is(key, "fmtp"))
    read_fmtp(reader, value);
  else if (text_is(key, "rtcp-fb"))
    read_rtcp_fb(reader, value);
  else if (text_is(key, "extmap"))
    read_extmap(reader, value);
  else if (text_is(key, "mid"))
    media->mid = *value ? value : NULL;
  else if (text_is(key, "rtcp-mux"))
    media->rtcp_mux = true;
  else if (text_is(key, "rtcp-rsize"))
    media->rtcp_rsize = true;
  else if (text_is(key, "bundle-only"))
    reader->bundle_only = true;
  else
    read_direction(media, key);
}

/* Keeps the listed formats whose codec is known, in their order. */
static void keep_known(const MediaReader *reader) {
  OfferMedia *media = reader->media;
  for (size_t i = 0; i < reader->listed_count; i++)
    if (reader->listed[i].known)
      media->formats[media->format_count++] = reader->listed[i].format;
}

/* The session's direction holds for sections that name none (RFC 8866 section 6.7). */
static void read_session_direction(OfferMedia *media, const GstSDPMessage *message) {
  media->sends = media->receives = true;
  for (guint i = 0; i < gst_sdp_message_attributes_len(message); i++)
    if (read_direction(media, gst_sdp_message_get_attribute(message, i)->key))
      return;
}

/* Is this mid one of the BUNDLE group's? */
static bool in_bundle(const GstSDPMessage *message, const char *mid) {
  const char *group;
  size_t mid_len = strlen(mid);
  for (guint i = 0; (group = gst_sdp_message_get_attribute_val_n(message, "group", i)); i++) {
    if (strncmp(group, "BUNDLE ", 7) != 0)
      continue;
    for (const char *at = group + 6; *at;) {
      at += strspn(at, " ");
      size_t len = strcspn(at, " ");
      if (len == mid_len && strncmp(at, mid, len) == 0)
        return true;
      at += len;
    }
    return false; /* one group only is bundled with; a second one would be another transport */
  }
  return false;
}

static void read_media(OfferMedia *media, const GstSDPMessage *message,
                       const GstSDPMedia *section) {
  MediaReader reader = {.media = media};
  media->kind = gst_sdp_media_get_media(section);
  media->proto = gst_sdp_media_get_proto(section);
  media->first_format =
      gst_sdp_media_formats_len(section) ? gst_sdp_media_get_format(section, 0) : "";
  read_session_direction(media, message);
  list_formats(&reader, section);
  for (guint i = 0; i < gst_sdp_media_attributes_len(section); i++) {
    const GstSDPAttribute *attribute = gst_sdp_media_get_attribute(section, i);
    read_attribute(&reader, attribute->key, attribute->value ? attribute->value : "");
  }
  keep_known(&reader);
  media->disabled = gst_sdp_media_get_port(section) == 0 && !reader.bundle_only;
  media->bundled = media->mid && in_bundle(message, media->mid);
}

/* gstsdp takes nearly any text, so what an answer would repeat is checked here. */
static const char *media_problem(const Offer *offer, size_t index) {
  const OfferMedia *media = &offer->medias[index];
  if (!*media->kind || !*media->proto || !*media->first_format)
    return "its m= line is malformed";
  for (size_t i = 0; i < index; i++)
    if (media->mid && offer->medias[i].mid && text_is(media->mid, offer->medias[i].mid))
      return "its mid is another section's too";
  return NULL;
}

static RtcError read_medias(Offer *offer, char reason[OFFER_REASON_MAX]) {
  const GstSDPMessage *message = offer->message;
  guint count = gst_sdp_message_medias_len(message);
  if (count == 0 || count > OFFER_MEDIAS_MAX) {
    snprintf(reason, OFFER_REASON_MAX, "the offer has %u media sections, 1 to %d can be used",
             count, OFFER_MEDIAS_MAX);
    return RTC_ERROR_PROTO;
  }
  offer->medias = calloc(count, sizeof *offer->medias);
  if (!offer->medias)
    return RTC_ERROR_NO_MEMORY;
  offer->media_count = count;
  for (guint i = 0; i < count; i++) {
    read_media(&offer->medias[i], message, gst_sdp_message_get_media(message, i));
    const char *problem = media_problem(offer, i);
    if (problem) {
      snprintf(reason, OFFER_REASON_MAX, "media section %u: %s", i, problem);
      return RTC_ERROR_PROTO;
    }
  }
  return RTC_OK;
}

static RtcError read_transport(RtcSdpTransport *transport, const char *sdp, size_t len,
                               char reason[OFFER_REASON_MAX]) {
  const char *text = "its transport attributes can't be used";
  RtcError error = rtc_sdp_transport_parse(transport, sdp, len, &text);
  if (error == RTC_OK && transport->ice_lite) {
    text = "a=ice-lite: this server is ICE-lite itself, and waits for a full ICE agent";
    error = RTC_ERROR_UNSUPPORTED;
  }
  if (error == RTC_OK)
    return RTC_OK;
  snprintf(reason, OFFER_REASON_MAX, "%s", text);
  return error == RTC_ERROR_NO_MEMORY ? error : RTC_ERROR_PROTO;
}

static bool looks_like_sdp(const char *sdp, size_t len) {
  return len >= 3 && memcmp(sdp, "v=0", 3) == 0 && !memchr(sdp, '\0', len);
}

RtcError offer_parse(Offer *offer, const char *sdp, size_t len, char reason[OFFER_REASON_MAX]) {
  Offer parsed = {0};
  GstSDPMessage *message = NULL;
  RtcError error = RTC_ERROR_PROTO;
  if (!looks_like_sdp(sdp, len)) {
    snprintf(reason, OFFER_REASON_MAX, "the body is no SDP: it has to begin with v=0, and be text");
    return RTC_ERROR_PROTO;
  }
  if (gst_sdp_message_new(&message) != GST_SDP_OK)
    return RTC_ERROR_NO_MEMORY;
  parsed.message = message;
  if (gst_sdp_message_parse_buffer((const guint8 *)sdp, (guint)len, message) != GST_SDP_OK) {
    snprintf(reason, OFFER_REASON_MAX, "the body is no SDP");
    goto failed;
  }
  error = read_medias(&parsed, reason);
  if (error != RTC_OK)
    goto failed;
  error = read_transport(&parsed.transport, sdp, len, reason);
  if (error != RTC_OK)
    goto failed;
  *offer = parsed;
  return RTC_OK;

failed:
  offer_finish(&parsed);
  return error;
}

void offer_finish(Offer *offer) {
  free(offer->medias);
  if (offer->message)
    gst_sdp_message_free(offer->message);
  *offer = (Offer){0};
}
