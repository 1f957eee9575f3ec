/* SPDX-License-Identifier: LicenseRef-Gremio */
/* After its start a process needs few system calls, and this takes away the others (seccomp): none that runs a program, makes
 * a process, opens a file for writing, changes an owner, a mount or another process. Masters stay outside: a filter
 * survives exec, and the next release may need another. Off under sanitizers (and with GREMIO_NO_SANDBOX, for coverage), whose
 * runtime needs what we do not. */
#ifndef GREMIO_SANDBOX_H
#define GREMIO_SANDBOX_H

#include "common/err.h"
#include "common/sbuf.h"

#define SANDBOX_DOC "seccomp filter of processes: on, strict (a forbidden call kills), off"

enum sandbox_mode {
    SANDBOX_OFF,
    SANDBOX_ON, /* a forbidden call fails with ENOSYS, as on a kernel without it: libraries take another way, service goes on */
    SANDBOX_STRICT, /* a forbidden call kills the process (SIGSYS): for tests, where nothing may be overlooked */
};

/* "off", "on" or "strict". */
MUST_USE bool sandbox_mode_parse(const char *text, enum sandbox_mode *out);
/* For the rest of this process's life. SANDBOX_ON goes on without where the kernel or a debugger refuses, with a log line;
 * SANDBOX_STRICT fails with E_INTERNAL then. */
MUST_USE enum err sandbox_enter(enum sandbox_mode mode);
/* The same for a process that writes files: it may open them so, rename them and wait for the disk. */
MUST_USE enum err sandbox_enter_writing(enum sandbox_mode mode);

#endif
