/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Rate and remaining time are those of the whole run so far. */
#include "provisioning/progress.h"

#include <stdio.h>
#include <unistd.h>

#include "common/clock.h"

#define BAR_WIDTH  30
#define BAR_EVERY  100000  /* microseconds */
#define LINE_EVERY 3000000 /* microseconds */

void progress_init(struct progress *p, bool quiet)
{
    *p = (struct progress){
        .bar = isatty(STDERR_FILENO) == 1,
        .quiet = quiet,
        .started_us = clock_mono_us(),
    };
    p->shown_us = p->started_us;
}

double progress_seconds(const struct progress *p)
{
    return (double)(clock_mono_us() - p->started_us) / 1e6;
}

static void show_bar(size_t done, size_t total, size_t failed, double rate)
{
    char cells[BAR_WIDTH + 1];
    size_t full = total ? done * BAR_WIDTH / total : BAR_WIDTH;
    for (size_t i = 0; i < BAR_WIDTH; i++) {
        cells[i] = i < full ? '#' : '.';
    }
    cells[BAR_WIDTH] = '\0';
    fprintf(stderr, "\r\033[K[%s] %zu/%zu  %.0f/s", cells, done, total, rate);
    if (rate > 0 && done < total) {
        fprintf(stderr, "  %.0f s left", (double)(total - done) / rate);
    }
    if (failed > 0) {
        fprintf(stderr, "  %zu failed", failed);
    }
}

void progress_show(struct progress *p, size_t done, size_t total, size_t failed, bool finished)
{
    int64_t now = clock_mono_us();
    bool due = now - p->shown_us >= (p->bar ? BAR_EVERY : LINE_EVERY);
    if (p->quiet || (!due && !finished)) {
        return;
    }
    p->shown_us = now;
    double seconds = progress_seconds(p);
    double rate = seconds > 0 ? (double)done / seconds : 0;
    if (p->bar) {
        show_bar(done, total, failed, rate);
        fputs(finished ? "\n" : "", stderr);
    } else {
        fprintf(stderr, "%zu of %zu, %.0f a second, %zu failed\n", done, total, rate, failed);
    }
    fflush(stderr);
}

void progress_line(struct progress *p, const char *what, const char *text)
{
    if (!p->quiet) {
        fprintf(stderr, "%s%s: %s\n", p->bar ? "\r\033[K" : "", what, text);
    }
}
