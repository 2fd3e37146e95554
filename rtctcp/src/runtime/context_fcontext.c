/* The stack switch on Boost.Context's assembly: some ten instructions, no system call. */
#include "runtime/context.h"

/* libboost_context.a exports these as plain C symbols, but its header is for C++. An RtcJump is
 * what the assembly passes by value, a struct of two pointers: the context left, the argument. */
extern RtcContext make_fcontext(void *top, size_t size, RtcContextEntry entry);
extern RtcJump jump_fcontext(RtcContext to, void *arg);

_Static_assert(offsetof(RtcJump, from) == 0 && offsetof(RtcJump, arg) == sizeof(void *) &&
                   sizeof(RtcJump) == 2 * sizeof(void *),
               "RtcJump is laid out as the assembly expects");

RtcContext rtc_context_make(void *low, size_t size, RtcContextEntry entry) {
  return make_fcontext((char *)low + size, size, entry);
}

/* TSan's view of the call stack changes hands before this call: it must not see this frame. */
__attribute__((no_sanitize("thread"))) RtcJump rtc_context_jump(RtcContext to, void *arg) {
  return jump_fcontext(to, arg);
}

const char *rtc_context_backend(void) {
  return "fcontext";
}
