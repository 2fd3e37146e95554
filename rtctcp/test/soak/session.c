/* A session as the soak's host sees it: it echoes, publishes or plays, fills queues, ends itself in
 * callbacks, and knows with which reason it should have closed. */
#include "soak/session.h"
#include "support/rtp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ECHO_SSRC    UINT32_C(0x01020304)
#define FLOOD_SSRC   UINT32_C(0x01020305)
#define AUDIO_SSRC   UINT32_C(0x01020306)
#define VIDEO_SSRC   UINT32_C(0x01020307)
#define OPUS         111
#define VP8          96
#define FLOOD_LEN    1100 /* [octets] */
#define FLOOD_COUNT  2200 /* more than the send queue holds and the socket takes */
#define TELLS_OF_MAX 10

typedef struct SoakSession {
  SoakShard *shard; /* back */
  SoakPlan plan;
  RtcConnection *connection; /* owned: a handle; NULL: let go of */
  RtcTcpConn *tcp;           /* owned: a handle; NULL: none is kept */
  RtcStream *echo;           /* borrowed: the Connection's; NULL: not yet there */
  bool closed;               /* CLOSED was told */
} SoakSession;

/* -- The end -- */

static void remember(SoakShard *shard, SoakSession *session) {
  SoakSession **slot = &shard->remembered[shard->remembered_next++ % SOAK_REMEMBERED];
  free(*slot);
  *slot = session;
}

void soak_shard_finish(SoakShard *shard) {
  for (size_t i = 0; i < SOAK_REMEMBERED; i++)
    free(shard->remembered[i]);
}

static void judge(const SoakSession *session, RtcClose reason) {
  static const unsigned lateness =
      SOAK_REASON(TIMEOUT) | SOAK_REASON(NEVER_CONNECTED) | SOAK_REASON(TCP_LOST);
  SoakShard *shard = session->shard;
  const SoakPlan *plan = &session->plan;
  shard->ends[plan->ending][reason]++;
  if (soak_ending_reasons(plan->ending) & 1u << reason)
    return;
  if (lateness & 1u << reason)
    shard->late++;
  else
    shard->wrong++;
  if (shard->late + shard->wrong <= TELLS_OF_MAX)
    fprintf(stderr, "session %llu (%s) closed by %s\n", (unsigned long long)plan->ticket,
            soak_ending_text(plan->ending), rtc_close_name(reason));
}

static void on_closed(SoakSession *session, const RtcConnection *connection) {
  judge(session, rtc_connection_close_reason(connection));
  session->closed = true;
  rtc_tcp_conn_unref(&session->tcp);
  rtc_connection_unref(&session->connection);
  remember(session->shard, session);
}

static void end_at(const SoakSession *session, RtcConnection *connection, SoakMoment moment) {
  if (session->plan.moment != moment)
    return;
  RtcTcpConn *tcp = rtc_connection_tcp_conn(connection);
  if (session->plan.closes_tcp && tcp)
    rtc_tcp_conn_close(tcp);
  else
    rtc_connection_close(connection);
}

/* -- Media -- */

/* More than can go out to a peer that does not read: one packet, many references. */
static void fill_queue(RtcConnection *connection) {
  static const uint8_t zeros[FLOOD_LEN - RTP_HEADER_LEN];
  uint8_t octets[FLOOD_LEN];
  const RtcStreamConfig config = {
      .media = RTC_MEDIA_VIDEO, .ssrc = FLOOD_SSRC, .payload_type = VP8, .clock_rate = 90000};
  const RtpHeader header = {.payload_type = VP8, .marker = true};
  RtcStream *stream;
  RtcPacket *packet = NULL;
  size_t len = rtp_write(octets, &header, zeros, sizeof zeros);
  if (rtc_connection_add_stream(&stream, connection, &config) != RTC_OK ||
      rtc_packet_new(&packet, octets, len) != RTC_OK)
    return;
  for (int i = 0; i < FLOOD_COUNT; i++)
    rtc_connection_send_rtp(connection, stream, packet, RTC_SEND_FRAME_START | RTC_SEND_KEYFRAME,
                            0);
  rtc_packet_unref(&packet);
}

static void echo_rtp(SoakSession *session, RtcConnection *connection, const uint8_t *data,
                     size_t len) {
  const RtcStreamConfig config = {
      .media = RTC_MEDIA_AUDIO, .ssrc = ECHO_SSRC, .payload_type = OPUS, .clock_rate = 48000};
  RtcPacket *packet = NULL;
  if (!session->echo && rtc_connection_add_stream(&session->echo, connection, &config) != RTC_OK)
    return;
  if (rtc_packet_new(&packet, data, len) == RTC_OK)
    rtc_connection_send_rtp(connection, session->echo, packet, 0, 0);
  rtc_packet_unref(&packet);
}

static const RtcTrack publisher_tracks[] = {
    {.media = RTC_MEDIA_AUDIO, .codec = RTC_CODEC_OPUS, .payload_type = OPUS, .clock_rate = 48000},
    {.media = RTC_MEDIA_VIDEO,
     .codec = RTC_CODEC_VP8,
     .payload_type = VP8,
     .clock_rate = 90000,
     .pli = true},
};

static const RtcTrack player_tracks[] = {
    {.media = RTC_MEDIA_AUDIO,
     .codec = RTC_CODEC_OPUS,
     .payload_type = OPUS,
     .clock_rate = 48000,
     .ssrc = AUDIO_SSRC},
    {.media = RTC_MEDIA_VIDEO,
     .codec = RTC_CODEC_VP8,
     .payload_type = VP8,
     .clock_rate = 90000,
     .ssrc = VIDEO_SSRC},
};

static RtcError publish(SoakSession *session) {
  SoakShard *shard = session->shard;
  RtcSource *source;
  char *name = shard->recent[shard->published++ % SOAK_RECENT_SOURCES];
  snprintf(name, SOAK_SOURCE_NAME, "source-%llu", (unsigned long long)session->plan.ticket);
  RtcError error = rtc_source_manager_fetch_or_create(shard->sources, name, &source);
  if (error)
    return error;
  error = rtc_source_publish(source, session->connection, publisher_tracks, 2);
  rtc_source_unref(&source);
  return error;
}

/* One of the last published, whose publisher may have gone meanwhile. */
static RtcError play(SoakSession *session) {
  SoakShard *shard = session->shard;
  RtcSource *source;
  size_t known = shard->published < SOAK_RECENT_SOURCES ? shard->published : SOAK_RECENT_SOURCES;
  const char *name = known ? shard->recent[session->plan.choice % known] : "none-yet";
  RtcError error = rtc_source_manager_fetch_or_create(shard->sources, name, &source);
  if (error)
    return error;
  error = rtc_consumer_new(NULL, source, session->connection, player_tracks, 2);
  rtc_source_unref(&source);
  return error;
}

/* -- Callbacks -- */

static bool is_late(SoakSession *session) {
  if (session->closed)
    session->shard->after_closed++;
  return session->closed;
}

static void on_state(RtcConnection *connection, RtcConnectionState state, void *arg) {
  static const SoakMoment moments[] = {
      [RTC_CONNECTION_STATE_CONNECTING] = SOAK_MOMENT_CONNECTING,
      [RTC_CONNECTION_STATE_CONNECTED] = SOAK_MOMENT_CONNECTED,
      [RTC_CONNECTION_STATE_DISCONNECTED] = SOAK_MOMENT_DISCONNECTED,
      [RTC_CONNECTION_STATE_CLOSED] = SOAK_MOMENT_NONE,
  };
  SoakSession *session = arg;
  if (is_late(session))
    return;
  if (state == RTC_CONNECTION_STATE_CLOSED) {
    on_closed(session, connection);
    return;
  }
  bool connected = state == RTC_CONNECTION_STATE_CONNECTED;
  if (connected && session->plan.keeps_tcp && !session->tcp)
    session->tcp = rtc_tcp_conn_ref(rtc_connection_tcp_conn(connection));
  if (connected && session->plan.fills_queue)
    fill_queue(connection);
  if (moments[state] != SOAK_MOMENT_NONE)
    end_at(session, connection, moments[state]);
}

static void on_rtp(RtcConnection *connection, const uint8_t *packet, size_t len, void *arg) {
  SoakSession *session = arg;
  if (is_late(session))
    return;
  if (session->plan.role == SOAK_ROLE_ECHO)
    echo_rtp(session, connection, packet, len);
  end_at(session, connection, SOAK_MOMENT_RTP);
}

static void on_rtcp(RtcConnection *connection, const uint8_t *packet, size_t len, void *arg) {
  SoakSession *session = arg;
  if (is_late(session))
    return;
  if (session->plan.role == SOAK_ROLE_ECHO)
    rtc_connection_send_rtcp(connection, packet, len);
  end_at(session, connection, SOAK_MOMENT_RTCP);
}

/* -- The beginning -- */

static RtcError take_role(SoakSession *session) {
  if (session->plan.role == SOAK_ROLE_PUBLISHER)
    return publish(session);
  return session->plan.role == SOAK_ROLE_PLAYER ? play(session) : RTC_OK;
}

RtcError soak_session_open(SoakShard *shard, const SoakRequest *request, SoakAnswer *answer) {
  SoakSession *session = calloc(1, sizeof *session);
  if (!session)
    return RTC_ERROR_NO_MEMORY;
  session->shard = shard;
  session->plan = request->plan;
  const RtcConnectionConfig config = {
      .name = "soak",
      .remote = &request->remote,
      .callbacks = {.on_state = on_state, .on_rtp = on_rtp, .on_rtcp = on_rtcp},
      .arg = session};
  RtcError error = rtc_connection_new(&session->connection, shard->server, shard->worker, &config);
  if (error) {
    free(session);
    return error;
  }
  error = take_role(session);
  answer->id = rtc_connection_id(session->connection);
  rtc_connection_local_transport(session->connection, &answer->local);
  if (!session->plan.keeps_handle)
    rtc_connection_unref(&session->connection);
  return error;
}
