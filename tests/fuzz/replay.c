/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Feeds every file of the folders named to a fuzz target, in builds without libFuzzer. An empty or missing folder
 * fails: a regression test that reads nothing proves nothing. */
#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/fuzz/fuzz.h"

/* One file in memory of exactly its size, so that a read too far is seen. */
static int replay_file(const char *path)
{
    struct stat st;
    FILE *f = fopen(path, "rb");
    if (!f || fstat(fileno(f), &st) < 0 || !S_ISREG(st.st_mode)) {
        fprintf(stderr, "%s: cannot be read\n", path);
        return 1;
    }
    size_t n = (size_t)st.st_size;
    uint8_t *data = malloc(n + (n == 0));
    int bad = !data || fread(data, 1, n, f) != n;
    fclose(f);
    if (!bad) {
        fprintf(stderr, "%s\n", path); /* the last one named is the one that broke */
        LLVMFuzzerTestOneInput(data, n);
    }
    free(data);
    return bad;
}

static int replay_folder(const char *folder)
{
    char path[4096];
    int files = 0;
    int bad = 0;
    struct dirent *e;
    DIR *d = opendir(folder);
    while (d && (e = readdir(d))) {
        if (e->d_name[0] != '.') {
            snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
            bad += replay_file(path);
            files++;
        }
    }
    if (d) {
        closedir(d);
    }
    printf("%s: %d files\n", folder, files);
    return bad + (files == 0);
}

int main(int argc, char **argv)
{
    int bad = argc < 2;
    for (int i = 1; i < argc; i++) {
        bad += replay_folder(argv[i]);
    }
    return bad == 0 ? 0 : 1;
}
