/* What the files of the walk's events share. */
#ifndef RTC_TEST_WALK_PLAY_H
#define RTC_TEST_WALK_PLAY_H

#include "walk/walk.h"

/* One conn, with the session that it is attached to, or that the event names. */
typedef struct Place {
  Walk *walk;
  const WalkEvent *event;
  int conn, session;
  ModelConn *model_conn;
  ModelSession *model_session;
  WalkConn *walk_conn;
  WalkSession *walk_session;
} Place;

/* The TCP conn is the library's still. */
bool walk_place_is_live(const Place *at);
/* What comes of its octets now, the model can't tell: before them, in the same turn, a send queue
 * may call the host, who acts. */
bool walk_place_is_unclear(const Place *at);

/* The events of frames. false: not possible now */
bool walk_play_bind(Place *at);
bool walk_play_dtls(Place *at);
bool walk_play_retransmit(Place *at);
bool walk_play_close_notify(Place *at);
bool walk_play_fatal_alert(Place *at);
bool walk_play_media(Place *at);
bool walk_play_odd(Place *at);

#endif
