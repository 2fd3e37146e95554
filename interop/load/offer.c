/* Writes offers as lines, see offer.h. */
#include "offer.h"

#include <inttypes.h>
#include <stdio.h>

#define CODEC_LINES_H264                                                                           \
  "a=rtpmap:96 H264/90000\r\n"                                                                     \
  "a=fmtp:96 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\r\n"
#define CODEC_LINES_VP8 "a=rtpmap:96 VP8/90000\r\n"

_Static_assert(STREAM_PAYLOAD_TYPE == 96, "the lines above say so");

RtcError load_offer_write(char text[LOAD_OFFER_MAX], size_t *len, const LoadOffer *offer) {
  char transport[LOAD_OFFER_MAX / 2];
  char sender[128] = "";
  size_t transport_len;
  RtcError error =
      rtc_sdp_transport_write(offer->local, transport, sizeof transport, &transport_len);
  if (error != RTC_OK)
    return error;
  if (offer->publishes)
    snprintf(sender, sizeof sender, "a=msid:load video\r\na=ssrc:%" PRIu32 " cname:load\r\n",
             offer->ssrc);
  int written =
      snprintf(text, LOAD_OFFER_MAX,
               "v=0\r\no=- %" PRIu64 " 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
               "a=group:BUNDLE 0\r\na=msid-semantic: WMS *\r\na=ice-options:ice2\r\n"
               "m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\n"
               "a=mid:0\r\na=%s\r\n%s%s"
               "a=rtcp-fb:96 nack pli\r\na=rtcp-fb:96 ccm fir\r\na=rtcp-mux\r\na=rtcp-rsize\r\n%s",
               offer->id, offer->publishes ? "sendonly" : "recvonly", transport,
               offer->codec == STREAM_CODEC_H264 ? CODEC_LINES_H264 : CODEC_LINES_VP8, sender);
  if (written < 0 || (size_t)written >= LOAD_OFFER_MAX)
    return RTC_ERROR_LIMIT;
  *len = (size_t)written;
  return RTC_OK;
}
