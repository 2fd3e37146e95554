/* Which path is whose. */
#ifndef SERVER_ROUTES_H
#define SERVER_ROUTES_H

#include "http.h"

/* Answers the request, or suspends it for a job. arg: the Host. Thread: HTTP's. */
void routes_answer(HttpRequest *request, void *arg);

#endif
