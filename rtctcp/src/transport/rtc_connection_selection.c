/* Which of a session's TCP conns media takes.
 *
 * Until one is nominated it is the first one: browsers begin DTLS on it at once. Then there are two
 * kinds of peer, which can't be told apart beforehand:
 *
 * - RFC 8445 section 8.1.1: one pair is nominated, and when the peer has moved, another one, with
 *   USE-CANDIDATE in each request there and in none elsewhere (Chrome).
 * - RFC 5245 section 8.1.1.2: every request nominates its pair, and both sides take the one of the
 *   highest priority (Firefox, libnice). To follow each request would send media to and fro.
 *
 * So a nominated conn takes over at once if it outranks the selected one: its PRIORITY is higher,
 * or is the same and it is newer, as after a stall. One that does not contends: it takes over when
 * it is nominated again, or brings media, and the selected one was not nominated in between. Then
 * the peer has moved, and has not merely nominated all that it has. */
#include "transport/rtc_connection_internal.h"

/* A nomination of the selected one, or another selection, ends all contention. */
static void end_contention(RtcConnection *connection) {
  for (size_t i = 0; i < connection->tcp_conn_count; i++)
    connection->tcp_conns[i]->contends = false;
}

static void move_media(RtcConnection *connection, RtcTcpConn *tcp) {
  connection->selected = tcp;
  end_contention(connection);
  RTC_LOG(rtc_shard_log(connection->shard), DEBUG, "session=%s selects tcp-conn=%s",
          connection->tag, tcp->peer_text);
  if (connection->state == RTC_CONNECTION_STATE_NEW)
    return;
  /* What the last one took of a flight may be lost. */
  rtc_dtls_resend(connection->dtls);
  rtc_tcp_conn_want_flush(tcp);
}

bool rtc_connection_is_cut(const RtcConnection *connection) {
  return connection->selected && rtc_frame_writer_is_cut(&connection->selected->writer);
}

void rtc_connection_select(RtcConnection *connection, RtcTcpConn *tcp) {
  if (rtc_connection_is_cut(connection))
    rtc_send_queue_cut(&connection->send_queue);
  move_media(connection, tcp);
}

/* The one that was heard last: the likeliest to be alive. */
void rtc_connection_fail_over(RtcConnection *connection, bool cut) {
  RtcTcpConn *best = NULL;
  for (size_t i = 0; i < connection->tcp_conn_count; i++) {
    RtcTcpConn *tcp = connection->tcp_conns[i];
    if (tcp->state == RTC_TCP_CONN_STATE_PACKETS && (!best || tcp->heard_us > best->heard_us))
      best = tcp;
  }
  if (cut)
    rtc_send_queue_cut(&connection->send_queue);
  move_media(connection, best);
}

static bool outranks(const RtcTcpConn *a, const RtcTcpConn *b) {
  if (a->priority != b->priority)
    return a->priority > b->priority;
  return a->resource.id > b->resource.id;
}

void rtc_connection_nominate(RtcConnection *connection, RtcTcpConn *tcp, uint32_t priority,
                             bool restarted) {
  const RtcTcpConn *selected = connection->selected;
  tcp->priority = priority;
  if (tcp == selected)
    end_contention(connection);
  else if (restarted || tcp->contends || outranks(tcp, selected))
    rtc_connection_select(connection, tcp);
  else
    tcp->contends = true;
}

void rtc_connection_brought_media(RtcConnection *connection, RtcTcpConn *tcp) {
  if (tcp->contends)
    rtc_connection_select(connection, tcp);
}
