/* Writes SDP answers as lines, see answer.h. The library gives the transport's attributes as lines
 * too, so taking them apart into an SDP object first would gain nothing. */
#include "answer.h"

#include <inttypes.h>

/* Of one section: credentials, fingerprints and every candidate. */
#define TRANSPORT_LEN_MAX ((size_t)8 * 1024)

static void write_session(Text *text, const AnswerConfig *config) {
  text_printf(text,
              "v=0\r\no=- %" PRIu64 " 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=ice-lite\r\n"
              "a=group:BUNDLE",
              config->session_id);
  for (size_t i = 0; i < config->offer->media_count; i++)
    if (config->agreement->medias[i].format)
      text_printf(text, " %s", config->offer->medias[i].mid);
  text_printf(text, "\r\n");
  if (config->player)
    text_printf(text, "a=msid-semantic: WMS *\r\n");
}

static void write_rejected(Text *text, const OfferMedia *media) {
  text_printf(text, "m=%s 0 %s %s\r\nc=IN IP4 0.0.0.0\r\n", media->kind, media->proto,
              media->first_format);
  if (media->mid)
    text_printf(text, "a=mid:%s\r\n", media->mid);
  text_printf(text, "a=inactive\r\n");
}

static void write_codec(Text *text, const OfferMedia *media, const OfferFormat *format,
                        const RtcTrack *track, bool player) {
  unsigned type = format->payload_type;
  text_printf(text, "a=rtpmap:%u %s\r\n", type, format->rtpmap);
  if (format->fmtp)
    text_printf(text, "a=fmtp:%u %s\r\n", type, format->fmtp);
  /* No plain nack: TCP loses nothing that could be sent again. */
  if (track->media == RTC_MEDIA_VIDEO && format->nack_pli)
    text_printf(text, "a=rtcp-fb:%u nack pli\r\n", type);
  if (!player && track->twcc_id)
    text_printf(text, "a=rtcp-fb:%u transport-cc\r\na=extmap:%u %s\r\n", type, track->twcc_id,
                OFFER_TWCC_URI);
  text_printf(text, "a=rtcp-mux\r\n");
  if (media->rtcp_rsize)
    text_printf(text, "a=rtcp-rsize\r\n");
}

/* An msid's identifier has at most 64 characters (RFC 8830 section 2), a stream's name may have
 * more. */
static void write_sender(Text *text, const AnswerConfig *config, const RtcTrack *track) {
  const char *kind = track->media == RTC_MEDIA_AUDIO ? "audio" : "video";
  text_printf(text, "a=msid:%.64s %s\r\na=ssrc:%" PRIu32 " cname:%.64s\r\n", config->stream, kind,
              track->ssrc, config->stream);
}

/* Bundled sections share the transport; candidates stand in the first of them only. */
static RtcError write_transport(Text *text, const RtcSdpTransport *local, bool first) {
  char lines[TRANSPORT_LEN_MAX];
  size_t len;
  RtcSdpTransport transport = *local;
  if (!first)
    transport.candidate_count = 0;
  RtcError error = rtc_sdp_transport_write(&transport, lines, sizeof lines, &len);
  if (error != RTC_OK)
    return error;
  text_append(text, lines, len);
  if (first)
    text_printf(text, "a=end-of-candidates\r\n");
  return RTC_OK;
}

static RtcError write_agreed(Text *text, const AnswerConfig *config, size_t section) {
  const OfferMedia *media = &config->offer->medias[section];
  const AgreedMedia *agreed = &config->agreement->medias[section];
  const RtcTrack *track = &config->agreement->tracks[agreed->track];
  text_printf(text, "m=%s 9 %s %u\r\nc=IN IP4 0.0.0.0\r\na=mid:%s\r\na=%s\r\n", media->kind,
              media->proto, agreed->format->payload_type, media->mid,
              config->player ? "sendonly" : "recvonly");
  RtcError error = write_transport(text, config->local, agreed->track == 0);
  if (error != RTC_OK)
    return error;
  write_codec(text, media, agreed->format, track, config->player);
  if (config->player)
    write_sender(text, config, track);
  return RTC_OK;
}

RtcError answer_write(Text *text, const AnswerConfig *config) {
  write_session(text, config);
  for (size_t i = 0; i < config->offer->media_count; i++) {
    if (!config->agreement->medias[i].format) {
      write_rejected(text, &config->offer->medias[i]);
      continue;
    }
    RtcError error = write_agreed(text, config, i);
    if (error != RTC_OK)
      return error;
  }
  return RTC_OK;
}
