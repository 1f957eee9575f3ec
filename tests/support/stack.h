/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The throw-away stack that with-stack has started around this program: where it listens, its processes, and how to
 * hurt them. Programs started here die with the test that started them. */
#ifndef GREMIO_TEST_STACK_H
#define GREMIO_TEST_STACK_H

#include <sys/types.h>

#include "common/base.h"

/* A value with-stack exports ("GREMIO_STATE"); ends the program when it is missing: there is no stack then. */
const char *stack_env(const char *name);
const char *stack_host(void);
int stack_port(void);
/* Of owner-a@example.com and owner-b@example.com. */
const char *stack_password(void);
pid_t stack_router(void);
pid_t stack_worker(void);

/* Makes every later request of this thread's process go to another router on 127.0.0.1. 0: back to the stack's. */
void stack_use_port(int port);

/* Living children of pid whose command line contains part ("api"); at most max are written. */
size_t stack_children(pid_t pid, const char *part, pid_t *out, size_t max);
/* True while the process lives (a zombie does not). */
bool stack_alive(pid_t pid);
/* Resident memory in KiB; 0 when it is gone. */
long stack_rss_kb(pid_t pid);

/* A TCP port nobody listens on at the moment. */
int stack_free_port(void);
/* Starts gremio-router on a port of its own with a configuration file of DIR/conf ("router.conf") and the overrides
 * ("name=value", NULL-terminated, at most 8). Returns its pid when it is ready; *port is where. The test fails
 * otherwise. Its log is DIR/log/router-PORT.log. */
pid_t stack_start_router(const char *conf, const char *const *overrides, int *port);
/* The same, but returns at once, and an override may name another address to listen on. */
pid_t stack_spawn_router(const char *conf, const char *const *overrides, int *port);
/* Programs started from now on write their output and their log to fd. -1: back to files of DIR/log. */
void stack_use_output(int fd);
/* Starts a worker with the stack's configuration and the overrides (NULL: none); returns its pid at once. */
pid_t stack_start_worker(const char *const *overrides);
/* Starts the stack's router once more, on the stack's port, with two processes; returns its pid at once. It ends again
 * when the port is still taken. */
pid_t stack_restart_router(void);
/* True when the file of DIR/log holds the text. */
bool stack_log_has(const char *file, const char *text);
/* SIGTERM (or another signal) and wait for the end; the exit code, or 128 + signal. -1 when it does not end. */
int stack_stop(pid_t pid, int signo);

/* Runs gremioctl with the stack's configuration; returns its exit code. args is NULL-terminated, without the
 * program. Standard output and error go to *output (malloc, caller frees) unless output is NULL. */
int stack_ctl(const char *const *args, char **output);

/* GET /readyz of the port says 200 (or status) within the long wait. */
MUST_USE bool stack_wait_ready(int port);
MUST_USE bool stack_wait_status(int port, const char *path, int status);

/* pg_ctl on the stack's cluster as its owner: "restart", "stop"; mode "fast", "immediate". True on success.
 * "restart" starts a stopped cluster too, with the options it had. */
bool stack_pg_ctl(const char *verb, const char *mode);
/* Process id of the postmaster, 0 when it is not running. */
pid_t stack_postmaster(void);

#endif
