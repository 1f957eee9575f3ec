/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Runs in a process that cannot be trusted any more: on a stack of its own, it reads nothing but the shared score, asks for
 * no memory and waits for nobody. A second fault in here ends the process silently. */
#include "worker/last_words.h"

#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#define STACK_SIZE ((size_t)64 << 10)

static const int fatal[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT };
static struct sigaction before[ARRAY_LEN(fatal)];
static const struct score *volatile running;

static void speak(void)
{
    const struct score *s = running;
    running = NULL;
    for (uint32_t i = 0; s && i < s->count && i < SCORE_JOBS_MAX; i++) {
        char frame[FRAME_ID_SIZE];
        frame_write_id(frame, FRAME_DYING, s->jobs[i].id);
        (void)!send(s->jobs[i].fd, frame, sizeof(frame), MSG_DONTWAIT | MSG_NOSIGNAL);
    }
}

/* Back to what would have happened without us: the signal strikes again as soon as this returns. */
static void on_fatal(int signo)
{
    speak();
    for (size_t i = 0; i < ARRAY_LEN(fatal); i++) {
        if (fatal[i] == signo) {
            sigaction(signo, &before[i], NULL);
        }
    }
    if (raise(signo) != 0) {
        _exit(128 + signo);
    }
}

#if defined(__SANITIZE_ADDRESS__)
void __sanitizer_set_death_callback(void (*callback)(void));
#endif

void last_words_init(const struct score *s)
{
    static char stack[STACK_SIZE];
    const stack_t own = { .ss_sp = stack, .ss_size = sizeof(stack) };
    struct sigaction action = { .sa_handler = on_fatal, .sa_flags = SA_ONSTACK };
    running = s;
    sigaltstack(&own, NULL);
    for (size_t i = 0; i < ARRAY_LEN(fatal); i++) {
        sigaction(fatal[i], &action, &before[i]);
    }
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_set_death_callback(speak);
#endif
}
