/* GET /metrics: every figure of every worker, in Prometheus' text format.
 * Source: Prometheus exposition format 0.0.4. Thread: HTTP's. */
#ifndef SERVER_METRICS_H
#define SERVER_METRICS_H

#include "host.h"

void metrics_request(HttpRequest *request, Host *host);

#endif
