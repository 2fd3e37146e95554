/* Shared handles: a plain reference count inside the object; the pointer is the handle.
 *
 * A shared type T with prefix t has, of RTC_SHARED_DECLARE in its header:
 *   T *t_ref(T *)                one more handle; NULL gives NULL
 *   void t_unref(T **slot)       gives a handle back and sets the slot to NULL; the last destroys
 *   T *t_move(T **slot)          takes the handle out of the slot, which becomes NULL
 *   void t_assign(T **slot, T *) makes the slot a handle of another object (or the same, or NULL)
 * A parameter of type T * is borrowed; T ** gives, takes or changes a handle.
 *
 * Counts are confined to the object's worker, so they are not atomic (RtcPacket has its own). */
#ifndef RTC_OWNERSHIP_SHARED_H
#define RTC_OWNERSHIP_SHARED_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

typedef struct RtcShared {
  uint32_t handles;
} RtcShared;

static inline void rtc_shared_init(RtcShared *shared) {
  shared->handles = 1; /* the maker's */
}

#define RTC_SHARED_DECLARE(T, prefix)                                                              \
  T *prefix##_ref(T *object);                                                                      \
  void prefix##_unref(T **slot);                                                                   \
  T *prefix##_move(T **slot);                                                                      \
  void prefix##_assign(T **slot, T *object)

/* member   path of the RtcShared inside T
 * destroy  void (*)(T *): frees; never yields, never revives */
#define RTC_SHARED_DEFINE(T, prefix, member, destroy)                                              \
  T *prefix##_ref(T *object) {                                                                     \
    if (object) {                                                                                  \
      assert(object->member.handles > 0 && object->member.handles < UINT32_MAX);                   \
      object->member.handles++;                                                                    \
    }                                                                                              \
    return object;                                                                                 \
  }                                                                                                \
  void prefix##_unref(T **slot) {                                                                  \
    T *object = *slot;                                                                             \
    *slot = NULL;                                                                                  \
    if (!object)                                                                                   \
      return;                                                                                      \
    assert(object->member.handles > 0);                                                            \
    if (--object->member.handles == 0)                                                             \
      destroy(object);                                                                             \
  }                                                                                                \
  T *prefix##_move(T **slot) {                                                                     \
    T *object = *slot;                                                                             \
    *slot = NULL;                                                                                  \
    return object;                                                                                 \
  }                                                                                                \
  void prefix##_assign(T **slot, T *object) {                                                      \
    T *old = *slot;                                                                                \
    *slot = prefix##_ref(object);                                                                  \
    prefix##_unref(&old);                                                                          \
  }                                                                                                \
  struct rtc_shared_needs_a_semicolon_##prefix

#endif
