/* What each ending leads to, by the stage that the session has reached: the expectations of the
 * matrix, to be read beside "Who ends what". */
#include "support/endings.h"

#define NEW          RTC_CONNECTION_STATE_NEW
#define CONNECTING   RTC_CONNECTION_STATE_CONNECTING
#define CONNECTED    RTC_CONNECTION_STATE_CONNECTED
#define DISCONNECTED RTC_CONNECTION_STATE_DISCONNECTED
#define CLOSED       RTC_CONNECTION_STATE_CLOSED

#define WHY(name) (1u << RTC_CLOSE_##name)
#define TCP(name) (1u << RTC_TCP_CLOSE_##name)

#define NO_MORE                                                                                    \
  { NEW } /* is reported: CLOSED was before */

typedef EndingsOutcome Column[STAGE_COUNT];

/* A stranger's TCP conn is none of the Connection's, so it stays when that is closed. */
static const Column host_connection = {
    [STAGE_STRANGER] = {true, {CLOSED}, WHY(HOST), {TCP(PEER_FIN)}, .stranger_stays = true},
    [STAGE_HALF_REQUEST] = {true, {CLOSED}, WHY(HOST), {TCP(PEER_FIN)}, .stranger_stays = true},
    [STAGE_SHAKING] = {true, {CLOSED}, WHY(HOST), {TCP(SESSION)}},
    [STAGE_UP] = {true, {CLOSED}, WHY(HOST), {TCP(SESSION)}},
    [STAGE_AWAY] = {true, {CLOSED}, WHY(HOST), {TCP(PEER_FIN)}},
    [STAGE_AWAY_SHAKING] = {true, {CLOSED}, WHY(HOST), {TCP(SOCKET_ERROR)}},
    [STAGE_OVER] = {true, NO_MORE, WHY(HOST), {TCP(SESSION)}},
    [STAGE_UNREAD_NOTIFY] = {true, {CLOSED}, WHY(HOST), {TCP(SESSION)}},
    [STAGE_UNREAD_FIN] = {true, {CLOSED}, WHY(HOST), {TCP(SESSION)}},
    [STAGE_UNREAD_RST] = {true, {CLOSED}, WHY(HOST), {TCP(SESSION)}},
};

/* The host has no way to a stranger's TCP conn, and there is none to close in the grace. */
static const Column host_tcp_conn = {
    [STAGE_SHAKING] = {true, {CLOSED}, WHY(HOST), {TCP(HOST)}},
    [STAGE_UP] = {true, {CLOSED}, WHY(HOST), {TCP(HOST)}},
    [STAGE_OVER] = {true, NO_MORE, WHY(HOST), {TCP(SESSION)}},
    [STAGE_UNREAD_NOTIFY] = {true, {CLOSED}, WHY(HOST), {TCP(HOST)}},
    [STAGE_UNREAD_FIN] = {true, {CLOSED}, WHY(HOST), {TCP(HOST)}},
    [STAGE_UNREAD_RST] = {true, {CLOSED}, WHY(HOST), {TCP(HOST)}},
};

/* Of a stranger it is a malformed first frame, and nothing to the session. Behind the rest of the
 * half frame it is what it says. */
static const Column close_notify = {
    [STAGE_STRANGER] = {true, {CLOSED}, WHY(HOST), {TCP(FIRST_FRAME_MALFORMED)}, .goes_on = true},
    [STAGE_HALF_REQUEST] = {true, {CONNECTING, CLOSED}, WHY(PEER), {TCP(SESSION)}},
    [STAGE_SHAKING] = {true, {CLOSED}, WHY(PEER), {TCP(SESSION)}},
    [STAGE_UP] = {true, {CLOSED}, WHY(PEER), {TCP(SESSION)}},
    [STAGE_OVER] = {true, NO_MORE, WHY(HOST), {TCP(SESSION)}},
    [STAGE_UNREAD_NOTIFY] = {true, {CLOSED}, WHY(PEER), {TCP(SESSION)}},
};

static const Column fatal_alert = {
    [STAGE_STRANGER] = {true, {CLOSED}, WHY(HOST), {TCP(FIRST_FRAME_MALFORMED)}, .goes_on = true},
    [STAGE_HALF_REQUEST] = {true, {CONNECTING, CLOSED}, WHY(PEER_ALERT), {TCP(SESSION)}},
    [STAGE_SHAKING] = {true, {CLOSED}, WHY(PEER_ALERT), {TCP(SESSION)}},
    [STAGE_UP] = {true, {CLOSED}, WHY(PEER_ALERT), {TCP(SESSION)}},
    [STAGE_OVER] = {true, NO_MORE, WHY(HOST), {TCP(SESSION)}},
    [STAGE_UNREAD_NOTIFY] = {true, {CLOSED}, WHY(PEER), {TCP(SESSION)}},
};

/* The TCP conn goes at once, the session after the grace; a stranger's is nothing to it. */
static const Column fin = {
    [STAGE_STRANGER] = {true, {CLOSED}, WHY(HOST), {TCP(PEER_FIN)}, .goes_on = true},
    [STAGE_HALF_REQUEST] = {true, {CLOSED}, WHY(HOST), {TCP(PEER_FIN)}, .goes_on = true},
    [STAGE_SHAKING] = {true, {DISCONNECTED, CLOSED}, WHY(TCP_LOST), {TCP(PEER_FIN)}},
    [STAGE_UP] = {true, {DISCONNECTED, CLOSED}, WHY(TCP_LOST), {TCP(PEER_FIN)}},
    [STAGE_OVER] = {true, NO_MORE, WHY(HOST), {TCP(SESSION)}},
    [STAGE_UNREAD_NOTIFY] = {true, {CLOSED}, WHY(PEER), {TCP(SESSION)}},
    [STAGE_UNREAD_FIN] = {true, {DISCONNECTED, CLOSED}, WHY(TCP_LOST), {TCP(PEER_FIN)}},
};

static const Column rst = {
    [STAGE_STRANGER] = {true, {CLOSED}, WHY(HOST), {TCP(SOCKET_ERROR)}, .goes_on = true},
    [STAGE_HALF_REQUEST] = {true, {CLOSED}, WHY(HOST), {TCP(SOCKET_ERROR)}, .goes_on = true},
    [STAGE_SHAKING] = {true, {DISCONNECTED, CLOSED}, WHY(TCP_LOST), {TCP(SOCKET_ERROR)}},
    [STAGE_UP] = {true, {DISCONNECTED, CLOSED}, WHY(TCP_LOST), {TCP(SOCKET_ERROR)}},
    [STAGE_OVER] = {true, NO_MORE, WHY(HOST), {TCP(SESSION)}},
    [STAGE_UNREAD_NOTIFY] = {true, {CLOSED}, WHY(PEER), {TCP(SESSION)}},
    /* The kernel tells of the FIN, which came first. */
    [STAGE_UNREAD_FIN] = {true, {DISCONNECTED, CLOSED}, WHY(TCP_LOST), {TCP(PEER_FIN)}},
};

static const Column silence = {
    [STAGE_STRANGER] = {true, {CLOSED}, WHY(NEVER_CONNECTED), {TCP(FIRST_FRAME_LATE)}},
    [STAGE_HALF_REQUEST] = {true, {CLOSED}, WHY(NEVER_CONNECTED), {TCP(FIRST_FRAME_LATE)}},
    [STAGE_SHAKING] = {true, {CLOSED}, WHY(TIMEOUT), {TCP(SILENCE)}},
    [STAGE_UP] = {true, {CLOSED}, WHY(TIMEOUT), {TCP(SILENCE)}},
    [STAGE_AWAY] = {true, {CLOSED}, WHY(TCP_LOST), {TCP(PEER_FIN)}},
    [STAGE_AWAY_SHAKING] = {true, {CLOSED}, WHY(TCP_LOST), {TCP(SOCKET_ERROR)}},
    [STAGE_OVER] = {true, NO_MORE, WHY(HOST), {TCP(SESSION)}},
    [STAGE_UNREAD_NOTIFY] = {true, {CLOSED}, WHY(PEER), {TCP(SESSION)}},
    [STAGE_UNREAD_FIN] = {true, {DISCONNECTED, CLOSED}, WHY(TCP_LOST), {TCP(PEER_FIN)}},
    [STAGE_UNREAD_RST] = {true, {DISCONNECTED, CLOSED}, WHY(TCP_LOST), {TCP(SOCKET_ERROR)}},
};

/* The session goes on with it, or from where it was; without a session it is refused. */
static const Column second_conn = {
    [STAGE_STRANGER] = {true,
                        {CONNECTING, CONNECTED, CLOSED},
                        WHY(HOST),
                        {TCP(PEER_FIN), TCP(SESSION)},
                        .goes_on = true,
                        .stranger_stays = true},
    [STAGE_HALF_REQUEST] = {true,
                            {CONNECTING, CONNECTED, CLOSED},
                            WHY(HOST),
                            {TCP(PEER_FIN), TCP(SESSION)},
                            .goes_on = true,
                            .stranger_stays = true},
    [STAGE_SHAKING] =
        {true, {CONNECTED, CLOSED}, WHY(HOST), {TCP(SESSION), TCP(SESSION)}, .goes_on = true},
    [STAGE_UP] = {true, {CLOSED}, WHY(HOST), {TCP(SESSION), TCP(SESSION)}, .goes_on = true},
    [STAGE_AWAY] =
        {true, {CONNECTED, CLOSED}, WHY(HOST), {TCP(PEER_FIN), TCP(SESSION)}, .goes_on = true},
    [STAGE_AWAY_SHAKING] = {true,
                            {CONNECTING, CONNECTED, CLOSED},
                            WHY(HOST),
                            {TCP(SOCKET_ERROR), TCP(SESSION)},
                            .goes_on = true},
    [STAGE_OVER] = {true, NO_MORE, WHY(HOST), {TCP(SESSION), TCP(NO_SUCH_SESSION)}},
    [STAGE_UNREAD_NOTIFY] = {true, {CLOSED}, WHY(PEER), {TCP(SESSION), TCP(NO_SUCH_SESSION)}},
    [STAGE_UNREAD_FIN] = {true,
                          {DISCONNECTED, CONNECTED, CLOSED},
                          WHY(HOST),
                          {TCP(PEER_FIN), TCP(SESSION)},
                          .goes_on = true},
    [STAGE_UNREAD_RST] = {true,
                          {DISCONNECTED, CONNECTED, CLOSED},
                          WHY(HOST),
                          {TCP(SOCKET_ERROR), TCP(SESSION)},
                          .goes_on = true},
};

/* As a second conn, for which the first is released. A session that has ended takes no restart, and
 * one that ends before the new conn comes ends as ever. */
static const Column ice_restart = {
    [STAGE_STRANGER] = {true,
                        {CONNECTING, CONNECTED, CLOSED},
                        WHY(HOST),
                        {TCP(PEER_FIN), TCP(SESSION)},
                        .goes_on = true,
                        .stranger_stays = true},
    [STAGE_HALF_REQUEST] = {true,
                            {CONNECTING, CONNECTED, CLOSED},
                            WHY(HOST),
                            {TCP(PEER_FIN), TCP(SESSION)},
                            .goes_on = true,
                            .stranger_stays = true},
    [STAGE_SHAKING] =
        {true, {CONNECTED, CLOSED}, WHY(HOST), {TCP(ICE_RESTART), TCP(SESSION)}, .goes_on = true},
    [STAGE_UP] = {true, {CLOSED}, WHY(HOST), {TCP(ICE_RESTART), TCP(SESSION)}, .goes_on = true},
    [STAGE_AWAY] =
        {true, {CONNECTED, CLOSED}, WHY(HOST), {TCP(PEER_FIN), TCP(SESSION)}, .goes_on = true},
    [STAGE_AWAY_SHAKING] = {true,
                            {CONNECTING, CONNECTED, CLOSED},
                            WHY(HOST),
                            {TCP(SOCKET_ERROR), TCP(SESSION)},
                            .goes_on = true},
    [STAGE_OVER] = {true, NO_MORE, WHY(HOST), {TCP(SESSION)}},
    [STAGE_UNREAD_NOTIFY] = {true, {CLOSED}, WHY(PEER), {TCP(SESSION)}},
    [STAGE_UNREAD_FIN] = {true,
                          {DISCONNECTED, CONNECTED, CLOSED},
                          WHY(HOST),
                          {TCP(PEER_FIN), TCP(SESSION)},
                          .goes_on = true},
    [STAGE_UNREAD_RST] = {true,
                          {DISCONNECTED, CONNECTED, CLOSED},
                          WHY(HOST),
                          {TCP(SOCKET_ERROR), TCP(SESSION)},
                          .goes_on = true},
};

/* A stop of the worker or the server ends strangers too. What waits unread in a socket may be read
 * in the same turn, before the stop is. */
static const Column stop = {
    [STAGE_STRANGER] = {true, {CLOSED}, WHY(WORKER_STOP), {TCP(WORKER_STOP)}},
    [STAGE_HALF_REQUEST] = {true, {CLOSED}, WHY(WORKER_STOP), {TCP(WORKER_STOP)}},
    [STAGE_SHAKING] = {true, {CLOSED}, WHY(WORKER_STOP), {TCP(SESSION)}},
    [STAGE_UP] = {true, {CLOSED}, WHY(WORKER_STOP), {TCP(SESSION)}},
    [STAGE_AWAY] = {true, {CLOSED}, WHY(WORKER_STOP), {TCP(PEER_FIN)}},
    [STAGE_AWAY_SHAKING] = {true, {CLOSED}, WHY(WORKER_STOP), {TCP(SOCKET_ERROR)}},
    [STAGE_OVER] = {true, NO_MORE, WHY(HOST), {TCP(SESSION)}},
    [STAGE_UNREAD_NOTIFY] = {true, {CLOSED}, WHY(PEER) | WHY(WORKER_STOP), {TCP(SESSION)}},
    [STAGE_UNREAD_FIN] = {true,
                          {DISCONNECTED, CLOSED},
                          WHY(WORKER_STOP),
                          {TCP(PEER_FIN) | TCP(SESSION)},
                          .may_skip_disconnect = true},
    [STAGE_UNREAD_RST] = {true,
                          {DISCONNECTED, CLOSED},
                          WHY(WORKER_STOP),
                          {TCP(SOCKET_ERROR) | TCP(SESSION)},
                          .may_skip_disconnect = true},
};

/* Sessions that have not begun end at once, the others at the deadline; with the last of them the
 * server closes, and its strangers with it. */
static const Column server_drain = {
    [STAGE_STRANGER] = {true, {CLOSED}, WHY(DRAIN), {TCP(WORKER_STOP)}},
    [STAGE_HALF_REQUEST] = {true, {CLOSED}, WHY(DRAIN), {TCP(WORKER_STOP)}},
    [STAGE_SHAKING] = {true, {CLOSED}, WHY(DRAIN), {TCP(SESSION)}},
    [STAGE_UP] = {true, {CLOSED}, WHY(DRAIN), {TCP(SESSION)}},
    [STAGE_AWAY] = {true, {CLOSED}, WHY(DRAIN), {TCP(PEER_FIN)}},
    [STAGE_AWAY_SHAKING] = {true, {CLOSED}, WHY(DRAIN), {TCP(SOCKET_ERROR)}},
    [STAGE_OVER] = {true, NO_MORE, WHY(HOST), {TCP(SESSION)}},
    [STAGE_UNREAD_NOTIFY] = {true, {CLOSED}, WHY(PEER), {TCP(SESSION)}},
    [STAGE_UNREAD_FIN] = {true, {DISCONNECTED, CLOSED}, WHY(DRAIN), {TCP(PEER_FIN)}},
    [STAGE_UNREAD_RST] = {true, {DISCONNECTED, CLOSED}, WHY(DRAIN), {TCP(SOCKET_ERROR)}},
};

static const Column *const columns[] = {
    [ENDING_HOST_CONNECTION] = &host_connection,
    [ENDING_HOST_TCP_CONN] = &host_tcp_conn,
    [ENDING_CLOSE_NOTIFY] = &close_notify,
    [ENDING_FATAL_ALERT] = &fatal_alert,
    [ENDING_FIN] = &fin,
    [ENDING_RST] = &rst,
    [ENDING_HALF_CLOSE] = &fin,
    [ENDING_SILENCE] = &silence,
    [ENDING_SECOND_CONN] = &second_conn,
    [ENDING_ICE_RESTART] = &ice_restart,
    [ENDING_WORKER_STOP] = &stop,
    [ENDING_SERVER_CLOSE] = &stop,
    [ENDING_SERVER_DRAIN] = &server_drain,
};

/* A peer that is gone answers with a RST what the server still sends, and the kernel may tell of
 * that instead of the FIN. */
static bool server_sends(Moment moment) {
  return moment == MOMENT_LOAD || moment == MOMENT_FULL_QUEUE ||
         moment == MOMENT_INSIDE_CONNECTING || moment == MOMENT_INSIDE_CONNECTED ||
         moment == MOMENT_INSIDE_KEYFRAME_WANTED;
}

EndingsOutcome endings_expected(Ending ending, Moment moment) {
  EndingsOutcome outcome = (*columns[ending])[moment_stage(moment)];
  if (ending == ENDING_FIN && server_sends(moment))
    outcome.tcp_reasons[0] |= TCP(SOCKET_ERROR);
  /* What follows a FIN of the same kind is nothing. */
  if (ending == ENDING_HALF_CLOSE && moment == MOMENT_AFTER_FIN)
    outcome.applies = false;
  if (ending == ENDING_SERVER_DRAIN && moment == MOMENT_DRAINING) /* a server drains once */
    outcome.applies = false;
  return outcome;
}

/* -- Names -- */

#define NAME(name, text) text,

const char *ending_name(Ending ending) {
  static const char *const names[] = {ENDING_MAP(NAME)};
  return names[ending];
}

#define MOMENT_NAME(name, stage, text) text,

const char *moment_name(Moment moment) {
  static const char *const names[] = {MOMENT_MAP(MOMENT_NAME)};
  return names[moment];
}

#define MOMENT_STAGE(name, stage, text) STAGE_##stage,

EndingStage moment_stage(Moment moment) {
  static const EndingStage stages[] = {MOMENT_MAP(MOMENT_STAGE)};
  return stages[moment];
}

const RtcConnectionState *stage_states(EndingStage stage) {
  static const RtcConnectionState states[STAGE_COUNT][ENDINGS_STATES_MAX] = {
      [STAGE_SHAKING] = {CONNECTING},
      [STAGE_UP] = {CONNECTING, CONNECTED},
      [STAGE_AWAY] = {CONNECTING, CONNECTED, DISCONNECTED},
      [STAGE_AWAY_SHAKING] = {CONNECTING, DISCONNECTED},
      [STAGE_OVER] = {CONNECTING, CONNECTED, CLOSED},
      [STAGE_UNREAD_NOTIFY] = {CONNECTING, CONNECTED},
      [STAGE_UNREAD_FIN] = {CONNECTING, CONNECTED},
      [STAGE_UNREAD_RST] = {CONNECTING, CONNECTED},
  };
  return states[stage];
}
