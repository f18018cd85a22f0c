/* Starts the Python that lies beside this program with the C library that lies beside it, so that neither is asked of the
 * machine: neither a Python, nor a C library as new as this one, nor glibc at all. Linked statically.
 *
 * DIR/kdiag ARGUMENTS...      runs kdiag
 * DIR/lib/python ARGUMENTS... is the Python; as sys.executable it is what kdiag starts its helpers with
 *
 * The loader's own options, not LD_LIBRARY_PATH: the programs that kdiag starts must find the machine's libraries.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LONGEST = 4096, FIXED = 16 };

static void join(char *into, const char *directory, const char *name) {
    if (snprintf(into, LONGEST, "%s/%s", directory, name) >= LONGEST) {
        fprintf(stderr, "kdiag: the path of its directory is too long: %s\n", directory);
        exit(70);
    }
}

int main(int argc, char **argv) {
    static char self[LONGEST], lib[LONGEST], loader[LONGEST], python[LONGEST], binary[LONGEST], app[LONGEST];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length < 0) {
        fprintf(stderr, "kdiag: /proc/self/exe: %s. The stand-alone build requires /proc: mount -t proc proc /proc\n",
                strerror(errno));
        return 70;
    }
    char *name = strrchr(self, '/');
    int bare = strcmp(name + 1, "python") == 0;
    *name = '\0';
    if (bare)
        snprintf(lib, sizeof lib, "%s", self);
    else
        join(lib, self, "lib");
    join(loader, lib, "ld.so");
    join(python, lib, "python");
    join(binary, lib, "python3");
    join(app, lib, "app");

    char **words = calloc((size_t)argc + FIXED, sizeof *words);
    if (words == NULL)
        return 70;
    int n = 0;
    words[n++] = loader;
    words[n++] = "--library-path";
    words[n++] = lib;
    words[n++] = "--argv0";
    words[n++] = python;
    words[n++] = binary;
    if (!bare) {
        words[n++] = "-I";
        words[n++] = "-S";
        words[n++] = "-B";
        words[n++] = "-Xutf8";
        words[n++] = app;
    }
    for (int i = 1; i < argc; i++)
        words[n++] = argv[i];
    execv(loader, words);
    fprintf(stderr, "kdiag: %s: %s. Keep kdiag and its lib together\n", loader, strerror(errno));
    return 70;
}
