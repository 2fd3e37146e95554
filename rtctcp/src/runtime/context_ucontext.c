/* The stack switch on ucontext(3): for systems that Boost.Context has no assembly for. Each switch
 * costs system calls, since it keeps the signal mask. */
#include "runtime/context.h"

#include <assert.h>
#include <stdint.h>
#include <ucontext.h>

/* A context is one of these: of a fresh context at the top of its stack, of a stopped one in the
 * frame of its rtc_context_jump. */
typedef struct UcontextSlot {
  ucontext_t registers;
  RtcContextEntry entry;
  RtcJump incoming; /* what the jump to this context brings */
} UcontextSlot;

/* makecontext(3) passes ints only: a pointer travels in two. */
static void begin(unsigned high, unsigned low) {
  UcontextSlot *slot = (UcontextSlot *)((uintptr_t)high << 32 | low); /* NOLINT(*-int-to-ptr) */

  slot->entry(slot->incoming);
}

RtcContext rtc_context_make(void *low, size_t size, RtcContextEntry entry) {
  uintptr_t top = (uintptr_t)low + size - sizeof(UcontextSlot);
  UcontextSlot *slot = (UcontextSlot *)(top & ~(uintptr_t)63); /* NOLINT(*-int-to-ptr) */
  uint64_t address = (uintptr_t)slot;

  int failed = getcontext(&slot->registers);
  assert(failed == 0); /* it only copies registers here */
  (void)failed;
  slot->registers.uc_stack.ss_sp = low;
  slot->registers.uc_stack.ss_size = (size_t)((char *)slot - (char *)low);
  slot->registers.uc_link = NULL;
  slot->entry = entry;
  makecontext(&slot->registers, (void (*)(void))begin, 2, (unsigned)(address >> 32),
              (unsigned)address);
  return slot;
}

/* TSan's view of the call stack changes hands before this call: it must not see this frame. */
__attribute__((no_sanitize("thread"))) RtcJump rtc_context_jump(RtcContext to, void *arg) {
  UcontextSlot here;
  UcontextSlot *there = to;

  /* getcontext(3) leaves the bounds unset, but ASan's swapcontext reads them. */
  here.registers.uc_stack = (stack_t){0};
  here.incoming = (RtcJump){NULL, NULL}; /* until somebody jumps back */
  there->incoming = (RtcJump){.from = &here, .arg = arg};
  swapcontext(&here.registers, &there->registers);
  return here.incoming;
}

const char *rtc_context_backend(void) {
  return "ucontext";
}
