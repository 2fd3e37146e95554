/* The stack switch: three functions, two backends (context_fcontext.c on Boost.Context's assembly,
 * context_ucontext.c on ucontext(3)); the Makefile links one. */
#ifndef RTC_RUNTIME_CONTEXT_H
#define RTC_RUNTIME_CONTEXT_H

#include <stddef.h>

/* A stopped flow of control, to be jumped to once. */
typedef void *RtcContext;

/* What a jump brings to the other side: where it came from, and the jumper's argument. */
typedef struct RtcJump {
  RtcContext from;
  void *arg;
} RtcJump;

typedef void (*RtcContextEntry)(RtcJump jump); /* never returns: it jumps away for good */

/* Lays a context at the top of the stack [low, low + size); nothing to free: it lives there. */
RtcContext rtc_context_make(void *low, size_t size, RtcContextEntry entry);

/* Stops here and continues there; returns when somebody jumps back.
 * Yields: to the target. */
RtcJump rtc_context_jump(RtcContext to, void *arg);

/* "fcontext" or "ucontext". */
const char *rtc_context_backend(void);

#endif
