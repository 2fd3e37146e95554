/* An answer on its way from the HTTP thread to a session's worker. */
#include "session_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void session_answer_drop(SessionAnswer *answer) {
  free(answer->error);
  free(answer->location);
  free(answer->body);
  *answer = (SessionAnswer){0};
}

void session_answer_keep(SessionAnswer *kept, const HttpAnswer *answer) {
  *kept = (SessionAnswer){
      .status = answer->status,
      .error = answer->error ? strdup(answer->error) : NULL,
      .location = answer->location ? strdup(answer->location) : NULL,
      .body = malloc(answer->body_len + 1),
      .body_len = answer->body_len,
  };
  if (kept->body)
    memcpy(kept->body, answer->body, answer->body_len + 1);
  else
    kept->body_len = 0;
}

bool session_answer_is_success(const SessionAnswer *answer) {
  return answer->status >= 200 && answer->status < 300;
}

void session_answer_describe(const SessionAnswer *answer, char *text, size_t cap) {
  if (answer->error || answer->status == 0)
    snprintf(text, cap, "%s", answer->error ? answer->error : "no answer");
  else
    snprintf(text, cap, "%ld %.*s", answer->status,
             answer->body ? (int)strcspn(answer->body, "\r\n") : 0,
             answer->body ? answer->body : "");
}
