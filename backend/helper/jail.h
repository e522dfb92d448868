/* jail: what the helper gives up before it reads a byte of the archive, for good: other
 * descriptors, privileges, files, processes, and all system calls but those that it works with.
 *
 * Each layer stands by itself. Where the kernel or a container around us has no namespaces or no
 * Landlock to give, the rest is what there is; privileges, limits and the filter are always there.
 * One thread, before and after. In builds with a sanitizer, its runtime keeps what it needs: no
 * bound on memory, standard error, a few calls, and a call that is not allowed fails with EPERM
 * where it would kill. */
#ifndef HELPER_JAIL_H
#define HELPER_JAIL_H

#include "base/err.h"
#include "base/limits.h"

#include <stdbool.h>
#include <stdint.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer) ||                         \
    __has_feature(thread_sanitizer)
#define JAIL_SANITIZED true
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define JAIL_SANITIZED true
#endif
#ifndef JAIL_SANITIZED
#define JAIL_SANITIZED false
#endif

/* Bytes of address space: the libraries, and a decoder's INFLATE_MEMORY_BYTES twice and more. */
#define JAIL_MEMORY_BYTES (INT64_C(512) << 20)

/* First thing: closes every descriptor but the three of base/wire.h. */
int jail_descriptors(struct err *err);

/* Last thing, once everything is loaded: the layers below, in their order. data_max: bytes that the
 * data file may come to, INT64_MAX for no bound. On failure nothing may go on. */
int jail_enter(const struct limits *limits, int64_t data_max, struct err *err);

/* ---- the layers; apart for tests alone ---- */

/* User, mount, network and IPC namespaces of its own as far as there are any to be had: the root
 * directory is an empty one that cannot be written to, the network has one interface, which is
 * down. Root becomes nobody. No capability remains, nor a way to get one (no_new_privs). Dies with
 * the thread that started it.
 *
 * A mount namespace begins as a copy of all mounts: for some tenths of a millisecond the mounts of
 * whoever started it have another holder (stages/snapshot/holder.h knows). */
int jail_privileges(struct err *err);

/* Landlock: no path, no TCP port, no signal, no abstract socket; whatever the kernel can deny. */
int jail_paths(struct err *err);

/* Address space, processor time (limits_cpu_seconds, then SIGXCPU), size of the data file (then
 * EFBIG); and no descriptor, process, lock, queue or core more. */
int jail_limits(const struct limits *limits, int64_t data_max, struct err *err);

/* The seccomp filter: reading the archive, writing the two others, memory, time, exit. */
int jail_calls(struct err *err);

#endif
