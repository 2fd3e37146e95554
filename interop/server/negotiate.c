/* Agrees on media sections and payload types, see negotiate.h. */
#include "negotiate.h"

#include <stdio.h>
#include <string.h>

typedef enum PeerRole {
  PEER_PUBLISHES,
  PEER_PLAYS,
} PeerRole;

static RtcMedia codec_media(RtcCodec codec) {
  return codec == RTC_CODEC_OPUS ? RTC_MEDIA_AUDIO : RTC_MEDIA_VIDEO;
}

/* Why a section is rejected without more ado, as SDP allows it. NULL: it is not; *kind is set. */
static const char *why_passed_over(const OfferMedia *media, PeerRole role, RtcMedia *kind) {
  bool audio = strcmp(media->kind, "audio") == 0;
  if (!audio && strcmp(media->kind, "video") != 0)
    return "is neither audio nor video";
  if (media->disabled)
    return "is disabled (port 0)";
  if (role == PEER_PUBLISHES && !media->sends)
    return "does not send: a publisher offers sendonly or sendrecv";
  if (role == PEER_PLAYS && !media->receives)
    return "does not receive: a player offers recvonly or sendrecv";
  *kind = audio ? RTC_MEDIA_AUDIO : RTC_MEDIA_VIDEO;
  return NULL;
}

/* The forms that RFC 8829 section 5.1.2 names; which one it is makes no difference on the wire. */
static bool proto_usable(const char *proto) {
  static const char *const usable[] = {
      "UDP/TLS/RTP/SAVPF", "TCP/DTLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP",
      "TCP/DTLS/RTP/SAVP", "RTP/SAVPF",          "RTP/SAVP",
  };
  for (size_t i = 0; i < sizeof usable / sizeof usable[0]; i++)
    if (strcmp(proto, usable[i]) == 0)
      return true;
  return false;
}

/* What a section that is wanted lacks. The offer is refused for it: half a session that nobody
 * asked for is worse than a clear answer. */
static const char *why_unusable(const OfferMedia *media) {
  if (!proto_usable(media->proto))
    return "is not RTP over DTLS (UDP/TLS/RTP/SAVPF)";
  if (!media->mid)
    return "has no a=mid";
  if (!media->bundled)
    return "is not in the BUNDLE group";
  if (!media->rtcp_mux)
    return "has no a=rtcp-mux";
  return NULL;
}

static RtcError refuse(char reason[OFFER_REASON_MAX], size_t section, const OfferMedia *media,
                       const char *why) {
  snprintf(reason, OFFER_REASON_MAX, "media section %zu (%.16s) %s", section, media->kind, why);
  return RTC_ERROR_PROTO;
}

static void agreement_init(Agreement *agreement) {
  *agreement = (Agreement){0};
  for (size_t i = 0; i < OFFER_MEDIAS_MAX; i++)
    agreement->medias[i].track = NOT_AGREED;
}

static void agree(Agreement *agreement, size_t section, const OfferFormat *format,
                  const RtcTrack *track) {
  agreement->medias[section].format = format;
  agreement->medias[section].track = agreement->track_count;
  agreement->tracks[agreement->track_count++] = *track;
}

/* H.264 is passed on in fragments, so it has to be the non-interleaved mode. */
static bool h264_usable(const OfferFormat *format, H264Profile *profile) {
  H264Params params;
  if (!h264_params_parse(&params, format->fmtp) || params.packetization_mode != 1)
    return false;
  *profile = params.profile;
  return true;
}

static bool format_usable(const OfferFormat *format, RtcMedia kind, H264Profile *profile) {
  if (codec_media(format->codec) != kind)
    return false;
  return format->codec != RTC_CODEC_H264 || h264_usable(format, profile);
}

/* The publisher's first choice; but if that is H.264, then constrained baseline where it is
 * offered, which every player can decode (RFC 7742 section 6.2). */
static const OfferFormat *choose_format(const OfferMedia *media, RtcMedia kind,
                                        H264Profile *chosen_profile) {
  const OfferFormat *chosen = NULL;
  for (size_t i = 0; i < media->format_count; i++) {
    const OfferFormat *format = &media->formats[i];
    H264Profile profile = H264_PROFILE_OTHER;
    if (!format_usable(format, kind, &profile))
      continue;
    bool better = format->codec == RTC_CODEC_H264 && profile == H264_PROFILE_CONSTRAINED_BASELINE;
    if (chosen && (chosen->codec != format->codec || !better))
      continue;
    chosen = format;
    *chosen_profile = profile;
    if (better)
      break;
  }
  return chosen;
}

static RtcTrack publisher_track(const OfferMedia *media, const OfferFormat *format) {
  RtcMedia kind = codec_media(format->codec);
  return (RtcTrack){
      .media = kind,
      .codec = format->codec,
      .payload_type = format->payload_type,
      .clock_rate = format->clock_rate,
      .twcc_id = format->transport_cc ? media->twcc_id : 0,
      .pli = kind == RTC_MEDIA_VIDEO && format->nack_pli,
  };
}

/* RTC_OK: the section is taken, or passed over for what reason says then. */
static RtcError take_section(Agreement *agreed, bool taken[2], const Offer *offer, size_t section,
                             char reason[OFFER_REASON_MAX]) {
  const OfferMedia *media = &offer->medias[section];
  RtcMedia kind = RTC_MEDIA_AUDIO;
  H264Profile profile = H264_PROFILE_OTHER;
  const char *why = why_passed_over(media, PEER_PUBLISHES, &kind);
  if (why) {
    refuse(reason, section, media, why);
    return RTC_OK;
  }
  if (taken[kind])
    return RTC_OK;
  why = why_unusable(media);
  if (why)
    return refuse(reason, section, media, why);
  const OfferFormat *format = choose_format(media, kind, &profile);
  if (!format) {
    refuse(reason, section, media,
           "has no codec that can be taken: Opus, VP8, or H264 with packetization-mode=1");
    return RTC_OK;
  }
  RtcTrack track = publisher_track(media, format);
  agree(agreed, section, format, &track);
  taken[kind] = true;
  if (format->codec == RTC_CODEC_H264)
    agreed->h264_profile = profile;
  return RTC_OK;
}

RtcError negotiate_publisher(Agreement *agreement, const Offer *offer,
                             char reason[OFFER_REASON_MAX]) {
  Agreement agreed;
  bool taken[2] = {false, false}; /* by RtcMedia */
  agreement_init(&agreed);
  for (size_t i = 0; i < offer->media_count; i++) {
    RtcError error = take_section(&agreed, taken, offer, i, reason);
    if (error != RTC_OK)
      return error;
  }
  if (agreed.track_count == 0)
    return RTC_ERROR_PROTO;
  *agreement = agreed;
  return RTC_OK;
}

/* The player's payload type for a published track. Levels are not compared: with
 * level-asymmetry-allowed each side names its own, and decoders take more than they name. */
static const OfferFormat *matching_format(const OfferMedia *media, const RtcTrack *published,
                                          H264Profile h264_profile) {
  for (size_t i = 0; i < media->format_count; i++) {
    const OfferFormat *format = &media->formats[i];
    H264Profile profile = H264_PROFILE_OTHER;
    if (format->codec != published->codec || !format_usable(format, published->media, &profile))
      continue;
    if (format->codec != RTC_CODEC_H264 || profile == h264_profile)
      return format;
  }
  return NULL;
}

static RtcError refuse_codec(char reason[OFFER_REASON_MAX], size_t section, const OfferMedia *media,
                             RtcCodec codec) {
  snprintf(reason, OFFER_REASON_MAX,
           "media section %zu (%.16s) does not offer the stream's codec, %s%s", section,
           media->kind, rtc_codec_name(codec),
           codec == RTC_CODEC_H264 ? " of the same profile with packetization-mode=1" : "");
  return RTC_ERROR_UNSUPPORTED;
}

/* What is published, while sections of the player's offer take from it. */
typedef struct Supply {
  const RtcTrack *tracks; /* borrowed */
  size_t count;
  bool taken[RTC_TRACKS_MAX];
  H264Profile h264_profile;
} Supply;

static const RtcTrack *supply_take(Supply *supply, RtcMedia kind) {
  for (size_t i = 0; i < supply->count; i++) {
    if (supply->taken[i] || supply->tracks[i].media != kind)
      continue;
    supply->taken[i] = true;
    return &supply->tracks[i];
  }
  return NULL;
}

/* RTC_OK: the section gets a track, or is passed over for what reason says then. */
static RtcError serve_section(Agreement *agreed, Supply *supply, const Offer *offer, size_t section,
                              char reason[OFFER_REASON_MAX]) {
  const OfferMedia *media = &offer->medias[section];
  RtcMedia kind = RTC_MEDIA_AUDIO;
  const char *why = why_passed_over(media, PEER_PLAYS, &kind);
  const RtcTrack *source = why ? NULL : supply_take(supply, kind);
  if (!source) {
    refuse(reason, section, media, why ? why : "finds nothing of its kind in the stream");
    return RTC_OK;
  }
  why = why_unusable(media);
  if (why)
    return refuse(reason, section, media, why);
  const OfferFormat *format = matching_format(media, source, supply->h264_profile);
  if (!format)
    return refuse_codec(reason, section, media, source->codec);
  RtcTrack track = {.media = kind,
                    .codec = source->codec,
                    .payload_type = format->payload_type,
                    .clock_rate = source->clock_rate};
  agree(agreed, section, format, &track);
  return RTC_OK;
}

RtcError negotiate_player(Agreement *agreement, const Offer *offer, const RtcTrack *published,
                          size_t published_count, H264Profile h264_profile,
                          char reason[OFFER_REASON_MAX]) {
  Agreement agreed;
  Supply supply = {.tracks = published, .h264_profile = h264_profile};
  supply.count = published_count < RTC_TRACKS_MAX ? published_count : RTC_TRACKS_MAX;
  agreement_init(&agreed);
  agreed.h264_profile = h264_profile;
  for (size_t i = 0; i < offer->media_count; i++) {
    RtcError error = serve_section(&agreed, &supply, offer, i, reason);
    if (error != RTC_OK)
      return error;
  }
  if (agreed.track_count == 0)
    return RTC_ERROR_PROTO;
  *agreement = agreed;
  return RTC_OK;
}
