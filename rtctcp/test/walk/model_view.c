/* What is asked of the model, and its words. */
#include "walk/model.h"

bool model_alive(const Model *model, int session) {
  const ModelSession *s = &model->sessions[session];
  return s->used && s->state != RTC_CONNECTION_STATE_CLOSED;
}

bool model_reachable(const Model *model, int session) {
  return model_alive(model, session) ||
         (model->sessions[session].used && model->sessions[session].held > 0);
}

bool model_ended(const Model *model, int conn) {
  return model->conns[conn].state == MODEL_CONN_ENDED;
}

bool model_gone(const Model *model) {
  if (model->open)
    return false;
  for (int s = 0; s < MODEL_SESSIONS; s++)
    if (model_reachable(model, s))
      return false;
  for (int c = 0; c < MODEL_CONNS; c++)
    if (model->conns[c].held > 0)
      return false;
  return true;
}

size_t model_count(const Model *model, ModelConnState state) {
  size_t count = 0;
  for (int c = 0; c < MODEL_CONNS; c++)
    count += model->conns[c].state == state;
  return count;
}

#define NAME(name, text) text,

const char *model_callback_name(ModelCallback callback) {
  static const char *const names[] = {MODEL_CALLBACK_MAP(NAME)};
  return names[callback];
}

const char *model_action_name(ModelAction action) {
  static const char *const names[] = {MODEL_ACTION_MAP(NAME)};
  return names[action];
}

const char *model_frame_name(ModelFrameKind kind) {
  static const char *const names[] = {MODEL_FRAME_MAP(NAME)};
  return names[kind];
}
