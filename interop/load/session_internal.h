/* What the files of a session share. */
#ifndef LOAD_SESSION_INTERNAL_H
#define LOAD_SESSION_INTERNAL_H

#include "session.h"

/* -- session.c -- */

/* Tells the board why, and ends the session. */
void session_fail(Session *session, const char *step, const char *why);
/* Tells the board once, however often and wherever it fails. */
void session_count_failed(Session *session);
/* false: no memory; on_answer is not called. Nobody else has the session until it is. */
bool session_ask(Session *session, const char *method, const char *url, const char *body,
                 size_t len, void (*on_answer)(void *arg, const HttpAnswer *answer));
/* On the HTTP thread: gives the session back to its worker, with the answer. */
void session_hand_over(Session *session, const HttpAnswer *answer, void (*take)(void *arg));

/* -- session_post.c -- */

/* Asks the server, and goes on with its answer: a connection, another try later, or a failure. */
void session_post_offer(Session *session);

/* -- session_answer.c -- */

/* Copies it. What there is no memory for is left out. */
void session_answer_keep(SessionAnswer *kept, const HttpAnswer *answer);
void session_answer_drop(SessionAnswer *answer);
bool session_answer_is_success(const SessionAnswer *answer);
/* What came instead of a success: its status and the first line of its text. */
void session_answer_describe(const SessionAnswer *answer, char *text, size_t cap);

#endif
